"""Where a model looked in a window: the weights of its attention, and what moves its prediction when blanked.

Blanking asks any model (occlusion: Zeiler and Fergus 2014, arXiv 1311.2901): each 2 s, each pair, each spectrogram
image in turn is set to 0 after preprocessing, and the KL between the predictions before and after says how much it
mattered. Attention is what `AttentionPool` and `fusion=attention` give their inputs; only some models have it.
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
"""What the ten spectrogram images show, in the order of `SpectrogramImages`."""

STRETCHES = 25  # of 2 s
_AT_ONCE = 8  # windows, so that the largest model stays within a small memory


class Look(NamedTuple):
    """How much each pair, or each spectrogram image, counted."""

    title: str
    kind: Literal["pair", "region"]
    weights: dict[str, float]
    """Shares that sum to 1, by name; all 0 where nothing counted."""


class Looks(NamedTuple):
    """Everything known about where a model looked in one window."""

    stretches: list[float]
    """KL in nats by which the prediction moves when each 2 s are blanked."""
    looks: list[Look]


def looks_of(model: Model, window: Batch) -> Looks:
    """Ask a model in eval mode about a batch of one window, unflipped."""
    with torch.inference_mode():
        signals = model.preprocess(window)
        pairs = model.preprocess.montage.pairs
        moved = _moved(model, signals, [*_without_stretches(signals), *_without_pairs(signals)])
        looks = [_look("What mattered, by pair", "pair", pairs, moved[STRETCHES:])]
        if signals.images is not None:
            images = _moved(model, signals, _without_images(signals, signals.images))
            looks.append(_look("What mattered, by image", "region", IMAGES, images))
        features = {name: extractor(signals) for name, extractor in model.extractors.items()}
        for name, extractor in model.extractors.items():
            if isinstance(extractor, Spectrogram):  # its tokens are what its pool weighs
                weights = extractor.pool.weights(features[name].tokens)[0, :, 0]
                looks.append(_look(f"Attention of {name}", "region", IMAGES, weights))
        if isinstance(model.fusion, Attention):
            for name, weights in model.fusion.weights(features).items():
                kind = model.fusion.kinds[name]
                names = pairs if kind == "pair" else IMAGES
                looks.append(_look(f"Fusion's attention to {name}", kind, names, weights[0, 1:]))
    return Looks(moved[:STRETCHES].tolist(), [look for look in looks if any(look.weights.values())])


def _look(title: str, kind: Literal["pair", "region"], names: Iterable[str], counts: Float[Tensor, " place"]) -> Look:
    total = counts.sum().item()
    shares = (counts / total if total > 0 else counts).tolist()
    return Look(title, kind, dict(zip(names, shares, strict=True)))


def _moved(model: Model, signals: Signals, changed: list[Signals]) -> Float[Tensor, " change"]:
    """KL(prediction || prediction after) of each change, in nats."""
    before = model.classify(signals).joint.cpu().double().log_softmax(dim=1)  # Apple's GPUs have no doubles
    parts = [changed[first : first + _AT_ONCE] for first in range(0, len(changed), _AT_ONCE)]
    logits = torch.cat([model.classify(_side_by_side(part)).joint for part in parts])
    logs = logits.cpu().double().log_softmax(dim=1)
    return (before.exp() * (before - logs)).sum(dim=1).clamp(min=0)


def _side_by_side(windows: Sequence[Signals]) -> Signals:
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
        place = torch.arange(signals.pairs.shape[2], device=signals.pairs.device) // size == stretch
        yield signals._replace(pairs=signals.pairs.masked_fill(place, 0.0))


def _without_pairs(signals: Signals) -> Iterator[Signals]:
    for place in torch.eye(signals.pairs.shape[1], dtype=torch.bool, device=signals.pairs.device):
        yield signals._replace(pairs=signals.pairs.masked_fill(place[:, None], 0.0))


def _without_images(signals: Signals, images: Float[Tensor, "1 image time frequency"]) -> list[Signals]:
    each = torch.eye(images.shape[1], dtype=torch.bool, device=images.device)
    return [signals._replace(images=images.masked_fill(place[:, None, None], 0.0)) for place in each]
