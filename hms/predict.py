"""Probabilities from trained models: the one way, for out-of-fold rows and for any other."""

import itertools
from collections.abc import Iterable, Iterator

import numpy as np
import polars as pl
import torch
from jaxtyping import Float

from hms.augmentation.brain_flip import flip
from hms.batch import Batch
from hms.console import track
from hms.errors import UserError
from hms.model import Model
from hms.store import Store
from hms.windows import Windows


def probabilities(
    models: Iterable[Model], store: Store, rows: pl.DataFrame, batch_size: int, device: str | torch.device, flips: bool
) -> Float[np.ndarray, "row label"]:
    """Mean over the models of each row's class probabilities; `rows` is a part of `store.rows`.

    With `flips` each model sees every window four times, mirrored left to right, front to back, both and as it is.
    """
    members = [model.eval().to(device) for model in models]
    windows = Windows(store, rows, any(model.reads_spectrogram for model in members))
    loader = windows.loader(batch_size)
    found = []
    with torch.inference_mode():
        for batch in track(loader, len(loader), "predict"):
            on_device = batch._replace(
                eeg=batch.eeg.to(device),
                spectrogram=None if batch.spectrogram is None else batch.spectrogram.to(device),
            )
            views = list(_flipped(on_device)) if flips else [on_device]
            each = [model(view).double().softmax(dim=1) for model in members for view in views]
            found.append(torch.stack(each).mean(dim=0).cpu())
    return torch.cat(found).numpy()


def _flipped(batch: Batch) -> Iterator[Batch]:
    for left_right, front_back in itertools.product((False, True), repeat=2):
        marks = torch.tensor([left_right, front_back], device=batch.eeg.device).expand(len(batch.eeg), 2)
        yield flip(batch, marks[:, 0], marks[:, 1])


def best_device(accelerator: str) -> str:
    """`accelerator` (auto, cpu or gpu) as a torch device of this machine. Raises UserError for one it has not."""
    found = torch.accelerator.current_accelerator(check_available=True)
    here = {"cpu": "cpu", "auto": found.type if found else "cpu"} | ({"gpu": found.type} if found else {})
    if accelerator not in here:
        raise UserError(f"accelerator: want {' or '.join(here)} on this machine, got '{accelerator}'")
    return here[accelerator]
