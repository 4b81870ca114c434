"""What travels: a `Batch` of raw windows from the store, `Signals` for the extractors, their `Features`, `Logits`.

All are named tuples, never edited in place: a step returns `batch._replace(...)`.
"""

from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

import torch
from jaxtyping import Float, Int
from torch import Tensor

from hms.labels import CLASSES


class Batch(NamedTuple):
    """Windows as recorded, with what the experts said."""

    eeg: Float[Tensor, "batch electrode time"]
    """µV, 20 channels in the order of `electrodes.ELECTRODES`, 200 Hz; NaN where nothing was recorded."""
    spectrogram: Float[Tensor, "batch region time frequency"] | None
    """µV²/Hz, regions LL RL LP RP, a row per 2 s; None when no extractor reads it."""
    target: Float[Tensor, "batch label"]
    """Share of the votes per class, in the order of `labels.CLASSES`; sums to 1."""
    weight: Float[Tensor, " batch"]
    """Weight of the row in the loss (`labels.vote_weight`)."""
    label_id: Int[Tensor, " batch"]
    """Of the row in train.csv."""


class Signals(NamedTuple):
    """Windows after preprocessing, ready for the extractors."""

    pairs: Float[Tensor, "batch pair time"]
    """Filtered, scaled differences between electrodes; about unit size; no NaN."""
    images: Float[Tensor, "batch image time frequency"] | None
    """Ten normalised log images of the regional spectrogram (`spectrogram_images`); no NaN; None as in `Batch`."""
    target: Float[Tensor, "batch label"]
    weight: Float[Tensor, " batch"]


class Features(NamedTuple):
    """What one extractor found in each window."""

    vector: Float[Tensor, "batch feature"]
    """All of it, for a fusion that reads one vector per extractor."""
    tokens: Float[Tensor, "batch token width"]
    """A vector for each pair or each spectrogram image (the extractor's `token_kind`), in the order of `Signals`."""


class Logits(NamedTuple):
    """What a model says of each window, over `labels.CLASSES`."""

    joint: Float[Tensor, "batch label"]
    """From all extractors together: the prediction."""
    by_extractor: dict[str, Float[Tensor, "batch label"]]
    """From each extractor alone, by its auxiliary head: for the loss; empty where a model has no such heads."""


AnyBatch = TypeVar("AnyBatch", Batch, Signals)


def mapped(batch: AnyBatch, change: Callable[[Tensor], Tensor]) -> AnyBatch:
    """The batch with each of its tensors changed; what it has not, it still has not."""
    changed: Any = [None if tensor is None else change(tensor) for tensor in batch]
    return type(batch)(*changed)


def unlabelled(
    eeg: Float[Tensor, "batch electrode time"],
    spectrogram: Float[Tensor, "batch region row frequency"] | None,
    label_id: Int[Tensor, " batch"],
) -> Batch:
    """Windows that no expert has voted on: to predict, and not to learn from."""
    target = eeg.new_full((len(eeg), len(CLASSES)), torch.nan, dtype=torch.float32)
    return Batch(eeg, spectrogram, target, target[:, 0], label_id)
