"""Read and check EEG and spectrogram parquet.

Every check of a signal happens here, once, when it is read; nothing downstream doubts its input again. A DataError
names the file, the column, and the row.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from jaxtyping import Float

from hms.electrodes import ELECTRODES, SCALP
from hms.errors import DataError, first_line
from hms.spectrogram_recipe import COLUMNS, REGIONS, STEP_S

QUIETEST_UV = 0.1
LOUDEST_UV = 1e5
"""Bounds for the SD of the median scalp channel: 12 raw clinical segments lie in 10-3,000 µV, volts below 0.01."""


def read_eeg(path: Path, in_uv: bool = True) -> Float[np.ndarray, "time electrode"]:
    """Samples of one EEG file in µV at 200 Hz, columns in the order of `ELECTRODES`, NaN where missing.

    Raises DataError for a file that is none, and, unless it is told that they are not in µV, for values that cannot be.
    """
    eeg = _samples(_read_columns(path, ELECTRODES))
    if not np.isfinite(eeg).all():
        _refuse_infinite(path, eeg, ELECTRODES)
        for name, missing in zip(SCALP, np.isnan(eeg).all(axis=0), strict=False):
            if missing:
                raise DataError(f"{path}: column '{name}': want samples, got none (all {len(eeg)} are missing)")
    if in_uv:
        want_microvolts(str(path), eeg)
    return eeg


def read_spectrogram(path: Path) -> Float[np.ndarray, "row region frequency"]:
    """Power (µV²/Hz) of one spectrogram file, a row per 2 s, regions LL RL LP RP, NaN where missing."""
    table = _read_columns(path, ("time", *COLUMNS))
    time_s, power = table.drop_in_place("time").to_numpy(), _samples(table)
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


def want_microvolts(place: str, eeg: Float[np.ndarray, "time electrode"]) -> None:
    """Raise DataError for samples of a size that no EEG in µV has."""
    some = eeg[:: max(1, len(eeg) // 2000), : len(SCALP)].astype(float)  # squares of float32 may overflow
    some = some[:, ~np.isnan(some).all(axis=0)]
    spread = np.nanstd if np.isnan(some).any() else np.std  # which takes a fifth of the time
    spread_uv = float(np.median(spread(some, axis=0))) if some.size else 0.0
    if 0 < spread_uv < QUIETEST_UV:
        raise DataError(f"{place}: want µV, got values with a median SD of {spread_uv:.2g}: volts or millivolts?")
    if spread_uv > LOUDEST_UV:
        raise DataError(f"{place}: want µV, got values with a median SD of {spread_uv:.2g}: nanovolts?")


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


def read_table(path: Path) -> pl.DataFrame:
    """A whole parquet file. Raises DataError for one that is none."""
    try:
        return pl.read_parquet(path, memory_map=False)
    except FileNotFoundError:
        raise DataError(f"{path}: no such file") from None
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError) as error:
        raise DataError(f"{path}: not a whole parquet file ({first_line(error)})") from None


def read_json(path: Path, *keys: str) -> dict[str, Any]:
    """A JSON object that has these keys at least. Raises DataError for a file that is none."""
    try:
        held = json.loads(path.read_text(encoding="utf-8"))
        lacking = [key for key in keys if key not in held]
        if not isinstance(held, dict):
            raise TypeError("no mapping")
    except (OSError, ValueError, TypeError, RecursionError) as error:
        raise DataError(f"{path}: no JSON object ({first_line(error)})") from None
    if lacking:
        raise DataError(f"{path}: no {', '.join(map(repr, lacking))} in it")
    return held


def _read_columns(path: Path, want: Sequence[str]) -> pl.DataFrame:
    table = read_table(path)
    check_columns(path, table.columns, want)
    for name, kind in zip(table.columns, table.dtypes, strict=True):
        if type(kind) is not pl.Float32 and not (kind.is_float() or (name == "time" and kind.is_integer())):
            raise DataError(f"{path}: column '{name}': want floating-point numbers, got {kind}")
    if table.is_empty():
        raise DataError(f"{path}: want at least one row, got none")
    return table


def _samples(table: pl.DataFrame) -> Float[np.ndarray, "row column"]:
    """Missing values become NaN."""
    # To compare types by == takes as long for the columns of a spectrogram as to read them.
    is_float32 = all(type(kind) is pl.Float32 for kind in table.dtypes)
    return (table if is_float32 else table.cast(pl.Float32)).to_numpy(order="c")


def _refuse_infinite(path: Path, values: Float[np.ndarray, "row column"], names: Sequence[str]) -> None:
    infinite = np.isinf(values)
    if infinite.any():
        row, column = np.argwhere(infinite)[0]
        raise DataError(f"{path}: column '{names[column]}', row {row}: want a number, got {values[row, column]}")
