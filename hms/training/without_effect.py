"""Settings that change nothing beside others: no mistake, as in a sweep over the others, but worth a line."""

from collections.abc import Iterator
from typing import Any

from hms.augmentation.head_scale import HeadScale
from hms.config.build import class_of, is_of
from hms.config.described import Description, default_option, defaults, describe
from hms.config.type_check import leaves
from hms.extractor.spectrogram import Spectrogram
from hms.labels import HIGH_VOTES
from hms.live import SimulatedWindows
from hms.loss import VoteWeightedKl
from hms.runs.settings import nodes
from hms.weighting import FadeLowVotes

_BY_ITSELF = "preprocess.scale=window, which scales each window by its own spread"
_NO_EEG = "no extractor reads the EEG"
_NO_IMAGES = "no extractor reads the ten-minute spectrogram"


def without_effect(config: dict[str, Any], reads_spectrogram: bool) -> Iterator[str]:
    """Yield a line for each setting that has no effect, or hardly any, on what a model learns.

    `reads_spectrogram` says whether any of its extractors reads the images of the spectrogram.
    """
    described = describe(config)
    if all(class_of(node) is Spectrogram for node in config["extractor"].values()):  # others may read the EEG
        filters = [name for name in _chosen("preprocess", described) if not name.startswith("preprocess.images.")]
        unread = [*_chosen("montage", described), *filters, *_marked(config, "eeg_only")]
        yield from (f"{name} has no effect: {_NO_EEG}" for name in unread)
    elif config["preprocess"].get("scale") == "window":
        if "preprocess.scale_uv" in _values("preprocess", described):
            yield f"preprocess.scale_uv has no effect with {_BY_ITSELF}"
        scaling = (name for name, node in config["augmentation"].items() if is_of(node, HeadScale))
        for name in scaling:  # clipping sees it
            yield f"augmentation.{name} has hardly any effect with {_BY_ITSELF}"
    if not reads_spectrogram:
        unread = [*_values("preprocess.images", described), *_marked(config, "images_only")]
        yield from (f"{name} has no effect: {_NO_IMAGES}" for name in unread)
    yield from _of_backbones(config, described)
    yield from _of_rows(config, described)
    yield from _of_rates(config)
    headless = "model.auxiliary_heads=false" if config["model"].get("auxiliary_heads") is False else None
    if len(config["extractor"]) == 1:
        headless = "a single extractor, which has no auxiliary head"
    if headless and class_of(config["loss"]) is VoteWeightedKl:  # others may have more values
        yield from (f"{name} has no effect with {headless}" for name in _values("loss", described))


def _of_backbones(config: dict[str, Any], described: Description) -> Iterator[str]:
    """Yield a line for each setting of a backbone that no extractor has."""
    parts = [*nodes(config["extractor"])]
    kinds = {kind: node for kind, node in config["backbone"].items() if isinstance(node, dict)}
    unused = [kind for kind, node in kinds.items() if node not in parts]
    if len(unused) < len(kinds):
        for kind in unused:
            for name in _values(f"backbone.{kind}", described):
                yield f"{name} has no effect: no extractor has backbone.{kind}"
    elif not any("backbone" in part for part in parts):  # such as one of the user's own with some of these values
        yield from (f"{name} has no effect: no extractor has a backbone" for name in _chosen("backbone", described))


def _of_rows(config: dict[str, Any], described: Description) -> Iterator[str]:
    """Yield a line for each setting that would choose or weight rows that there are not."""
    live = config["live"]
    if is_of(config["weighting"], FadeLowVotes):
        name = "weighting=fade_low_votes has no effect"
        if any(is_of(node, SimulatedWindows) for node in live.values()):
            yield f"{name} with live, whose windows have {HIGH_VOTES} votes or more"
        elif not live and config["subset"].get("min_votes", 0) >= HIGH_VOTES:
            yield f"{name} on rows of {HIGH_VOTES} votes or more; try subset=low_votes_too"
    if live and config["folds"] != defaults()["folds"]:  # with fold=all, it is that of the run's other folds
        yield "folds has no effect with live, which learns from no fold"
    if live and config["folds_from"]:
        yield "folds_from has no effect with live, which learns from no fold"
    if "pretrain.subset.validation_votes" in _values("pretrain.subset", described):
        yield "pretrain.subset.validation_votes has no effect: both stages validate on the rows that subset chooses"
    if live and "subset.spacing_s" in _values("subset", described):
        yield "subset.spacing_s has no effect with live, which trains on no row of the corpus"


def _of_rates(config: dict[str, Any]) -> Iterator[str]:
    """Yield a line for each part that is frozen with weights which nobody has trained."""
    if not config["start_from"] and not any(node.get("pretrained") is True for node in nodes(config["model"])):
        for place, factor in leaves(config["lr_scale"], "lr_scale"):
            if factor == 0:
                yield f"{place}=0 freezes weights that are random: start_from= or pretrained ones would be of use"


def _chosen(group: str, described: Description) -> Iterator[str]:
    """Yield the words that differ from conf/train.yaml in a group of one option."""
    if (option := described.options.get(group)) is not None:
        yield from [f"{group}={option}"] if option != default_option(group) else []
        yield from _values(group, described)


def _values(place: str, described: Description) -> list[str]:
    """The keys within a place whose values differ from those of the option chosen; none if that is unknown."""
    if place.partition(".")[0] not in described.options:
        return []
    return [key for key in described.values if key.startswith(f"{place}.") and not key.endswith("._target_")]


def _marked(config: dict[str, Any], mark: str) -> list[str]:
    """The augmentations whose class has a mark, such as `images_only`."""
    return [f"augmentation.{n}" for n, node in config["augmentation"].items() if getattr(class_of(node), mark, False)]
