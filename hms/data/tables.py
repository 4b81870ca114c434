"""Read and check the competition's CSV files: train.csv, test.csv and submissions.

A DataError has one line per kind of mistake, which names the file and the line and column where it first occurs.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl

from hms.errors import DataError, first_line
from hms.labels import VOTE_COLUMNS
from hms.system.console import and_more
from hms.system.reading import want_columns

LABEL_COLUMNS = {
    "eeg_id": pl.Int64,
    "eeg_sub_id": pl.Int64,
    "eeg_label_offset_seconds": pl.Float64,
    "spectrogram_id": pl.Int64,
    "spectrogram_sub_id": pl.Int64,
    "spectrogram_label_offset_seconds": pl.Float64,
    "label_id": pl.Int64,
    "patient_id": pl.Int64,
    "expert_consensus": pl.String,
    **dict.fromkeys(VOTE_COLUMNS, pl.Int64),
}
"""Columns and types of train.csv, in order."""

TEST_COLUMNS = dict.fromkeys(("spectrogram_id", "eeg_id", "patient_id"), pl.Int64)
"""Columns and types of test.csv, in order."""

SUBMISSION_COLUMNS = {"eeg_id": pl.Int64, **dict.fromkeys(VOTE_COLUMNS, pl.Float64)}
"""Columns and types of a submission, in order; the six are probabilities."""

_SUM_TOLERANCE = 1e-5  # that of the competition's metric: six times 0.166667 is accepted


class Check(NamedTuple):
    """What is to hold for a value of each row."""

    value: pl.Expr
    """Named after its column."""
    wrong: pl.Expr
    """Whether it does not hold."""
    wish: str
    """The message, with `{}` for the value found."""


def read_labels(path: Path) -> pl.DataFrame:
    """Rows of a train.csv with the columns of `LABEL_COLUMNS` and `line`, the row's line in the file.

    Raises DataError with a line for every kind of mistake.
    """
    votes = pl.sum_horizontal(VOTE_COLUMNS).alias("seizure_vote ... other_vote")
    offsets_s = [pl.col(name) for name in LABEL_COLUMNS if name.endswith("_seconds")]
    checks = [
        *(Check(count, count < 0, "want 0 or more votes, got {}") for count in map(pl.col, VOTE_COLUMNS)),
        *(Check(offset_s, offset_s < 0, "want 0 s or more, got {}") for offset_s in offsets_s),
        Check(votes, votes == 0, "want at least one vote, got none"),
        _each_once("label_id"),
        _one_per_eeg("patient_id"),
        _one_per_eeg("spectrogram_id"),
    ]
    return _read(path, LABEL_COLUMNS, checks)


def read_ids(path: Path, names: tuple[str, ...]) -> pl.DataFrame:
    """Columns of ids of a train.csv, null where `read_labels` would find a mistake; a fifth of its time.

    Raises DataError if the file is not a table with these columns.
    """
    text = read_text(path, [*names])
    return text.select(_as_number(name, pl.Int64) for name in names)


def read_test(path: Path) -> pl.DataFrame:
    """Rows of a test.csv with the columns of `TEST_COLUMNS`, `line`, and the offsets of `LABEL_COLUMNS`, all 0.

    Raises DataError as `read_labels` does.
    """
    offsets = (pl.lit(0.0).alias(name) for name in LABEL_COLUMNS if name.endswith("_seconds"))
    return _read(path, TEST_COLUMNS, [_each_once("eeg_id")]).with_columns(*offsets)


def read_submission(path: Path) -> pl.DataFrame:
    """Rows of a submission with the columns of `SUBMISSION_COLUMNS` and `line`.

    Raises DataError as `read_labels` does, and for values that are not probabilities.
    """
    total = pl.sum_horizontal(VOTE_COLUMNS).alias("seizure_vote ... other_vote")
    checks = [
        *(Check(share, ~share.is_between(0, 1), "want 0 to 1, got {}") for share in map(pl.col, VOTE_COLUMNS)),
        Check(total, (total - 1).abs() > _SUM_TOLERANCE, "want a sum of 1, got {:g}"),
        _each_once("eeg_id"),
    ]
    return _read(path, SUBMISSION_COLUMNS, checks)


def _read(path: Path, columns: Mapping[str, Any], checks: list[Check]) -> pl.DataFrame:
    text = read_text(path)
    want_columns(path, text.columns, tuple(columns))
    table, problems = parsed(path, text, columns, checks)
    if problems:
        raise DataError("\n".join(problems))
    return table


def parsed(
    path: Path,
    text: pl.DataFrame,
    columns: Mapping[str, Any],
    checks: list[Check],
    endings: Mapping[str, str] | None = None,
) -> tuple[pl.DataFrame, list[str]]:
    """The rows of the text in a table with these columns, as numbers, `line` added; a line for each kind of mistake.

    `endings` are, by column, what a message about a value that is no number ends with. Raises DataError if there is
    no row.
    """
    if text.is_empty():
        raise DataError(f"{path}: want at least one row, got none")
    numbered = text.with_columns(line=pl.int_range(pl.len(), dtype=pl.Int64) + 2)
    numbered = numbered.filter(~pl.all_horizontal(pl.col(columns).is_null()))  # blank lines
    table = numbered.with_columns(_as_number(name, kind) for name, kind in columns.items() if kind != pl.String)
    problems = [*_unreadable_values(numbered, table, columns, endings or {}), *_failed_checks(table, checks)]
    return table, [f"{path}: {problem}" for problem in problems]


def read_text(path: Path, columns: list[str] | None = None) -> pl.DataFrame:
    """The columns of a CSV file as text, null where empty. Raises DataError if it is not one that has them."""
    try:
        return pl.read_csv(path, columns=columns, infer_schema=False, glob=False)
    except FileNotFoundError:
        part = path.stem.partition("_")[0]
        raise DataError(f"{path}: no such file; a corpus is a folder with {path.name}, {part}_eegs/ ...") from None
    except pl.exceptions.ColumnNotFoundError:
        want_columns(path, read_text(path).columns, tuple(LABEL_COLUMNS))
        raise
    except (pl.exceptions.PolarsError, OSError) as error:
        raise DataError(f"{path}: not a CSV file ({first_line(error)})") from None


def _each_once(name: str) -> Check:
    value = pl.col(name)
    return Check(value, value.is_duplicated() & value.is_not_null(), "want each id once, got {} again")


def _one_per_eeg(name: str) -> Check:
    value = pl.col(name)
    return Check(value, value.n_unique().over("eeg_id") > 1, f"want one {name} per eeg_id, got {{}} and another")


def _as_number(name: str, kind: Any) -> pl.Expr:
    text = pl.col(name).str.strip_chars()
    number = text.cast(pl.Float64, strict=False)
    number = pl.when(number.is_finite()).then(number)
    if kind == pl.Float64:
        return number.alias(name)
    whole = pl.when(number == number.floor()).then(number).cast(pl.Int64, strict=False)
    return pl.coalesce(text.cast(pl.Int64, strict=False), whole).alias(name)  # a large id is no Float64


def _unreadable_values(
    text: pl.DataFrame, table: pl.DataFrame, columns: Mapping[str, Any], endings: Mapping[str, str]
) -> Iterator[str]:
    for name, kind in columns.items():
        bad = text.filter(table[name].is_null())
        if not bad.is_empty():
            wish = {pl.Int64: "a whole number", pl.Float64: "a number", pl.String: "a name"}[kind]
            value = bad[name][0]
            got = "nothing" if value is None else f"{value!r}{endings.get(name, '')}"
            yield at_line(bad["line"][0], name, f"want {wish}, got {got}")


def _failed_checks(table: pl.DataFrame, checks: list[Check]) -> Iterator[str]:
    for value, wrong, wish in checks:
        bad = table.filter(wrong)
        if not bad.is_empty():
            more = and_more(len(bad) - 1, "row")
            yield at_line(bad["line"][0], value.meta.output_name(), wish.format(bad.select(value).item(0, 0)) + more)


def at_line(line: int, column: str, wish: str) -> str:
    """A message about the value in a column of a file's line."""
    return f"line {line}, column '{column}': {wish}"
