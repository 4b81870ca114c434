"""Say what a collected corpus holds, and which commands come next."""

from collections.abc import Iterator
from pathlib import Path

import polars as pl

from hms.config.described import defaults
from hms.config.words import for_shell
from hms.data.tables import read_labels
from hms.labels import HIGH_VOTES, VOTE_COLUMNS
from hms.system.console import counted


def summary(out: Path) -> Iterator[str]:
    """A line on what the corpus at `out` holds, then the commands that score a model on it and train one."""
    rows, origins = read_labels(out / "train.csv"), pl.read_csv(out / "recordings.csv", glob=False)
    patients = rows["patient_id"].n_unique()
    of = f"{counted(origins['recording'].n_unique(), 'recording')}, {counted(patients, 'patient')}"
    yield f"{out}: {counted(len(rows), 'label')}, {counted(len(origins), 'EEG')}, {of}; next:"
    data = f"data=competition {for_shell('data.root', str(out))}"
    yield f"  python -m hms.evaluate runs/<name>-<hash> {data}"
    best = rows.with_columns(votes=pl.sum_horizontal(VOTE_COLUMNS)).group_by("eeg_id").agg(pl.col("votes").max())
    few = " subset=all_votes" if (best["votes"] < HIGH_VOTES).any() else ""
    count = min(patients, defaults()["folds"])
    folds = f" folds={count}" if count < defaults()["folds"] else ""
    words = f"-m experiment=quick 'fold=range(0,{count})'{folds}" if patients > 1 else "experiment=quick fold=all"
    yield f"  python -m hms.train {words} {data}{few}"
