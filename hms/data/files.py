"""Read, check and write EEG and spectrogram parquet files.

Signals are checked here, once, as they are read; everything downstream trusts its input. A DataError names the file,
the column and the row.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl
from jaxtyping import Float

from hms.electrodes import ELECTRODES, SCALP
from hms.errors import DataError
from hms.spectrogram_recipe import COLUMNS, REGIONS, STEP_S
from hms.system.atomic import replacing
from hms.system.reading import read_table, want_columns

_LEAST_SD_UV = 0.1
_MOST_SD_UV = 1e5
"""Bounds for the SD of the median scalp channel: 12 raw clinical segments have 10-3,000 µV, in volts below 0.01."""


def read_eeg(path: Path, in_uv: bool = True) -> Float[np.ndarray, "time electrode"]:
    """Samples of one EEG file in µV at 200 Hz, columns in the order of `ELECTRODES`, NaN where missing.

    Raises DataError for anything but an EEG file, if no scalp channel has a sample, and, with `in_uv`, for values that
    cannot be µV.
    """
    eeg = _samples(_read_columns(path, ELECTRODES))
    if not np.isfinite(eeg).all():
        _want_finite(path, eeg, ELECTRODES)
        if len(_lacking_channels(eeg)) == len(SCALP):
            raise DataError(lacking_samples(path, eeg))
    if in_uv:
        want_microvolts(str(path), eeg)
    return eeg


def lacking_samples(path: Path, eeg: Float[np.ndarray, "time electrode"]) -> str:
    """A line that names the scalp channels without a single sample in the file at `path`; empty if all have some."""
    if not (channels := _lacking_channels(eeg)):
        return ""
    named = ", ".join(f"'{channel}'" for channel in channels)
    columns = "column" if len(channels) == 1 else "columns"
    return f"{path}: {columns} {named}: want samples, got none (all {len(eeg)} are missing)"


def _lacking_channels(eeg: Float[np.ndarray, "time electrode"]) -> list[str]:
    candidates = np.flatnonzero(np.isnan(eeg[0, : len(SCALP)]))
    return [SCALP[channel] for channel in candidates if np.isnan(eeg[:, channel]).all()]


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
    _want_finite(path, power, COLUMNS)
    if (power < 0).any():
        row, column = np.argwhere(power < 0)[0]
        raise DataError(f"{path}: column '{COLUMNS[column]}', row {row}: want 0 or more, got {power[row, column]:g}")
    return power.reshape(len(power), len(REGIONS), -1)


def want_microvolts(place: str, eeg: Float[np.ndarray, "time electrode"]) -> None:
    """Raise DataError if the samples are too small or too large for EEG in µV."""
    sample = eeg[:: max(1, len(eeg) // 2000), : len(SCALP)].astype(float)  # squares of float32 may overflow
    spread = np.std
    if (missing := np.isnan(sample)).any():  # np.nanstd takes five times as long
        sample, spread = sample[:, ~missing.all(axis=0)], np.nanstd
    spread_uv = float(np.median(spread(sample, axis=0))) if sample.size else 0.0
    if 0 < spread_uv < _LEAST_SD_UV:
        raise DataError(f"{place}: want µV, got values with a median SD of {spread_uv:.2g}: volts or millivolts?")
    if spread_uv > _MOST_SD_UV:
        raise DataError(f"{place}: want µV, got values with a median SD of {spread_uv:.2g}: nanovolts?")


def _read_columns(path: Path, want: Sequence[str]) -> pl.DataFrame:
    table = read_table(path)
    want_columns(path, table.columns, want)
    for name, kind in zip(table.columns, table.dtypes, strict=True):
        if type(kind) is not pl.Float32 and not (kind.is_float() or (name == "time" and kind.is_integer())):
            raise DataError(f"{path}: column '{name}': want floating-point numbers, got {kind}")
    if table.is_empty():
        raise DataError(f"{path}: want at least one row, got none")
    return table


def _samples(table: pl.DataFrame) -> Float[np.ndarray, "row column"]:
    """The values as float32, NaN where missing."""
    # Comparing the types of a spectrogram's columns with == takes as long as reading the columns.
    is_float32 = {*map(type, table.dtypes)} == {pl.Float32}
    return (table if is_float32 else table.cast(pl.Float32)).to_numpy(order="fortran")


def _want_finite(path: Path, values: Float[np.ndarray, "row column"], names: Sequence[str]) -> None:
    infinite = np.isinf(values)
    if infinite.any():
        row, column = np.argwhere(infinite)[0]
        raise DataError(f"{path}: column '{names[column]}', row {row}: want a number, got {values[row, column]}")


def write_eeg(path: Path, eeg: Float[np.ndarray, "time 20"]) -> None:
    """Write an EEG file in the competition's format: a float32 column (µV) per electrode, null where missing."""
    _write_parquet(_frame(eeg, ELECTRODES), path)


def write_spectrogram(path: Path, power: Float[np.ndarray, "row 400"]) -> None:
    """Write a spectrogram file in the competition's format: `time` of each centre (s), 400 float32 columns (µV²/Hz)."""
    time = pl.Series("time", 1 + STEP_S * np.arange(len(power), dtype=np.int64))
    _write_parquet(_frame(power, COLUMNS).insert_column(0, time), path)


def _frame(values: Float[np.ndarray, "row column"], names: tuple[str, ...]) -> pl.DataFrame:
    frame = pl.from_numpy(values, schema=list(names), orient="row")
    return frame.fill_nan(None) if np.isnan(values).any() else frame


def _write_parquet(frame: pl.DataFrame, path: Path) -> None:
    with replacing(path) as temporary:
        # Noise does not compress: lz4 saves 5 % and takes as long as the writing itself.
        frame.write_parquet(temporary, compression="uncompressed", statistics=False)
