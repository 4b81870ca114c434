"""Settings that change nothing beside others: no mistake, as in a sweep over the others, but worth a line."""

from collections.abc import Iterator
from typing import Any

from hms.augmentation.head_scale import HeadScale
from hms.config.build import class_of, is_of
from hms.config.described import describe
from hms.labels import HIGH_VOTES
from hms.loss import VoteWeightedKl
from hms.weighting import FadeLowVotes


def without_effect(config: dict[str, Any], reads_spectrogram: bool) -> Iterator[str]:
    """Yield a line for each setting that has no effect, or hardly any, on what a model learns.

    `reads_spectrogram` says whether any of its extractors reads the images of the spectrogram.
    """
    augmentations = config["augmentation"]
    if config["preprocess"].get("scale") == "window":
        by_itself = "preprocess.scale=window, which scales each window by its own spread"
        if "preprocess.scale_uv" in describe({"preprocess": config["preprocess"]}).values:
            yield f"preprocess.scale_uv has no effect with {by_itself}"
        for name in (name for name, node in augmentations.items() if is_of(node, HeadScale)):  # clipping sees it
            yield f"augmentation.{name} has hardly any effect with {by_itself}"
    if is_of(config["weighting"], FadeLowVotes) and config["subset"].get("min_votes", 0) >= HIGH_VOTES:
        yield f"weighting=fade_low_votes has no effect on rows of {HIGH_VOTES} votes or more; try subset=low_votes_too"
    if len(config["extractor"]) == 1 and class_of(config["loss"]) is VoteWeightedKl:  # others may have more values
        for name in describe({"loss": config["loss"]}).values:
            yield f"{name} has no effect with a single extractor, which has no auxiliary head"
    if not reads_spectrogram:
        for name in (name for name, node in augmentations.items() if getattr(class_of(node), "images_only", False)):
            yield f"augmentation.{name} has no effect: no extractor reads the ten-minute spectrogram"
