"""Read a researcher's CSV file as text, as Excel, LibreOffice, R and others write it in any country.

Where the decimal point is a comma, they write semicolons between columns.
"""

import csv
import io
import re
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

import polars as pl

from hms.collected.names import composed
from hms.data.tables import at_line
from hms.errors import DataError, did_you_mean
from hms.system.console import and_more, say

_WORKBOOKS = {b"PK\x03\x04": "an Excel or LibreOffice workbook", b"\xd0\xcf\x11\xe0": "a workbook of an old Excel"}
"""What a file is by its first bytes: of a ZIP archive, and of Microsoft's container for files."""

_UTF_16 = (b"\xff\xfe", b"\xfe\xff")
"""How a file begins that Excel saves as 'Unicode Text'."""

_SAVE = "save it as 'CSV UTF-8' in Excel, or as 'Text CSV' with the character set UTF-8 in LibreOffice"

_SEPARATORS = ",;\t"
_DECIMAL_COMMA = r"^([+-]?\d+),(\d+)$"
_THOUSANDS = r"^[+-]?[1-9]\d{0,2}(\.\d{3})+(,\d*)?$"
_DECIMAL_POINT = r"^[+-]?(\d*\.(\d{1,2}|\d{4,})|(0\d*|\d{4,})?\.\d{3})$"

_NAMED_SEPARATOR = re.compile(r"""(["']?)sep=([,;|\t])\1[,;|\s]*""", re.IGNORECASE)
"""A first line that names what is between columns, to which Excel listens."""


def read_any_csv(
    path: Path, of: str, known: Collection[str], numbers: Collection[str] = ()
) -> tuple[pl.DataFrame, list[str]]:
    """The columns of a table `of` labels or the like as text without spaces around it, null where empty.

    The names of `known` columns may be in any case; columns without a name are left out. A line that names the
    separator counts as a blank one, for the sake of the numbers of the others. Of a table with semicolons, decimal
    commas in the columns `numbers` become points; there is a line for each column in which points may be between
    thousands, whose values there are 1. Raises DataError for any other file.
    """
    if not path.is_file():
        raise DataError(f"{path}: want a table of {of}, got none (no such file)")
    text = _decoded(path)
    first = io.StringIO(text, newline="").readline()
    named = _NAMED_SEPARATOR.fullmatch(first)
    separator = named[2] if named else max(_SEPARATORS, key=first.count)
    rows = _rows(path, text, separator)
    names, *rows = [*rows[1:2], [], *rows[2:]] if named else rows
    names = [name.lower() if name.lower() in known else name for name in names]
    if not any(names):
        raise DataError(f"{path}: want the names of the columns in the first line, got none")
    for number, row in enumerate(rows, 2):
        if any(row[len(names) :]):
            commas = "; quote values with a comma, and write 1.5 for 1,5" if separator == "," else ""
            wish = f"want {len(names)} values, as in the first line, got {len(row)}{commas}"
            raise DataError(f"{path}: line {number}: {wish}")
    if twice := next((name for name in names if name and names.count(name) > 1), None):
        raise DataError(f"{path}: want each column once, got {twice!r} twice")
    values = {
        name: [row[place] or None if place < len(row) else None for row in rows]
        for place, name in enumerate(names)
        if name
    }
    table = pl.DataFrame(values, dict.fromkeys(values, pl.String))
    if separator != ";":
        return table, []
    decimals = [name for name in numbers if name in values]
    doubtful = [name for name in decimals if _may_have_thousands(table[name])]
    problems = [f"{path}: {_thousands(table[name])}" for name in doubtful]
    instead = pl.when(pl.col(doubtful).str.contains(_THOUSANDS)).then(pl.lit("1")).otherwise(pl.col(doubtful))
    table = table.with_columns(instead.name.keep()) if doubtful else table
    return table.with_columns(pl.col(decimals).str.replace(_DECIMAL_COMMA, "$1.$2")), problems


def _may_have_thousands(column: pl.Series) -> bool:
    """Whether a column has points between thousands, or what may be such, as the 1.234 of a European Excel.

    Where other numbers have decimal points and none has a comma, it is a number with a decimal point.
    """
    decimal_points = column.str.contains(_DECIMAL_POINT).any() and not column.str.contains(",").any()
    return not decimal_points and bool(column.str.contains(_THOUSANDS).any())


def _thousands(column: pl.Series) -> str:
    """A line about the first number in a column that may have points between thousands."""
    rows = column.str.contains(_THOUSANDS).arg_true()
    value = column[rows[0]]
    plain, said = value.replace(".", ""), f"got {value!r}"
    if value.count(".") == 1 and "," not in value:
        plain += f" or {value.replace('.', ',')}"
        said += ", which may be either in a table with semicolons"
    return at_line(rows[0] + 2, column.name, f"want {plain}, {said}{and_more(len(rows) - 1, 'row')}")


def want_none_missing(
    path: Path, got: Collection[str], missing: Collection[str], instead: Mapping[str, str] | None = None, near: str = ""
) -> None:
    """Raise DataError if columns are `missing`; `instead` has what would do as well as one, and `near` says what is."""
    if missing:
        others = instead or {}
        lacks = ", ".join(f"{name!r} (or {others[name]})" if name in others else repr(name) for name in missing)
        separators = "; want commas, semicolons or tabs between columns" if len(got) == 1 else ""
        raise DataError(f"{path}: lacks {lacks}, it has {', '.join(map(repr, got)) or 'nothing'}{separators}{near}")


def say_unread(path: Path, got: Iterable[str], read: Collection[str], optional: Collection[str]) -> None:
    """Say which columns are not read, and whether one might be meant for an `optional` one that is not there."""
    if unread := [name for name in got if name not in read]:
        absent = [name for name in optional if name not in read]
        hint = next(filter(None, (did_you_mean(name, absent) for name in unread)), "")
        say(f"{path}: not read: {', '.join(map(repr, unread))}{hint}")


def _decoded(path: Path) -> str:
    """The text in a file. Raises DataError, with what to do, for a workbook and for another encoding than UTF-8."""
    content = path.read_bytes()
    if workbook := _WORKBOOKS.get(content[:4]):
        raise DataError(f"{path}: want a CSV file, got {workbook}; {_SAVE}")
    try:
        text = content.decode("utf-16" if content[:2] in _UTF_16 else "utf-8-sig")
    except UnicodeDecodeError as error:
        number = content[: error.start].count(b"\n")
        line = content.splitlines()[number].decode("latin-1").strip()
        raise DataError(f"{path}: want UTF-8, got another encoding in line {number + 1}, {line!r}; {_SAVE}") from None
    return composed(text)


def _rows(path: Path, text: str, separator: str) -> list[list[str]]:
    """The values of each line, the names of the columns first."""
    try:
        rows = [*csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)]
    except csv.Error as error:
        raise DataError(f"{path}: not a CSV file ({error})") from None
    if not rows:
        raise DataError(f"{path}: not a CSV file (it is empty)")
    return [[value.strip() for value in row] for row in rows]
