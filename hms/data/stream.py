"""Windows to predict, as batches read straight from their files: there is no store, and there are no votes.

A window begins where its file does. It is read, checked and rounded as for a store (`hms.data.corpus`), so that a model
sees just what it would see in training.
"""

from collections.abc import Collection, Iterator
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl
import torch

from hms.batch import Batch, unlabelled
from hms.data.corpus import BadFile, EegFile, eeg_files
from hms.data.silence import NO_SIGNAL_UV, centre_uv
from hms.errors import DataError
from hms.system.console import track
from hms.window_lengths import EEG_SAMPLES, SPECTROGRAM_ROWS


class Faults(NamedTuple):
    """What is wrong with the files of rows to predict."""

    bad: list[BadFile]
    """Those that cannot be used."""
    lacking: list[str]
    """A line for each EEG with scalp channels without samples, which can be predicted without these."""
    computed: list[str]
    """A line for each missing spectrogram file, in whose place one can be computed from the EEG."""
    silent: list[int]
    """EEGs without any signal in the centre of their window, which a prediction is about."""


def check(root: Path, rows: pl.DataFrame, with_spectrogram: bool) -> Faults:
    """Read all files that `rows` (from `tables.read_test`) name."""
    faults = Faults([], [], [], [])
    found = eeg_files(root, rows, "test", with_spectrogram)
    for file in track(found, len(rows), f"check {root.name}"):
        if isinstance(file, BadFile):
            faults.bad.append(file)
            continue
        if file.lacking:
            faults.lacking.append(file.lacking)
        if file.computed and file.computed not in faults.computed:
            faults.computed.append(file.computed)
        if not centre_uv(file.eeg[:EEG_SAMPLES].T) >= NO_SIGNAL_UV:  # NaN without 2 s of samples
            faults.silent.append(file.eeg_id)
    return faults


def batches(
    root: Path,
    rows: pl.DataFrame,
    batch_size: int,
    with_spectrogram: bool,
    lost: Collection[int] = (),
    purpose: str = "predict",
) -> Iterator[Batch]:
    """The windows of `rows` (in the order of `reading_order`), `batch_size` at a time, without the EEGs in `lost`.

    `label_id` holds the EEG's id; target and weight are NaN, and so are channels without samples. `purpose` is the
    title of the progress bar. Raises DataError at a file that cannot be used, unless its EEG is in `lost`.
    """
    found = iter(track(eeg_files(root, rows, "test", with_spectrogram), len(rows), purpose))
    while group := list(islice(found, batch_size)):
        if good := [_usable(file) for file in group if file.eeg_id not in lost]:
            yield _batch(good, with_spectrogram)


def reading_order(rows: pl.DataFrame) -> pl.DataFrame:
    """The rows in the order in which their files are read: those of a spectrogram together."""
    return pl.concat([rows[:0], *rows.partition_by("spectrogram_id", maintain_order=True)])


def _usable(found: EegFile | BadFile) -> EegFile:
    if isinstance(found, BadFile):
        raise DataError(found.problem)
    return found


def _batch(good: list[EegFile], with_spectrogram: bool) -> Batch:
    eeg = np.stack([file.eeg[:EEG_SAMPLES] for file in good])
    power = np.stack([file.spectrogram[:SPECTROGRAM_ROWS] for file in good]) if with_spectrogram else None
    return unlabelled(
        torch.from_numpy(eeg).transpose(1, 2),
        None if power is None else torch.from_numpy(power).transpose(1, 2),
        torch.tensor([file.eeg_id for file in good]),
    )
