"""Where a model looked in a window: the weights of its attention, and the influence of each part of its input.

Influence is measured by occlusion (Zeiler and Fergus 2014, arXiv 1311.2901), which works for any model: each 2 s, each
pair and each spectrogram image in turn is set to 0 after preprocessing, and its influence is the KL between the
predictions before and after. Attention is the weights of `AttentionPool` and `fusion=attention`; only some models have
it.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Literal, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from hms.batch import Batch, Signals
from hms.extractor.spectrogram import Spectrogram
from hms.fusion import Attention
from hms.model import Model

IMAGES = ("LL", "RL", "RP", "LP", "LL−RL", "LL−RP", "LL−LP", "RL−RP", "RL−LP", "RP−LP")
"""Names of the ten spectrogram images, in the order of `SpectrogramImages`."""

STRETCHES = 25  # of 2 s
_BATCH = 8  # windows, so that even the largest model needs little memory


class Look(NamedTuple):
    """How much weight each pair, or each spectrogram image, had."""

    title: str
    kind: Literal["pair", "region"]
    weights: dict[str, float]
    """Shares by name, which sum to 1, or are all 0 if nothing had any weight."""


class Looks(NamedTuple):
    """Where a model looked in one window, by every measure available."""

    stretches: list[float]
    """Influence of each 2 s: how far the prediction moves when they are blanked, as KL in nats."""
    looks: list[Look]


def looks_of(model: Model, window: Batch) -> Looks:
    """Find where a model in eval mode looks in a batch of one window, without flips."""
    with torch.inference_mode():
        signals = model.preprocess(window)
        pairs = model.preprocess.montage.pairs
        influence = _influence(model, signals, [*_without_stretches(signals), *_without_pairs(signals)])
        looks = [_look("Influence by pair", "pair", pairs, influence[STRETCHES:])]
        if signals.images is not None:
            images = _influence(model, signals, _without_images(signals, signals.images))
            looks.append(_look("Influence by image", "region", IMAGES, images))
        features = {name: extractor(signals) for name, extractor in model.extractors.items()}
        for name, extractor in model.extractors.items():
            if isinstance(extractor, Spectrogram):  # its pool weighs its tokens
                weights = extractor.pool.weights(features[name].tokens)[0, :, 0]
                looks.append(_look(f"Attention of {name}", "region", IMAGES, weights))
        if isinstance(model.fusion, Attention):
            for name, weights in model.fusion.weights(features).items():
                kind = model.fusion.kinds[name]
                names = pairs if kind == "pair" else IMAGES
                looks.append(_look(f"Fusion's attention to {name}", kind, names, weights[0, 1:]))
    return Looks(influence[:STRETCHES].tolist(), [look for look in looks if any(look.weights.values())])


def _look(title: str, kind: Literal["pair", "region"], names: Iterable[str], weights: Float[Tensor, " name"]) -> Look:
    total = weights.sum().item()
    shares = (weights / total if total > 0 else weights).tolist()
    return Look(title, kind, dict(zip(names, shares, strict=True)))


def _influence(model: Model, signals: Signals, changed: list[Signals]) -> Float[Tensor, " change"]:
    """KL(prediction before || prediction after) of each change, in nats."""
    before = model.classify(signals).joint.cpu().double().log_softmax(dim=1)  # on the CPU: Apple's GPUs have no float64
    parts = [changed[first : first + _BATCH] for first in range(0, len(changed), _BATCH)]
    logits = torch.cat([model.classify(_stacked(part)).joint for part in parts])
    after = logits.cpu().double().log_softmax(dim=1)
    return (before.exp() * (before - after)).sum(dim=1).clamp(min=0)


def _stacked(windows: Sequence[Signals]) -> Signals:
    images = [one.images for one in windows if one.images is not None]
    return Signals(
        pairs=torch.cat([one.pairs for one in windows]),
        images=torch.cat(images) if images else None,
        target=torch.cat([one.target for one in windows]),
        weight=torch.cat([one.weight for one in windows]),
    )


def _without_stretches(signals: Signals) -> Iterator[Signals]:
    size = signals.pairs.shape[2] // STRETCHES
    for stretch in range(STRETCHES):
        blank = torch.arange(signals.pairs.shape[2], device=signals.pairs.device) // size == stretch
        yield signals._replace(pairs=signals.pairs.masked_fill(blank, 0.0))


def _without_pairs(signals: Signals) -> Iterator[Signals]:
    for blank in torch.eye(signals.pairs.shape[1], dtype=torch.bool, device=signals.pairs.device):
        yield signals._replace(pairs=signals.pairs.masked_fill(blank[:, None], 0.0))


def _without_images(signals: Signals, images: Float[Tensor, "1 image time frequency"]) -> list[Signals]:
    each = torch.eye(images.shape[1], dtype=torch.bool, device=images.device)
    return [signals._replace(images=images.masked_fill(blank[:, None, None], 0.0)) for blank in each]
