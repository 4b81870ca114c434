"""Read a table that says whose the recordings are, for labels that do not."""

from collections.abc import Sequence
from pathlib import Path

import polars as pl

from hms.collected.label_table import PATIENT, RECORDING
from hms.collected.names import alike, with_paths
from hms.collected.table import read_any_csv, say_unread, want_none_missing
from hms.collected.votes import patient_problems
from hms.data.tables import parsed
from hms.errors import DataError, nearest_word
from hms.system.console import and_more, say, some

_COLUMNS = {**RECORDING, **PATIENT}

_NAMED = 3
"""The most groups of names that are told."""


def with_patients(placed: pl.DataFrame, table: Path | None, paths: Sequence[Path]) -> pl.DataFrame:
    """Labels with the patients of their recordings, which a table gives unless the labels do.

    The table may hold other recordings and columns. Raises DataError with a line for each kind of mistake in it, and if
    the labels have patients of their own.
    """
    own = not placed["patient_id"].is_null().all()
    if table is None:
        if not own:
            say("each recording counts as a patient of its own; patients= takes a table of recording,patient_id")
        _say_alike(placed)
        return placed
    if own:
        raise DataError(f"{table}: want patients once, but labels= has a column 'patient_id' as well")
    whose = _read(table, paths)
    lacking = placed.filter(~pl.col("path").is_in(whose["path"].to_list()))["path"].unique(maintain_order=True)
    if len(lacking):
        more = and_more(len(lacking) - 1, "recording")
        near = nearest_word(Path(lacking[0]).stem, whose.filter(pl.col("path").is_null())["recording"])
        has = f"; it has '{near}'" if near else ""
        raise DataError(f"{table}: want a row for each labelled recording, got none for '{lacking[0]}'{more}{has}")
    patients = dict(whose.drop_nulls("path").select("path", "patient_id").iter_rows())
    placed = placed.with_columns(patient_id=pl.col("path").replace_strict(patients, return_dtype=pl.String))
    _say_alike(placed)
    return placed


def _say_alike(placed: pl.DataFrame) -> None:
    """Say which patients have nearly the same name: if they are one, folds do not keep that patient's EEG together."""
    if groups := alike(placed["patient_id"].drop_nulls()):
        told = some(["/".join(map(repr, group)) for group in groups], _NAMED)
        same = "differ only in case or spaces, but count as different patients; write them alike if they are one"
        say(f"patient_id: {told} {same}")


def _read(table: Path, paths: Sequence[Path]) -> pl.DataFrame:
    """The rows of a table of patients, with the `path` of each one's recording, null for others."""
    text, _ = read_any_csv(table, "patients", _COLUMNS)
    want_none_missing(table, text.columns, [name for name in _COLUMNS if name not in text.columns])
    say_unread(table, text.columns, _COLUMNS, [])
    rows, problems = parsed(table, text, _COLUMNS, [])
    if rows.is_empty():
        raise DataError(f"{table}: want at least one row, got none")
    whose, unclear = with_paths(rows, paths, of_all=False)
    problems += [f"{table}: {problem}" for problem in (*unclear, *patient_problems(whose))]
    if problems:
        raise DataError("\n".join(problems))
    return whose
