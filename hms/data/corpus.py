"""Read a folder in the competition's layout: every EEG file that train.csv or test.csv names, checked.

With each comes the part of its ten-minute spectrogram that its rows use. If the folder has no `train_spectrograms/`
(`test_spectrograms/`), the spectrogram is computed from the EEG and is NaN where the EEG does not reach.
"""

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Literal, NamedTuple, Protocol, runtime_checkable

import numpy as np
import polars as pl
from jaxtyping import Float, Float16

from hms.data.files import lacking_samples, read_eeg, read_spectrogram
from hms.data.flaws import Flaws, flaws_of
from hms.data.half_precision import as_stored, eeg_as_stored
from hms.electrodes import SFREQ_HZ
from hms.errors import DataError
from hms.spectrogram_recipe import FREQUENCIES_HZ, REGIONS, STEP_S, TAPER_S, regional_spectrogram
from hms.system.console import counted
from hms.window_lengths import EEG_S, EEG_SAMPLES, LEAD_S, SPECTROGRAM_ROWS, SPECTROGRAM_S

_CHUNK = 32  # spectrograms read ahead: enough to keep the threads busy, in little memory

Part = Literal["train", "test"]
"""A part of a corpus: `train` has votes, `test` is to be predicted."""

Residence = bool | Literal["auto"]
"""Whether training keeps its windows on the GPU; with "auto", if they fit (`hms.data.resident`)."""


@runtime_checkable
class Folder(Protocol):
    """What a `data` option builds: a corpus in the competition's layout, created on demand."""

    root: Path
    resident: Residence

    def make(self) -> None:
        """Create the files, unless they exist."""


class CompetitionFolder:
    """The unpacked Kaggle download, or any folder in its layout, at `root`."""

    def __init__(self, root: str, resident: Residence):
        self.root, self.resident = Path(root), resident

    def make(self) -> None:
        """Raise DataError unless `root` is a folder."""
        if not self.root.is_dir():
            raise DataError(f"data.root: want a folder with train.csv, got '{self.root}' (no such folder)")


class EegFile(NamedTuple):
    """The content of an EEG file, and its spectrogram, in the precision of a store."""

    eeg_id: int
    eeg: Float16[np.ndarray, "time electrode"]
    """µV at 200 Hz."""
    spectrogram: Float16[np.ndarray, "row region frequency"]
    """µV²/Hz, a row per 2 s."""
    spectrogram_start_s: float
    """The spectrogram label offset of the first row."""
    flaws: Flaws
    lacking: str
    """A line that names the scalp channels without a single sample; empty if all have some."""
    computed: str = ""
    """A line that names the missing file in whose place the spectrogram is computed; empty if none is missing."""


class BadFile(NamedTuple):
    """A file that cannot be used, and the EEG lost with it."""

    eeg_id: int
    problem: str


def bad_file_table(root: Path, problems: Iterable[str], skipping: str) -> str:
    """A message that lists the problems of a corpus, each once, and says what `on_bad=skip` does.

    Several EEGs that share a bad spectrogram report the same problem.
    """
    distinct = dict.fromkeys(problems)
    head = f"{root}: {counted(len(distinct), 'bad file')}; on_bad=skip {skipping}"
    return "\n".join([head, *(f"  {problem}" for problem in distinct)])


def eeg_files(root: Path, rows: pl.DataFrame, part: Part, with_spectrogram: bool = True) -> Iterator[EegFile | BadFile]:
    """Every EEG of `rows` (from `tables.read_labels` or `read_test`), grouped by spectrogram; each file is read once.

    Without `with_spectrogram` the spectrograms are empty, and none of their files is read.
    """
    eegs = root / f"{part}_eegs"
    if not eegs.is_dir():
        raise DataError(f"{eegs}: no such folder; it holds <eeg_id>.parquet for every EEG of {part}.csv")
    groups = rows.partition_by("spectrogram_id", maintain_order=True)
    reader = _Reader(root, part, with_spectrogram)
    with ThreadPoolExecutor() as threads:  # Polars releases the GIL while it reads
        for first in range(0, len(groups), _CHUNK):
            for group in threads.map(reader.group, groups[first : first + _CHUNK]):
                yield from group


class _Reader(NamedTuple):
    """Where the files of a corpus are, and which of them to read."""

    root: Path
    part: Part
    with_spectrogram: bool

    def group(self, rows: pl.DataFrame) -> list[EegFile | BadFile]:
        """The EEGs of the rows of one spectrogram."""
        eegs = rows.partition_by("eeg_id", maintain_order=True)
        path = self.root / f"{self.part}_spectrograms" / f"{rows['spectrogram_id'][0]}.parquet"
        shared, computed = None, ""
        try:
            if self.with_spectrogram and path.parent.is_dir():
                shared = read_spectrogram(path)
        except DataError as error:
            if path.exists() or self.part == "train":  # where rows have another offset in the spectrogram
                return [BadFile(eeg["eeg_id"][0], str(error)) for eeg in eegs]
            computed = str(error)
        found = (self._eeg(eeg, path, shared) for eeg in eegs)
        return [file._replace(computed=computed) if isinstance(file, EegFile) else file for file in found]

    def _eeg(
        self, rows: pl.DataFrame, spectrogram_path: Path, shared: Float[np.ndarray, "row region frequency"] | None
    ) -> EegFile | BadFile:
        eeg_id = rows["eeg_id"][0]
        path = self.root / f"{self.part}_eegs" / f"{eeg_id}.parquet"
        try:
            eeg = read_eeg(path)
            starts = (rows["eeg_label_offset_seconds"].to_numpy() * SFREQ_HZ).round().astype(int)
            lacking = lacking_samples(path, eeg)
            self._want_reach(path, rows, "eeg_label_offset_seconds", EEG_S, len(eeg) / SFREQ_HZ)
            if shared is None:
                empty = np.empty((0, len(REGIONS), len(FREQUENCIES_HZ)), np.float32)
                power = as_stored(_computed_spectrogram(eeg) if self.with_spectrogram else empty)
                return EegFile(eeg_id, eeg_as_stored(eeg), power, 0.0, flaws=flaws_of(eeg, starts), lacking=lacking)
            offsets_s = rows["spectrogram_label_offset_seconds"]
            self._want_reach(spectrogram_path, rows, offsets_s.name, SPECTROGRAM_S, len(shared) * STEP_S)
        except DataError as error:
            return BadFile(eeg_id, str(error))
        first, last = (int(offset_s) // STEP_S for offset_s in (offsets_s.min(), offsets_s.max()))  # type: ignore[arg-type]
        power = as_stored(shared[first : last + SPECTROGRAM_ROWS])
        return EegFile(eeg_id, eeg_as_stored(eeg), power, first * STEP_S, flaws=flaws_of(eeg, starts), lacking=lacking)

    def _want_reach(self, path: Path, rows: pl.DataFrame, column: str, window_s: int, duration_s: float) -> None:
        # An odd spectrogram offset lies between two rows; the earlier one is used.
        line, start_s = rows["line", column].row(rows[column].arg_max() or 0)
        end_s = start_s // STEP_S * STEP_S + window_s if window_s == SPECTROGRAM_S else start_s + window_s
        if end_s > duration_s:
            hint = "" if window_s == SPECTROGRAM_S else "; wrong sampling rate?"
            raise DataError(
                f"{path}: want at least {end_s:g} s for {self.part}.csv line {line} "
                f"({column} {start_s:g} + {window_s} s), got {duration_s:g} s{hint}"
            )


def _computed_spectrogram(eeg: Float[np.ndarray, "time electrode"]) -> Float[np.ndarray, "row region frequency"]:
    known = regional_spectrogram(eeg).transpose(1, 0, 2)
    first = (LEAD_S + TAPER_S // 2) // STEP_S  # the first row, by its centre, that is known
    rows = SPECTROGRAM_ROWS + (len(eeg) - EEG_SAMPLES) // (STEP_S * SFREQ_HZ)
    spectrogram = np.full((rows, *known.shape[1:]), np.nan, np.float32)
    spectrogram[first : first + len(known)] = known
    return spectrogram
