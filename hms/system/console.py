"""Everything printed for the person at the terminal: results to stdout, progress and warnings to stderr."""

import os
import shutil
import sys
import textwrap
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TypeVar

T = TypeVar("T")


def say(text: str) -> None:
    """Print progress or a warning to stderr."""
    print(text, file=sys.stderr, flush=True)


def counted(number: int, noun: str) -> str:
    """A number and its noun, which takes an s unless the number is 1."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def and_more(number: int, noun: str) -> str:
    """The end of a message about one of several: how many more there are; empty if there are none."""
    return f" (and {counted(number, f'more {noun}')})" if number else ""


def print_columns(
    title: str,
    columns: Mapping[str, Sequence[str]],
    expendable: Sequence[Collection[str]] = (),
    sections: Collection[int] = (),
) -> list[str]:
    """Print a table of columns by name, the first of them left-aligned, and return the names of those left out.

    In a terminal that is too narrow, the columns in `expendable` are left out, the first ones first; what remains is
    printed in full even if it is still too wide. A line is drawn after each row whose number is in `sections`.
    """
    from rich.console import Console  # slow to import, and many a command prints lines alone
    from rich.table import Table

    shown = dict(columns)
    for names in expendable:
        if (width := terminal_width()) is not None and _natural_width(shown) > width:
            shown = {name: cells for name, cells in shown.items() if name not in names}
    table = Table(title=title, title_justify="left")
    for i, name in enumerate(shown):
        table.add_column(name, justify="right" if i else "left", style="bold" if name == "KL" else None, no_wrap=True)
    for i, cells in enumerate(zip(*shown.values(), strict=True)):
        table.add_row(*cells, end_section=i in sections)
    Console(width=max(_natural_width(shown), terminal_width() or 0), markup=False, emoji=False).print(table)
    return [name for name in columns if name not in shown]


def print_paragraph(text: str, indent: int) -> None:
    """Print words without breaking any of them, in lines that fit the terminal; all but the first are indented."""
    width = terminal_width() or sys.maxsize
    more = " " * indent
    print(textwrap.fill(text, width, subsequent_indent=more, break_long_words=False, break_on_hyphens=False))


def terminal_width() -> int | None:
    """Columns of the terminal that stdout is, or those that COLUMNS sets; None if there is no limit, as in a pipe."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() or "COLUMNS" in os.environ else None


def _natural_width(columns: Mapping[str, Sequence[str]]) -> int:
    """Width of a table none of whose cells is wrapped: two spaces and a line more for each column, and a line."""
    from rich.cells import cell_len

    return 1 + sum(3 + max(map(cell_len, (name, *cells))) for name, cells in columns.items())


def track(items: Iterable[T], total: int, title: str) -> Iterable[T]:
    """Yield `items` while a progress bar fills up to `total`; draw none if stderr is not a terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        yield from progress.track(items, total=total, description=title)
