"""Check the runs that teach a student, and say what its score is worth."""

from pathlib import Path

import polars as pl

from hms.errors import UserError
from hms.run_folders import teacher_files
from hms.system.reading import read_table

LEARNED_FROM_TEACHER = "learned from a teacher that saw the held-out patients, so its KL looks too good."
"""What to know about a student's KL; the name of the run goes before it."""


def want_same_corpus(runs: list[str], windows: pl.Series) -> None:
    """Raise UserError for a run that predicted none of the `windows` (label ids) of a student's corpus."""
    for run in map(Path, runs):
        if not any(windows.is_in(read_table(file)["label_id"].implode()).any() for file in teacher_files(run)):
            raise UserError(
                f"augmentation.teacher_labels.runs: want runs that predicted windows of this corpus, {run} knows none "
                f"of its {len(windows)}"
            )
