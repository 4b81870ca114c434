"""Check the runs that teach a student, and tell whether a run is one.

Were a teacher's fold missing, what a student learns would depend on when it started.
"""

from pathlib import Path

import polars as pl

from hms.errors import UserError
from hms.folder_names import FoldName, folds_with
from hms.runs.folder import is_finished, is_of_all_patients
from hms.runs.provenance import read_config, start_of
from hms.runs.settings import teacher_files, teachers
from hms.system.reading import read_table

LEARNED_FROM_TEACHER = "learned from a teacher that saw the held-out patients, so its KL looks too good."
"""What to know about a student's KL; the name of the run goes before it."""


def learned_from_teacher(fold: Path) -> bool:
    """Whether a fold is a student's, or began with a student's weights."""
    return bool(teachers(read_config(fold)) or start_of(fold).get("student"))


def want_same_corpus(runs: list[str], windows: pl.Series) -> None:
    """Raise UserError for a run that predicted none of the `windows` (label ids) of a student's corpus."""
    for run in map(Path, runs):
        if not any(windows.is_in(read_table(file)["label_id"].implode()).any() for file in teacher_files(run)):
            raise UserError(
                f"teacher_labels.runs: want runs that predicted windows of this corpus, {run} knows none of its "
                f"{len(windows)}"
            )


def want_all_folds(runs: list[str], wish: str) -> None:
    """Raise UserError unless each run has finished all folds of each seed it has started, apart from fold=all.

    The error begins with `wish`.
    """
    for run in map(Path, runs):
        started = [fold for fold in folds_with(run, "config.yaml") if not is_of_all_patients(fold)]
        if not started:
            continue
        config = read_config(started[0])
        folds = 1 if config.get("live") else config["folds"]
        seeds = sorted({name.seed for fold in started if (name := FoldName.parse(fold.name))})
        needed = [str(FoldName(fold, seed)) for seed in seeds for fold in range(folds)]
        if missing := [name for name in needed if not is_finished(run / name)]:
            raise UserError(f"{wish} runs with all of their {folds} folds finished, {run} lacks {', '.join(missing)}")
