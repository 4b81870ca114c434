"""Check the runs that teach a student: were a fold missing, what a student learns would depend on when it started."""

import re
from pathlib import Path

from hms.errors import UserError
from hms.runs import is_finished, read_config
from hms.settings import teacher_files


def want_all_folds(runs: list[str]) -> None:
    """Raise UserError unless each run has finished all folds of each seed it has started, apart from `foldall`.

    A run without any labels to teach is left to `TeacherLabels`.
    """
    for run in map(Path, runs):
        started = sorted(file.parent for file in run.glob("fold[0-9]*_seed*/config.yaml"))
        if not started or not teacher_files(run):
            continue
        config = read_config(started[0])
        folds = 1 if config.get("live") else config["folds"]
        seeds = sorted({int(re.sub(r".*_seed", "", fold.name)) for fold in started})
        needed = [run / f"fold{fold}_seed{seed}" for seed in seeds for fold in range(folds)]
        if missing := [fold.name for fold in needed if not is_finished(fold)]:
            wish = f"want runs with all of their {folds} folds finished"
            raise UserError(f"teacher_labels.runs: {wish}, {run} lacks {', '.join(missing)}")
