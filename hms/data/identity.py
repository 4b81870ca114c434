"""Which corpus a folder in the competition's layout holds, found without reading any signal."""

import hashlib
import os
from pathlib import Path
from typing import NamedTuple

import polars as pl

from hms.data.tables import read_ids
from hms.errors import DataError

_FOLDERS = {"train_eegs": "eeg_id", "train_spectrograms": "spectrogram_id"}
"""The column of train.csv whose ids name the files of each folder."""


class Identity(NamedTuple):
    """Which corpus a folder holds."""

    fingerprint: str
    """A hash of train.csv and of the names and sizes of the files that it names."""
    changed_s: float
    """When the last of them changed, in seconds since 1970."""

    def changed_since(self, file: Path) -> bool:
        """Whether one of them is newer than a file that was made of them, so that its content may be another."""
        return self.changed_s > file.stat().st_mtime


def fingerprint(root: Path) -> str:
    """The fingerprint of the corpus in a folder, as `identify` finds it."""
    return identify(root).fingerprint


def identify(root: Path) -> Identity:
    """The corpus in a folder, without reading any signal.

    Raises DataError if train.csv is missing or lacks the columns of ids.
    """
    path = root / "train.csv"
    ids = read_ids(path, (*_FOLDERS.values(),))
    try:
        digest, changed_s = hashlib.blake2b(path.read_bytes(), digest_size=8), path.stat().st_mtime
        for folder, column in _FOLDERS.items():
            if (root / folder).is_dir():
                names = _file_names(ids[column])
                with os.scandir(root / folder) as entries:
                    found = sorted((entry.name, *_size_and_time(entry)) for entry in entries if entry.name in names)
                digest.update(repr([(name, size) for name, size, _ in found]).encode())
                changed_s = max([changed_s, *(time_s for _, _, time_s in found)])
    except OSError as error:
        raise DataError(f"{root}: cannot be read ({error})") from None
    return Identity(digest.hexdigest(), changed_s)


def _size_and_time(entry: os.DirEntry[str]) -> tuple[int, float]:
    """The size of a file, and when it changed; -1 and 0 for a link to nowhere."""
    try:
        status = entry.stat()
    except FileNotFoundError:
        return -1, 0.0
    return status.st_size, status.st_mtime


def unnamed_eegs(root: Path) -> int:
    """Count the EEG files of the training part that no row of train.csv names."""
    named = _file_names(read_ids(root / "train.csv", ("eeg_id",))["eeg_id"])
    return len({path.name for path in (root / "train_eegs").glob("[!.]*.parquet")} - named)


def _file_names(ids: pl.Series) -> set[str]:
    return {f"{number}.parquet" for number in ids.unique()}
