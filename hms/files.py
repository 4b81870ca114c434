"""Read and check the competition's files: train.csv, EEG parquet, spectrogram parquet; write files whole or not at all.

Every check happens here, once, when a store is built; nothing downstream doubts its input again. A DataError names the
file, the column, and the row or line.
"""

import contextlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import polars as pl
from jaxtyping import Float

from hms.electrodes import ELECTRODES, SCALP
from hms.errors import DataError
from hms.labels import VOTE_COLUMNS
from hms.spectrogram_recipe import COLUMNS, REGIONS, STEP_S

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

QUIETEST_UV = 0.1
LOUDEST_UV = 1e5
"""Bounds for the SD of the median scalp channel: 12 raw clinical segments lie in 10-3,000 µV, volts below 0.01."""


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a temporary name to write to; it becomes `path` when the block ends well and vanishes when it does not."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        yield temporary
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def read_labels(path: Path) -> pl.DataFrame:
    """Rows of a train.csv with the columns of `LABEL_COLUMNS` and `line`, the row's line in the file.

    Raises DataError with every kind of mistake found, the first line of each named.
    """
    try:
        text = pl.read_csv(path, infer_schema=False)
    except FileNotFoundError:
        raise DataError(f"{path}: no such file; a corpus is a folder with train.csv, train_eegs/ ...") from None
    except (pl.exceptions.PolarsError, OSError) as error:
        raise DataError(f"{path}: not a CSV file ({first_line(error)})") from None
    check_columns(path, text.columns, tuple(LABEL_COLUMNS))
    if text.is_empty():
        raise DataError(f"{path}: want at least one row, got none")
    numbered = text.with_columns(line=pl.int_range(pl.len(), dtype=pl.Int64) + 2)
    numbered = numbered.filter(~pl.all_horizontal(pl.col(LABEL_COLUMNS).is_null()))  # blank lines
    labels = numbered.with_columns(_as_number(name) for name, kind in LABEL_COLUMNS.items() if kind != pl.String)
    problems = [*_values_that_are_no_number(numbered, labels), *_impossible_rows(labels)]
    if problems:
        raise DataError("\n".join(f"{path}: {problem}" for problem in problems))
    return labels


def read_eeg(path: Path) -> Float[np.ndarray, "time electrode"]:
    """Samples of one EEG file in µV at 200 Hz, columns in the order of `ELECTRODES`, NaN where missing."""
    eeg = _samples(_read_columns(path, ELECTRODES))
    if not np.isfinite(eeg).all():
        _refuse_infinite(path, eeg, ELECTRODES)
        for name, missing in zip(SCALP, np.isnan(eeg).all(axis=0), strict=False):
            if missing:
                raise DataError(f"{path}: column '{name}': want samples, got none (all {len(eeg)} are missing)")
    spread_uv = float(np.median(np.nan_to_num(np.nanstd(eeg[:: max(1, len(eeg) // 2000), : len(SCALP)], axis=0))))
    if 0 < spread_uv < QUIETEST_UV:
        raise DataError(f"{path}: want µV, got values with a median SD of {spread_uv:.2g}: volts or millivolts?")
    if spread_uv > LOUDEST_UV:
        raise DataError(f"{path}: want µV, got values with a median SD of {spread_uv:.2g}: nanovolts?")
    return eeg


def read_spectrogram(path: Path) -> Float[np.ndarray, "row region frequency"]:
    """Power (µV²/Hz) of one spectrogram file, a row per 2 s, regions LL RL LP RP, NaN where missing."""
    table = _read_columns(path, ("time", *COLUMNS))
    time_s, power = table["time"].to_numpy(), _samples(table.drop("time"))
    wrong = np.flatnonzero(np.diff(time_s) != STEP_S)
    if len(wrong):
        row = int(wrong[0])
        raise DataError(
            f"{path}: column 'time', row {row + 1}: want {STEP_S} s between rows, "
            f"got {time_s[row]:g} then {time_s[row + 1]:g}"
        )
    if time_s[0] != 1:
        raise DataError(f"{path}: column 'time', row 0: want 1 (the centre of the first row, in s), got {time_s[0]:g}")
    _refuse_infinite(path, power, COLUMNS)
    if (power < 0).any():
        row, column = np.argwhere(power < 0)[0]
        raise DataError(f"{path}: column '{COLUMNS[column]}', row {row}: want 0 or more, got {power[row, column]:g}")
    return power.reshape(len(power), len(REGIONS), -1)


def check_columns(path: Path, got: Sequence[str], want: Sequence[str]) -> None:
    """Raise DataError unless `got` are the columns `want`, in that order."""
    if tuple(got) == tuple(want):
        return
    missing = [name for name in want if name not in got]
    extra = [name for name in got if name not in want]
    if missing or extra:
        said = [f"{word} {', '.join(map(repr, names[:5]))}{' ...' if len(names) > 5 else ''}"
                for word, names in (("lacks column", missing), ("has an unknown column", extra)) if names]  # fmt: skip
        raise DataError(f"{path}: {' and '.join(said)}")
    for place, (name, wish) in enumerate(zip(got, want, strict=True)):
        if name != wish:
            raise DataError(f"{path}: column {place + 1}: want '{wish}', got '{name}' (the order is fixed)")


def first_line(error: BaseException) -> str:
    """The first line of an error's text, for a message of our own."""
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__


def _read_columns(path: Path, want: Sequence[str]) -> pl.DataFrame:
    try:
        table = pl.read_parquet(path, memory_map=False)
    except FileNotFoundError:
        raise DataError(f"{path}: no such file") from None
    except (pl.exceptions.PolarsError, OSError) as error:
        raise DataError(f"{path}: not a whole parquet file ({first_line(error)})") from None
    check_columns(path, table.columns, want)
    for name, kind in table.schema.items():
        if not (kind.is_float() or (name == "time" and kind.is_integer())):
            raise DataError(f"{path}: column '{name}': want floating-point numbers, got {kind}")
    if table.is_empty():
        raise DataError(f"{path}: want at least one row, got none")
    return table


def _samples(table: pl.DataFrame) -> Float[np.ndarray, "row column"]:
    """Missing values become NaN."""
    return (table if set(table.dtypes) == {pl.Float32} else table.cast(pl.Float32)).to_numpy()


def _refuse_infinite(path: Path, values: Float[np.ndarray, "row column"], names: Sequence[str]) -> None:
    infinite = np.isinf(values)
    if infinite.any():
        row, column = np.argwhere(infinite)[0]
        raise DataError(f"{path}: column '{names[column]}', row {row}: want a number, got {values[row, column]}")


def _as_number(name: str) -> pl.Expr:
    number = pl.col(name).str.strip_chars().cast(pl.Float64, strict=False)
    number = pl.when(number.is_finite()).then(number)
    if LABEL_COLUMNS[name] == pl.Float64:
        return number.alias(name)
    return pl.when(number == number.floor()).then(number).cast(pl.Int64, strict=False).alias(name)


def _values_that_are_no_number(text: pl.DataFrame, labels: pl.DataFrame) -> Iterator[str]:
    for name, kind in LABEL_COLUMNS.items():
        bad = labels[name].is_null().arg_true()
        if len(bad):
            wish = {pl.Int64: "a whole number", pl.Float64: "a number", pl.String: "a name"}[kind]
            value = text[name][bad[0]]
            yield _at(text["line"][bad[0]], name, f"want {wish}, got {'nothing' if value is None else repr(value)}")


def _impossible_rows(labels: pl.DataFrame) -> Iterator[str]:
    votes = pl.sum_horizontal(VOTE_COLUMNS)
    one_each = ("patient_id", "spectrogram_id")
    label_id = pl.col("label_id")
    checks = [
        *((name, pl.col(name) < 0, "want 0 or more votes, got {}") for name in VOTE_COLUMNS),
        *((name, pl.col(name) < 0, "want 0 s or more, got {}") for name in LABEL_COLUMNS if name.endswith("_seconds")),
        ("seizure_vote ... other_vote", votes == 0, "want at least one vote, got none"),
        ("label_id", label_id.is_duplicated() & label_id.is_not_null(), "want each id once, got {} again"),
        *((name, pl.col(name).n_unique().over("eeg_id") > 1, f"want one {name} per eeg_id, got {{}} and another")
          for name in one_each),
    ]  # fmt: skip
    for name, wrong, wish in checks:
        bad = labels.filter(wrong)
        if not bad.is_empty():
            value = bad[name][0] if name in bad.columns else None
            more = f" (and {len(bad) - 1} more rows)" if len(bad) > 1 else ""
            yield _at(bad["line"][0], name, wish.format(value) + more)


def _at(line: int, column: str, wish: str) -> str:
    return f"line {line}, column '{column}': {wish}"
