"""Settings that change nothing beside others: no mistake, as in a sweep over the others, but worth a line."""

import pkgutil
from collections.abc import Iterator
from typing import Any

from hms.augmentation.head_scale import HeadScale
from hms.config.described import describe


def without_effect(config: dict[str, Any], reads_spectrogram: bool) -> Iterator[str]:
    """Yield a line for each setting that has no effect, or hardly any, on what a model learns.

    `reads_spectrogram` says whether any of its extractors reads the images of the spectrogram.
    """
    augmentations = {name: pkgutil.resolve_name(node["_target_"]) for name, node in config["augmentation"].items()}
    if config["preprocess"].get("scale") == "window":
        by_itself = "preprocess.scale=window, which scales each window by its own spread"
        if "preprocess.scale_uv" in describe({"preprocess": config["preprocess"]}).values:
            yield f"preprocess.scale_uv has no effect with {by_itself}"
        for name in (name for name, kind in augmentations.items() if kind is HeadScale):  # clipping sees it
            yield f"augmentation.{name} has hardly any effect with {by_itself}"
    if not reads_spectrogram:
        for name in (name for name, kind in augmentations.items() if getattr(kind, "images_only", False)):
            yield f"augmentation.{name} has no effect: no extractor reads the ten-minute spectrogram"
