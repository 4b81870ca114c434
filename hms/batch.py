"""The data passed from step to step: a `Batch` of raw windows, `Signals` for extractors, `Features`, and `Logits`.

All are named tuples and never modified in place: a step returns `batch._replace(...)`.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeVar

import torch
from jaxtyping import Float, Int
from torch import Tensor

from hms.labels import CLASSES


class Batch(NamedTuple):
    """Windows as recorded, with the votes of the experts."""

    eeg: Float[Tensor, "batch electrode time"]
    """µV, 20 channels in the order of `electrodes.ELECTRODES`, 200 Hz; NaN where nothing was recorded."""
    spectrogram: Float[Tensor, "batch region time frequency"] | None
    """µV²/Hz, regions LL RL LP RP, a row per 2 s; None if no extractor reads it."""
    target: Float[Tensor, "batch class"]
    """Each class's share of the votes, in the order of `labels.CLASSES`; sums to 1."""
    weight: Float[Tensor, " batch"]
    """Weight of the row in the loss (`labels.vote_weight`)."""
    label_id: Int[Tensor, " batch"]
    """The `label_id` of the row in train.csv."""


class Signals(NamedTuple):
    """Windows after preprocessing, ready for the extractors."""

    pairs: Float[Tensor, "batch pair time"]
    """Filtered and scaled differences between electrodes, roughly of unit size; no NaN."""
    images: Float[Tensor, "batch image time frequency"] | None
    """Ten normalised log images of the regional spectrogram (`spectrogram_images`); no NaN; None as in `Batch`."""
    target: Float[Tensor, "batch class"]
    weight: Float[Tensor, " batch"]


class Features(NamedTuple):
    """What one extractor computed from each window."""

    vector: Float[Tensor, "batch feature"]
    """A summary of the window, for a fusion that reads one vector per extractor."""
    tokens: Float[Tensor, "batch token width"]
    """A vector per pair or per spectrogram image (the extractor's `token_kind`), in the order of `Signals`."""


class Logits(NamedTuple):
    """The output of a model for each window, over `labels.CLASSES`."""

    joint: Float[Tensor, "batch class"]
    """From all extractors together: the prediction."""
    by_extractor: dict[str, Float[Tensor, "batch class"]]
    """From each extractor's auxiliary head, for the loss only; empty if the model has no such heads."""


AnyBatch = TypeVar("AnyBatch", Batch, Signals)


def mapped(batch: AnyBatch, change: Callable[[Tensor], Tensor]) -> AnyBatch:
    """The batch with `change` applied to each of its tensors; what is None stays None."""
    changed: Any = [None if tensor is None else change(tensor) for tensor in batch]
    return type(batch)(*changed)


def joined(batches: Sequence[AnyBatch]) -> AnyBatch:
    """One batch of all windows, one batch after the other; what is None stays None."""
    columns: Any = zip(*batches, strict=True)
    whole: Any = (None if column[0] is None else torch.cat(column) for column in columns)
    return type(batches[0])(*whole)


def on_device(batch: Batch, device: str | torch.device) -> Batch:
    """A batch whose windows are on `device`; what is not needed to predict stays where it is."""
    eeg, spectrogram = batch.eeg.to(device, non_blocking=True), batch.spectrogram
    if spectrogram is not None:
        spectrogram = spectrogram.to(device, non_blocking=True)
    return batch._replace(eeg=eeg, spectrogram=spectrogram)


def in_float32(batch: Batch) -> Batch:
    """Windows as augmentations get them: in a store's half precision, the square of 256 µV is infinite."""
    spectrogram = None if batch.spectrogram is None else batch.spectrogram.float()
    return batch._replace(eeg=batch.eeg.float(), spectrogram=spectrogram)


def unlabelled(
    eeg: Float[Tensor, "batch electrode time"],
    spectrogram: Float[Tensor, "batch region row frequency"] | None,
    label_id: Int[Tensor, " batch"],
) -> Batch:
    """Windows that no expert has voted on, to predict and not to learn from."""
    target = eeg.new_full((len(eeg), len(CLASSES)), torch.nan, dtype=torch.float32)
    return Batch(eeg, spectrogram, target, target[:, 0], label_id)
