"""A whole simulated corpus: a folder in the competition's layout, plus the truth, which the competition never had.

Every recording depends on the seed and its own number alone, so the bytes are the same for any number of workers, and
after an interruption. Files are written under a temporary name and renamed; train.csv comes last.

The test part, whose patients occur nowhere else, is present twice: in the competition's form, and with votes and truth
as a labelled folder `test/`, which `hms.evaluate` scores like any other.
"""

import json
import shutil
from functools import partial
from pathlib import Path
from time import monotonic
from typing import Any, Literal

import polars as pl

from hms.data.corpus import Residence
from hms.data.files import write_eeg, write_spectrogram
from hms.errors import DataError, UserError
from hms.labels import CLASSES, VOTE_COLUMNS
from hms.ranges import want_at_least
from hms.simulate.plan import RecordingPlan, Size, make_plan
from hms.simulate.recording import SimulatedRecording
from hms.simulate.rows import label_rows
from hms.system.atomic import locked, write_table, write_text
from hms.system.console import counted, say, track
from hms.system.reading import read_json
from hms.system.shards import Shard
from hms.system.workers import in_workers

FORMAT = 11
"""Raise it whenever the same settings would give different bytes."""

SizeName = Literal["tiny", "small", "medium", "large"]

SIZES: dict[SizeName, Size] = {
    "tiny": Size(patients=12, high_eegs=18, low_eegs=6, test_eegs=2, skew=0.5),
    "small": Size(patients=200, high_eegs=1000, low_eegs=100, test_eegs=200, skew=0.9),
    "medium": Size(patients=560, high_eegs=3000, low_eegs=300, test_eegs=500, skew=1.0),
    "large": Size(patients=1200, high_eegs=3600, low_eegs=6700, test_eegs=1000, skew=1.45),
}
"""tiny: for tests. small: the demo, a minute on two cores. large: skewed like the real corpus, 35 % with many votes."""

_WORK = ".work"


class SimulatedFolder:
    """A folder in the competition's layout, simulated on first use.

    `root` is its path. `workers` processes simulate it: one per core by default; with 1 this process does all the work.
    """

    def __init__(
        self, root: str, size: SizeName, seed: int = 0, workers: int | None = None, resident: Residence = "auto"
    ):
        if size not in SIZES:
            raise ValueError(f"size: want one of {', '.join(SIZES)}, got {size!r}")
        want_at_least(0, seed=seed)
        if workers is not None:
            want_at_least(1, workers=workers)
        self.root = Path(root)
        self.size: SizeName = size
        self.seed = seed
        self.workers, self.resident = workers, resident

    def make(self) -> None:
        """Simulate whatever is missing; do nothing if the folder is complete and has the same settings.

        Workers are spawned, so a script must call this under `if __name__ == "__main__":`.
        """
        train_csv = self.root / "train.csv"
        if train_csv.exists() and not (self.root / _WORK).exists():
            self._claim()
            return
        self.root.parent.mkdir(parents=True, exist_ok=True)
        with locked(self.root, f"simulating {self.root}"):
            self._claim()
            if not train_csv.exists():
                self._simulate()
            shutil.rmtree(self.root / _WORK, ignore_errors=True)

    def make_shard(self, shard: Shard) -> bool:
        """Simulate every `shard.of`-th recording; the last shard finishes the corpus. Return whether it is complete."""
        self.root.parent.mkdir(parents=True, exist_ok=True)
        plans, train_csv = make_plan(SIZES[self.size], self.seed), self.root / "train.csv"
        doing = f"writing to {self.root}"
        with locked(self.root, doing):
            self._claim()
            if train_csv.exists():
                shutil.rmtree(self.root / _WORK, ignore_errors=True)
                return True
            self._make_folders()
        try:
            self._record(plans[shard.number :: shard.of])
        except UserError:
            if not train_csv.exists():  # else another process has finished the corpus and removed the working folder
                raise
        with locked(self.root, doing):
            if not train_csv.exists():
                if missing := sum(not _rows_path(self.root, plan).exists() for plan in plans):
                    left = counted(missing, "recording")
                    say(f"shard {shard.number} of {shard.of} is done; {left} left to other shards")
                    return False
                self._finish(plans)
            shutil.rmtree(self.root / _WORK, ignore_errors=True)
        return True

    def _simulate(self) -> None:
        begun = monotonic()
        plans = make_plan(SIZES[self.size], self.seed)
        self._make_folders()
        self._record(plans)
        self._finish(plans)
        eegs = sum(len(plan.eegs) for plan in plans)
        say(f"simulated {eegs} EEGs in {self.root} ({monotonic() - begun:.0f} s)")

    def _claim(self) -> None:
        """Claim an empty folder, or one with the same settings; raise DataError for any other."""
        path = self.root / "corpus.json"
        asked = {"format": FORMAT, "size": self.size, "seed": self.seed}
        if path.exists():
            held = read_json(path)
            if held == asked:
                return
            wish = f"asked for {_listed(asked)}: delete it or choose another data.root"
            raise DataError(f"{self.root}: holds a simulated corpus of {_listed(held)}; {wish}")
        if self.root.exists() and any(not file.name.startswith(f".{path.name}.") for file in self.root.iterdir()):
            wish = "to read them, add data=competition; to simulate, choose another data.root"
            raise DataError(f"{self.root}: holds files that were not simulated; {wish}")
        self.root.mkdir(parents=True, exist_ok=True)
        write_text(path, json.dumps(asked) + "\n")

    def _make_folders(self) -> None:
        for folder in (_WORK, *(f"{part}_{kind}" for part in ("train", "test") for kind in ("eegs", "spectrograms"))):
            (self.root / folder).mkdir(exist_ok=True)

    def _record(self, plans: list[RecordingPlan]) -> None:
        """Simulate the recordings that are still missing."""
        left = [plan for plan in plans if not _rows_path(self.root, plan).exists()]
        make_one = partial(_make_recording, self.root, self.seed)
        for _ in track(in_workers(make_one, left, self.workers), len(left), f"simulate {self.root}"):
            pass

    def _finish(self, plans: list[RecordingPlan]) -> None:
        """Collect the rows of all recordings into the tables, train.csv last."""
        rows: dict[str, list[dict[str, Any]]] = {"train": [], "test": []}
        for plan in plans:
            rows["test" if plan.group == "test" else "train"].extend(
                json.loads(_rows_path(self.root, plan).read_text())
            )
        train = pl.DataFrame(rows["train"]).sort("eeg_id", "eeg_sub_id")
        test = pl.DataFrame(rows["test"]).sort("eeg_id")
        write_table(self.root / "truth.parquet", train.select("label_id", *CLASSES))
        write_table(self.root / "test_truth.parquet", test.select("eeg_id", *CLASSES))
        write_table(self.root / "test.csv", test.select("spectrogram_id", "eeg_id", "patient_id"))
        uniform = [pl.lit(1 / len(CLASSES)).alias(column) for column in VOTE_COLUMNS]
        write_table(self.root / "sample_submission.csv", test.select("eeg_id", *uniform))
        labelled = self.root / "test"
        labelled.mkdir(exist_ok=True)
        for kind in ("eegs", "spectrograms"):
            if not (labelled / f"train_{kind}").is_symlink():
                (labelled / f"train_{kind}").symlink_to(f"../test_{kind}", target_is_directory=True)
        write_table(labelled / "truth.parquet", test.select("label_id", *CLASSES))
        write_table(labelled / "train.csv", test.drop(CLASSES))
        write_table(self.root / "train.csv", train.drop(CLASSES))


def _make_recording(root: Path, seed: int, plan: RecordingPlan) -> None:
    """Write all files of one recording, its rows last: they mark the recording as complete."""
    part = "test" if plan.group == "test" else "train"
    recording = SimulatedRecording(plan, seed)
    eegs = [recording.eeg(number) for number in range(len(plan.eegs))]
    for eeg_plan, eeg in zip(plan.eegs, eegs, strict=True):
        write_eeg(root / f"{part}_eegs" / f"{eeg_plan.eeg_id}.parquet", eeg)
    write_spectrogram(root / f"{part}_spectrograms" / f"{plan.spectrogram_id}.parquet", recording.spectrogram(eegs))
    write_text(_rows_path(root, plan), json.dumps(label_rows(recording)))


def _rows_path(root: Path, plan: RecordingPlan) -> Path:
    return root / _WORK / f"{plan.number}.json"


def _listed(settings: dict[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in settings.items())
