"""Runs that teach a student: all of their folds, or what a student's fold learns would depend on when it began."""

import re
from pathlib import Path

from hms.errors import UserError
from hms.runs import is_finished, read_config
from hms.settings import teacher_files


def want_whole(runs: list[str]) -> None:
    """Raise UserError for a run that has not ended each fold of each seed that it began; `foldall` teaches nobody.

    A run that taught nothing at all is left to `TeacherLabels`.
    """
    for run in map(Path, runs):
        begun = sorted(file.parent for file in run.glob("fold[0-9]*_seed*/config.yaml"))
        if not begun or not teacher_files(run):
            continue
        config = read_config(begun[0])
        folds = 1 if config.get("live") else config["folds"]
        seeds = sorted({int(re.sub(r".*_seed", "", fold.name)) for fold in begun})
        each = [run / f"fold{fold}_seed{seed}" for seed in seeds for fold in range(folds)]
        if lacking := [fold.name for fold in each if not is_finished(fold)]:
            wish = f"want runs with all of their {folds} folds finished"
            raise UserError(f"teacher_labels.runs: {wish}, {run} lacks {', '.join(lacking)}")
