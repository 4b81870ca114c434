"""Read tables and JSON files that others may have changed; a DataError names the file and the fault."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl

from hms.errors import DataError, first_line
from hms.system.console import some


def read_table(path: Path) -> pl.DataFrame:
    """The table in a parquet file. Raises DataError if it cannot be read."""
    try:
        return pl.read_parquet(path.read_bytes())  # faster, with hundreds of columns, than Polars' own reading
    except FileNotFoundError:
        raise DataError(f"{path}: no such file") from None
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError) as error:
        raise DataError(f"{path}: not a valid parquet file ({first_line(error)})") from None


def read_csv(path: Path) -> pl.DataFrame:
    """The table in a CSV file, with types that fit all values. Raises DataError if it cannot be read."""
    try:
        return pl.read_csv(path, infer_schema_length=None, glob=False)
    except FileNotFoundError:
        raise DataError(f"{path}: no such file") from None
    except (pl.exceptions.PolarsError, OSError) as error:
        raise DataError(f"{path}: not a CSV file ({first_line(error)})") from None


def read_json(path: Path, *keys: str) -> dict[str, Any]:
    """The JSON object in a file, which has at least these keys. Raises DataError for any other file."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        missing = [key for key in keys if key not in content]
        if not isinstance(content, dict):
            raise TypeError(f"got a {type(content).__name__}")
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from None
    except (ValueError, TypeError, RecursionError) as error:
        raise DataError(f"{path}: not a JSON object ({first_line(error)})") from None
    if missing:
        raise DataError(f"{path}: lacks {', '.join(map(repr, missing))}")
    return content


def want_columns(path: Path, got: Sequence[str], want: Sequence[str]) -> None:
    """Raise DataError unless the columns `got` are those in `want`, in the same order."""
    if tuple(got) == tuple(want):
        return
    missing = [name for name in want if name not in got]
    extra = [name for name in got if name not in want]
    if missing or extra:
        faults = [f"{fault} {some([*map(repr, names)], 5)}"
                  for fault, names in (("lacks column", missing), ("has an unknown column", extra))
                  if names]  # fmt: skip
        raise DataError(f"{path}: {' and '.join(faults)}")
    for place, (name, wish) in enumerate(zip(got, want, strict=True)):
        if name != wish:
            raise DataError(f"{path}: column {place + 1}: want '{wish}', got '{name}' (the order is fixed)")
