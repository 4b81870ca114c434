"""Write the files of a corpus: an EEG and a spectrogram for each cut, then train.csv, and where each EEG comes from."""

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import polars as pl

from hms.collected.cut import Cut, cuts
from hms.data.files import write_eeg, write_spectrogram
from hms.data.tables import LABEL_COLUMNS
from hms.errors import DataError
from hms.labels import CONSENSUS_NAMES, VOTE_COLUMNS
from hms.recording.recording import Recording

_ORIGINS = {
    "eeg_id": pl.Int64,
    "recording": pl.String,
    "start_s": pl.Float64,
    "patient_id": pl.Int64,
    "patient": pl.String,
}
"""Columns and types of recordings.csv."""

_Rows = list[dict[str, Any]]


class Writer:
    """Write a corpus into `folder`, one recording after the other; labels are numbered from 1 in that order.

    `labels` are those of all recordings (`hms.collected.places.added_up`).
    """

    def __init__(self, folder: Path, labels: pl.DataFrame):
        self.rows: _Rows = []
        """Those of train.csv."""
        self._origins: _Rows = []
        self._folders = {write_eeg: folder / "train_eegs", write_spectrogram: folder / "train_spectrograms"}
        self._folder, self._patients = folder, patient_numbers(labels["patient"])
        for path in self._folders.values():
            path.mkdir()

    def add(self, recording: Recording, labels: pl.DataFrame) -> int:
        """Write the EEGs around the labels of a recording; return how many labels lie where none was recorded.

        Raises DataError, and leaves nothing of the recording behind, if it cannot be read to its end.
        """
        votes = dict(zip(labels["onset_s"], labels.select(VOTE_COLUMNS).iter_rows(), strict=True))
        name, patient = labels["recording"][0], labels["patient"][0]
        file = f"{name} {recording.path.stat().st_size}"
        whose = {"patient_id": self._patients[patient]}
        rows: _Rows = []
        origins: _Rows = []
        try:
            for cut in cuts(recording, [*votes]):
                eeg_id = _number_of(f"{file} {cut.start_s}")
                origins.append(
                    {"eeg_id": eeg_id, "recording": name, "start_s": cut.start_s, **whose, "patient": patient}
                )
                for (write, folder), samples in zip(self._folders.items(), (cut.eeg, cut.power), strict=True):
                    write(folder / f"{eeg_id}.parquet", samples)
                rows += _label_rows(cut, eeg_id, len(self.rows) + len(rows) + 1, whose, votes)
        except DataError:
            for origin in origins:
                for folder in self._folders.values():
                    (folder / f"{origin['eeg_id']}.parquet").unlink()
            raise
        self.rows += rows
        self._origins += origins
        return len(votes) - len(rows)

    def finish(self) -> None:
        """Write the tables, train.csv last."""
        pl.DataFrame(self._origins, _ORIGINS).write_csv(self._folder / "recordings.csv")
        pl.DataFrame(self.rows, LABEL_COLUMNS).write_csv(self._folder / "train.csv")


def _label_rows(
    cut: Cut, eeg_id: int, first: int, whose: Mapping[str, int], votes: Mapping[float, tuple[int, ...]]
) -> Iterator[dict[str, Any]]:
    """One row of train.csv for each label of an EEG, the first of which has the number `first`.

    `votes` has the six counts of each label, by its onset.
    """
    offsets = zip(cut.onsets_s, cut.eeg_offsets_s, cut.spectrogram_offsets_s, strict=True)
    for number, (onset_s, eeg_s, spectrogram_s) in enumerate(offsets):
        counts = votes[onset_s]
        yield {
            "eeg_id": eeg_id,
            "eeg_sub_id": number,
            "eeg_label_offset_seconds": eeg_s,
            "spectrogram_id": eeg_id,
            "spectrogram_sub_id": number,
            "spectrogram_label_offset_seconds": spectrogram_s,
            "label_id": first + number,
            **whose,
            "expert_consensus": CONSENSUS_NAMES[counts.index(max(counts))],  # the first if tied, as in the real file
            **dict(zip(VOTE_COLUMNS, counts, strict=True)),
        }


def _number_of(eeg: str) -> int:
    """The id of an EEG: a hash, as the same ids of EEGs and patients mean the same EEG (`hms.runs.leakage`)."""
    return int.from_bytes(hashlib.blake2b(eeg.encode(), digest_size=6).digest(), "big")


def patient_numbers(patients: pl.Series) -> dict[str, int]:
    """A whole number for each patient: itself if all are whole numbers, or else 1, 2 ... in the order of the names."""
    names = patients.unique().sort().to_list()
    whole = {name: int(name) for name in names if name.isascii() and name.isdigit() and len(name) < 19}
    if len({*whole.values()}) == len(names):
        return whole
    return {name: number for number, name in enumerate(names, start=1)}
