"""Predict probabilities with trained models: the single code path for out-of-fold rows, new files and all else."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
import polars as pl
import torch
from jaxtyping import Float, Int
from torch import Tensor

from hms.batch import Batch
from hms.data.store import Store
from hms.data.windows import Windows
from hms.errors import UserError, first_line
from hms.labels import CLASSES
from hms.model import Model
from hms.prediction.keys import Precision
from hms.prediction.views import views_by_model
from hms.system.console import track
from hms.system.memory import keep_freed

_MOST_UNREAD = 256
"""Batches whose results wait on the device, to bound the memory that they take."""


class Compute(NamedTuple):
    """How models compute."""

    device: str | torch.device
    flips: bool
    """See every window four times: as it is, mirrored left to right, front to back, and both."""
    precision: Precision = "32-true"


def compute_of(config: dict[str, Any]) -> Compute:
    """What a config asks for, on this machine. Raises UserError as `best_device` does."""
    return Compute(best_device(config["accelerator"]), config["flips"], config["precision"])


def probabilities(
    models: Iterable[Model], store: Store, rows: pl.DataFrame, batch_size: int, compute: Compute
) -> Float[np.ndarray, "row label"]:
    """The class probabilities of each row, averaged over the models; `rows` is a part of `store.rows`."""
    if rows.is_empty():
        return np.empty((0, len(CLASSES)))
    members = list(models)
    windows = Windows(store, rows, any(model.reads_spectrogram for model in members))
    loader = windows.loader(batch_size)
    _, predicted = by_model(members, track(loader, len(loader), "predict"), compute)
    return predicted.mean(axis=0)


def by_model(
    models: Iterable[Model], batches: Iterable[Batch], compute: Compute
) -> tuple[Int[np.ndarray, " row"], Float[np.ndarray, "model row label"]]:
    """The `label_id` of each row of the batches, and the probabilities, in float64, that each model gives it.

    With flips they are means over the four views of a window.
    """
    keep_freed()
    members = [model.eval().to(compute.device) for model in models]
    ids, predicted, unread = [], [], []
    with torch.inference_mode(), enough_memory("a smaller batch_size or precision=16-mixed"):
        for batch in batches:
            with autocast(compute.device, compute.precision):
                seen = views_by_model(members, on_device(batch, compute.device), compute.flips)
                logits = [torch.stack([model.classify(view).joint for view in views]) for model, views in seen]
            unread.append(torch.stack(logits))  # on the device: the next batch does not wait for this one
            ids.append(batch.label_id)
            if len(unread) == _MOST_UNREAD:
                predicted.append(_mean_of_views(unread))
                unread = []
        if unread:
            predicted.append(_mean_of_views(unread))
    return torch.cat(ids).cpu().numpy(), np.concatenate(predicted, axis=1)


def _mean_of_views(logits: list[Float[Tensor, "model view _ label"]]) -> Float[np.ndarray, "model row label"]:
    return torch.cat(logits, dim=2).cpu().double().softmax(dim=-1).mean(dim=1).numpy()  # Apple's GPUs have no float64


@contextmanager
def enough_memory(instead: str) -> Iterator[None]:
    """Raise UserError that suggests `instead` if the device has too little memory."""
    try:
        yield
    except torch.OutOfMemoryError as error:
        raise UserError(f"this needs more memory than the GPU has ({first_line(error)}); try {instead}") from None


def autocast(device: str | torch.device, precision: Precision) -> torch.autocast:
    """A context in which a model computes in `precision`, as with Lightning's trainer."""
    dtype = half_dtype(precision)
    return torch.autocast(torch.device(device).type, dtype, enabled=dtype is not None)


def half_dtype(precision: str | int) -> torch.dtype | None:
    """The 16-bit type that a precision, by any of Lightning's names, computes in; None if it is not half."""
    return {"16": torch.float16, "bf16": torch.bfloat16}.get(str(precision).removesuffix("-mixed"))


def on_device(batch: Batch, device: str | torch.device) -> Batch:
    """A batch whose windows are on `device`; what is not needed to predict stays where it is."""
    eeg, spectrogram = batch.eeg.to(device, non_blocking=True), batch.spectrogram
    if spectrogram is not None:
        spectrogram = spectrogram.to(device, non_blocking=True)
    return batch._replace(eeg=eeg, spectrogram=spectrogram)


def best_device(accelerator: str) -> str:
    """The torch device of this machine for `accelerator` (auto, cpu or gpu). Raises UserError if it has none."""
    gpu = torch.accelerator.current_accelerator(check_available=True)
    available = {"cpu": "cpu", "auto": gpu.type if gpu else "cpu"} | ({"gpu": gpu.type} if gpu else {})
    if accelerator not in available:
        raise UserError(f"accelerator: want {' or '.join(available)} on this machine, got '{accelerator}'")
    return available[accelerator]
