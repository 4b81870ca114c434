"""Probabilities from trained models: the one way, for out-of-fold rows, for new files and for any other."""

import itertools
from collections.abc import Iterable, Iterator

import numpy as np
import polars as pl
import torch
from jaxtyping import Float, Int

from hms.augmentation.brain_flip import flip
from hms.batch import Batch
from hms.console import track
from hms.ensemble.choices import Precision
from hms.errors import UserError
from hms.labels import CLASSES
from hms.memory import keep_freed
from hms.model import Model
from hms.store import Store
from hms.windows import Windows


def probabilities(
    models: Iterable[Model], store: Store, rows: pl.DataFrame, batch_size: int, device: str | torch.device, flips: bool
) -> Float[np.ndarray, "row label"]:
    """Mean over the models of each row's class probabilities; `rows` is a part of `store.rows`."""
    if rows.is_empty():
        return np.empty((0, len(CLASSES)))
    members = list(models)
    windows = Windows(store, rows, any(model.reads_spectrogram for model in members))
    loader = windows.loader(batch_size)
    _, found = by_model(members, track(loader, len(loader), "predict"), device, flips)
    return found.mean(axis=0)


def by_model(
    models: Iterable[Model],
    batches: Iterable[Batch],
    device: str | torch.device,
    flips: bool,
    precision: Precision = "32-true",
) -> tuple[Int[np.ndarray, " row"], Float[np.ndarray, "model row label"]]:
    """The `label_id` of each row of the batches, and what each model says of it.

    With `flips` each model sees every window four times, mirrored left to right, front to back, both and as it is.
    Models compute in `precision`; what comes out is float64.
    """
    keep_freed()
    members = [model.eval().to(device) for model in models]
    ids, found = [], []
    with torch.inference_mode():
        for batch in batches:
            seen = views(batch, device, flips)
            with mixed(device, precision):
                logits = torch.stack([torch.stack([model(view) for view in seen]) for model in members])
            found.append(logits.cpu().double().softmax(dim=-1).mean(dim=1))  # on the CPU: Apple's GPUs have no doubles
            ids.append(batch.label_id)
    return torch.cat(ids).numpy(), torch.cat(found, dim=1).numpy()


def mixed(device: str | torch.device, precision: Precision) -> torch.autocast:
    """Within it a model computes in `precision`, as Lightning's trainer would let it."""
    dtype = half(precision)
    return torch.autocast(torch.device(device).type, dtype, enabled=dtype is not None)


def half(precision: str | int) -> torch.dtype | None:
    """What a precision computes in where that is half, by any of Lightning's names."""
    return {"16": torch.float16, "bf16": torch.bfloat16}.get(str(precision).removesuffix("-mixed"))


def views(batch: Batch, device: str | torch.device, flips: bool) -> list[Batch]:
    """A batch as models see it on `device`: once, or with `flips` four times."""
    eeg, spectrogram = batch.eeg.to(device, non_blocking=True), batch.spectrogram
    if spectrogram is not None:
        spectrogram = spectrogram.to(device, non_blocking=True)
    on_device = batch._replace(eeg=eeg, spectrogram=spectrogram)
    return list(_flipped(on_device)) if flips else [on_device]


def _flipped(batch: Batch) -> Iterator[Batch]:
    no = torch.zeros(len(batch.eeg), dtype=torch.bool, device=batch.eeg.device)
    for left_right, front_back in itertools.product((no, ~no), repeat=2):
        yield flip(batch, left_right, front_back)


def best_device(accelerator: str) -> str:
    """`accelerator` (auto, cpu or gpu) as a torch device of this machine. Raises UserError for one it has not."""
    found = torch.accelerator.current_accelerator(check_available=True)
    here = {"cpu": "cpu", "auto": found.type if found else "cpu"} | ({"gpu": found.type} if found else {})
    if accelerator not in here:
        raise UserError(f"accelerator: want {' or '.join(here)} on this machine, got '{accelerator}'")
    return here[accelerator]
