"""What a prediction rests on: each part of the input by occlusion, and the weights of a model's attention.

Occlusion (Zeiler and Fergus 2014, arXiv 1311.2901) works for any model: each 2 s, each pair and each spectrogram image
in turn is set to 0 after preprocessing, and its attribution is the KL between the predictions before and after.
Attention is the weights of `AttentionPool` and `fusion=attention`; only some models have it.
"""

from collections.abc import Iterable, Iterator
from typing import Literal, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from hms.batch import Batch, Signals, joined
from hms.extractor.spectrogram import Spectrogram
from hms.fusion import Attention
from hms.model import Model
from hms.spectrogram_images import IMAGES

BINS = 25  # of 2 s
_BATCH = 8  # windows, so that even the largest model needs little memory


class Attribution(NamedTuple):
    """How much a prediction rests on each pair, or on each spectrogram image."""

    title: str
    kind: Literal["pair", "image"]
    weights: dict[str, float]
    """Shares by name, which sum to 1, or are all 0 if nothing had any weight."""


class Attributions(NamedTuple):
    """What the prediction for one window rests on, by every measure available."""

    bins: list[float]
    """Of each 2 s: how far the prediction moves when they are blanked, as KL in nats."""
    parts: list[Attribution]


def attributions_of(model: Model, window: Batch) -> Attributions:
    """Attribute the prediction of a model in eval mode for a batch of one window, without flips."""
    with torch.inference_mode():
        signals = model.preprocess(window)
        pairs = model.preprocess.montage.pairs
        moved = _occluded(model, signals, [*_without_bins(signals), *_without_pairs(signals)])
        parts = [_attribution("Attribution by pair", "pair", pairs, moved[BINS:])]
        if signals.images is not None:
            images = _occluded(model, signals, _without_images(signals, signals.images))
            parts.append(_attribution("Attribution by image", "image", IMAGES, images))
        features = {name: extractor(signals) for name, extractor in model.extractors.items()}
        for name, extractor in model.extractors.items():
            if isinstance(extractor, Spectrogram):  # its pool weighs its tokens
                weights = extractor.pool.weights(features[name].tokens)[0, :, 0]
                parts.append(_attribution(f"Attention of {name}", "image", IMAGES, weights))
        if isinstance(model.fusion, Attention):
            for name, weights in model.fusion.weights(features).items():
                kind = model.fusion.kinds[name]
                names = pairs if kind == "pair" else IMAGES
                parts.append(_attribution(f"Fusion's attention to {name}", kind, names, weights[0, 1:]))
    return Attributions(moved[:BINS].tolist(), [part for part in parts if any(part.weights.values())])


def _attribution(
    title: str, kind: Literal["pair", "image"], names: Iterable[str], weights: Float[Tensor, " name"]
) -> Attribution:
    total = weights.sum().item()
    shares = (weights / total if total > 0 else weights).tolist()
    return Attribution(title, kind, dict(zip(names, shares, strict=True)))


def _occluded(model: Model, signals: Signals, changed: list[Signals]) -> Float[Tensor, " change"]:
    """KL(prediction before || prediction after) of each change, in nats."""
    before = model.classify(signals).joint.cpu().double().log_softmax(dim=1)  # on the CPU: Apple's GPUs have no float64
    batches = [changed[first : first + _BATCH] for first in range(0, len(changed), _BATCH)]
    logits = torch.cat([model.classify(joined(some)).joint for some in batches])
    after = logits.cpu().double().log_softmax(dim=1)
    return (before.exp() * (before - after)).sum(dim=1).clamp(min=0)


def _without_bins(signals: Signals) -> Iterator[Signals]:
    size = signals.pairs.shape[2] // BINS
    for number in range(BINS):
        blank = torch.arange(signals.pairs.shape[2], device=signals.pairs.device) // size == number
        yield signals._replace(pairs=signals.pairs.masked_fill(blank, 0.0))


def _without_pairs(signals: Signals) -> Iterator[Signals]:
    for blank in torch.eye(signals.pairs.shape[1], dtype=torch.bool, device=signals.pairs.device):
        yield signals._replace(pairs=signals.pairs.masked_fill(blank[:, None], 0.0))


def _without_images(signals: Signals, images: Float[Tensor, "1 image time frequency"]) -> list[Signals]:
    blanks = torch.eye(images.shape[1], dtype=torch.bool, device=images.device)
    return [signals._replace(images=images.masked_fill(blank[:, None, None], 0.0)) for blank in blanks]
