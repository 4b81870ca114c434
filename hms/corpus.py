"""Walk through a folder in the competition's layout: every recording that train.csv names, checked.

A recording is one EEG with the part of its ten-minute spectrogram that its rows use. Where the folder has no
`train_spectrograms/`, the spectrogram is computed from the EEG and is NaN where the EEG does not reach.
"""

import hashlib
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np
import polars as pl
from jaxtyping import Float

from hms.electrodes import SFREQ_HZ
from hms.errors import DataError
from hms.files import read_eeg, read_spectrogram
from hms.spectrogram_recipe import STEP_S, regional_spectrogram

EEG_WINDOW = 50 * SFREQ_HZ
"""Samples in the EEG window of a row; experts labelled its central 10 s."""

SPECTROGRAM_WINDOW = 600 // STEP_S
"""Rows in the spectrogram window of a row; it shares its centre with the EEG window."""

_EEG_STARTS_S = 275  # second of the spectrogram window at which the EEG window begins
_CHUNK = 32  # spectrograms read ahead: enough for the threads, little memory


@runtime_checkable
class Folder(Protocol):
    """What a `data` option builds: a corpus in the competition's layout that can be made to exist."""

    root: Path

    def make(self) -> None:
        """Bring the files about, or do nothing when they are there."""


class CompetitionFolder:
    """The unpacked Kaggle download, or any folder in its layout, at `root`."""

    def __init__(self, root: str):
        self.root = Path(root)

    def make(self) -> None:
        """Raise DataError unless `root` is a folder."""
        if not self.root.is_dir():
            raise DataError(f"data.root: want a folder with train.csv, got '{self.root}' (no such folder)")


class Recording(NamedTuple):
    """One EEG file and its spectrogram."""

    eeg_id: int
    eeg: Float[np.ndarray, "time electrode"]
    """µV at 200 Hz."""
    spectrogram: Float[np.ndarray, "row region frequency"]
    """µV²/Hz, a row per 2 s."""
    spectrogram_start_s: float
    """Label offset that the first spectrogram row belongs to."""


class BadFile(NamedTuple):
    """A file that cannot be used, and the EEG that is lost with it."""

    eeg_id: int
    problem: str


def fingerprint(root: Path) -> str:
    """Identity of a corpus: a hash of train.csv and of all EEG and spectrogram names and sizes. Reads no signal.

    Raises DataError where there is no train.csv.
    """
    labels = root / "train.csv"
    if not labels.is_file():
        raise DataError(f"{labels}: no such file; a corpus is a folder with train.csv, train_eegs/ ...")
    try:
        digest = hashlib.blake2b(labels.read_bytes(), digest_size=8)
        for kind in ("train_eegs", "train_spectrograms"):
            if (root / kind).is_dir():
                with os.scandir(root / kind) as entries:
                    sizes = sorted((e.name, e.stat().st_size if os.path.exists(e) else -1) for e in entries)
                digest.update(repr(sizes).encode())
    except OSError as error:
        raise DataError(f"{root}: cannot be read ({error})") from None
    return digest.hexdigest()


def recordings(root: Path, labels: pl.DataFrame) -> Iterator[Recording | BadFile]:
    """Every EEG of `labels` (from `files.read_labels`), grouped by spectrogram, each file read once."""
    if not (root / "train_eegs").is_dir():
        raise DataError(f"{root / 'train_eegs'}: no such folder; it holds <eeg_id>.parquet for every EEG of train.csv")
    groups = labels.partition_by("spectrogram_id", maintain_order=True)
    with ThreadPoolExecutor() as threads:  # Polars lets go of the interpreter lock while it reads
        for first in range(0, len(groups), _CHUNK):
            for group in threads.map(lambda rows: _read_group(root, rows), groups[first : first + _CHUNK]):
                yield from group


def _read_group(root: Path, rows: pl.DataFrame) -> list[Recording | BadFile]:
    eegs = rows.partition_by("eeg_id", maintain_order=True)
    shared = None
    if (root / "train_spectrograms").is_dir():
        try:
            shared = read_spectrogram(root / "train_spectrograms" / f"{rows['spectrogram_id'][0]}.parquet")
        except DataError as error:
            return [BadFile(eeg["eeg_id"][0], str(error)) for eeg in eegs]
    return [_read_eeg(root, eeg, shared) for eeg in eegs]


def _read_eeg(
    root: Path, rows: pl.DataFrame, shared: Float[np.ndarray, "row region frequency"] | None
) -> Recording | BadFile:
    eeg_id = rows["eeg_id"][0]
    path = root / "train_eegs" / f"{eeg_id}.parquet"
    try:
        eeg = read_eeg(path)
        _check_reach(path, rows, "eeg_label_offset_seconds", 50, len(eeg) / SFREQ_HZ)
        if shared is None:
            return Recording(eeg_id, eeg, _computed_spectrogram(eeg), 0.0)
        offsets_s = rows["spectrogram_label_offset_seconds"]
        path = root / "train_spectrograms" / f"{rows['spectrogram_id'][0]}.parquet"
        _check_reach(path, rows, offsets_s.name, 600, len(shared) * STEP_S)
    except DataError as error:
        return BadFile(eeg_id, str(error))
    first, last = (int(offset_s) // STEP_S for offset_s in (offsets_s.min(), offsets_s.max()))  # type: ignore[arg-type]
    return Recording(eeg_id, eeg, shared[first : last + SPECTROGRAM_WINDOW], first * STEP_S)


def _check_reach(path: Path, rows: pl.DataFrame, column: str, window_s: int, duration_s: float) -> None:
    # An odd spectrogram offset points between two rows and uses the earlier one.
    last = rows.sort(column)[-1]
    end_s = last[column][0] // STEP_S * STEP_S + window_s if window_s == 600 else last[column][0] + window_s
    if end_s > duration_s:
        raise DataError(
            f"{path}: want at least {end_s:g} s for train.csv line {last['line'][0]} ({column} {last[column][0]:g} "
            f"+ {window_s} s), got {duration_s:g} s; another sampling rate?"
        )


def _computed_spectrogram(eeg: Float[np.ndarray, "time electrode"]) -> Float[np.ndarray, "row region frequency"]:
    known = regional_spectrogram(eeg).transpose(1, 0, 2)
    before = (_EEG_STARTS_S + 2) // STEP_S  # the first known row is centred 2 s into the EEG
    rows = SPECTROGRAM_WINDOW + (len(eeg) - EEG_WINDOW) // (STEP_S * SFREQ_HZ)
    spectrogram = np.full((rows, *known.shape[1:]), np.nan, np.float32)
    spectrogram[before : before + len(known)] = known
    return spectrogram
