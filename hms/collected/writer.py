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
    """Write a corpus into `folder`, one recording after the other."""

    def __init__(self, folder: Path):
        self.rows: _Rows = []
        """Those of train.csv."""
        self._origins: dict[int, dict[str, Any]] = {}  # by eeg_id
        self._folders = {write_eeg: folder / "train_eegs", write_spectrogram: folder / "train_spectrograms"}
        self._folder = folder
        for path in self._folders.values():
            path.mkdir()

    def add(self, recording: Recording, labels: pl.DataFrame) -> list[float]:
        """Write the EEGs around the labels of a recording; return the onsets at which nothing was recorded.

        Raises DataError, and leaves nothing of the recording behind, if it cannot be read to its end.
        """
        votes = dict(zip(labels["onset_s"], labels.select(VOTE_COLUMNS).iter_rows(), strict=True))
        name, patient = labels["recording"][0], labels["patient"][0]
        whose = {"patient_id": patient_number(patient)}
        rows: _Rows = []
        origins: dict[int, dict[str, Any]] = {}
        lost_s = dict.fromkeys(votes)
        try:
            for cut in cuts(recording, [*votes]):
                eeg_id = _number_of(cut.eeg.tobytes())  # whatever the patient is called
                origin = {"eeg_id": eeg_id, "recording": name, "start_s": cut.start_s, **whose, "patient": patient}
                if twin := origins.get(eeg_id, self._origins.get(eeg_id)):
                    there = f"'{twin['recording']}' of patient {twin['patient']!r}"
                    raise DataError(f"{recording.path}: want each EEG once, got one that is in {there}, too")
                origins[eeg_id] = origin
                for (write, folder), samples in zip(self._folders.items(), (cut.eeg, cut.power), strict=True):
                    write(folder / f"{eeg_id}.parquet", samples)
                rows += _label_rows(cut, eeg_id, whose, votes)
                for onset_s in cut.onsets_s:
                    del lost_s[onset_s]
        except DataError:
            for eeg_id in origins:
                for folder in self._folders.values():
                    (folder / f"{eeg_id}.parquet").unlink()
            raise
        self.rows += rows
        self._origins |= origins
        return [*lost_s]

    def finish(self) -> None:
        """Write the tables, train.csv last."""
        pl.DataFrame([*self._origins.values()], _ORIGINS).write_csv(self._folder / "recordings.csv")
        pl.DataFrame(self.rows, LABEL_COLUMNS).write_csv(self._folder / "train.csv")


def _label_rows(
    cut: Cut, eeg_id: int, whose: Mapping[str, int], votes: Mapping[float, tuple[int, ...]]
) -> Iterator[dict[str, Any]]:
    """One row of train.csv for each label of an EEG; `votes` has the six counts of each, by its onset."""
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
            "label_id": _number_of(f"{eeg_id} {eeg_s}".encode()),
            **whose,
            "expert_consensus": CONSENSUS_NAMES[counts.index(max(counts))],  # the first if tied, as in the real file
            **dict(zip(VOTE_COLUMNS, counts, strict=True)),
        }


def patient_number(name: str) -> int:
    """A whole number as it is, or else a hash: the same for a patient whoever else is in the corpus."""
    whole = name.isascii() and name.isdigit() and len(name) < 19 and str(int(name)) == name
    return int(name) if whole else _number_of(f"patient {name}".encode())


def _number_of(content: bytes) -> int:
    """A hash, by which the same EEG, patient or label of another corpus is recognised (`hms.runs.leakage`)."""
    return int.from_bytes(hashlib.blake2b(content, digest_size=6).digest(), "big")
