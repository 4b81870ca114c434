"""Predict probabilities with trained models: the single code path for out-of-fold rows, new files and all else."""

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
import polars as pl
import torch
from jaxtyping import Float, Int
from torch import Tensor

from hms.batch import Batch, on_device
from hms.data.store import Store
from hms.data.windows import Windows
from hms.labels import CLASSES
from hms.model import Model
from hms.prediction.keys import Precision
from hms.prediction.views import views_by_model
from hms.system.console import track
from hms.system.device import autocast, best_device, enough_memory
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
) -> Float[np.ndarray, "row class"]:
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
) -> tuple[Int[np.ndarray, " row"], Float[np.ndarray, "model row class"]]:
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


def _mean_of_views(logits: list[Float[Tensor, "model view _ class"]]) -> Float[np.ndarray, "model row class"]:
    return torch.cat(logits, dim=2).cpu().double().softmax(dim=-1).mean(dim=1).numpy()  # Apple's GPUs have no float64
