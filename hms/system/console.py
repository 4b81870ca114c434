"""Everything printed for the person at the terminal: results to stdout, progress and warnings to stderr."""

import multiprocessing
import os
import shutil
import sys
import textwrap
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import TypeVar

T = TypeVar("T")


def say(text: str) -> None:
    """Print progress or a warning to stderr."""
    print(text, file=sys.stderr, flush=True)


def counted(number: int, noun: str) -> str:
    """A number and its noun, which takes an s unless the number is 1."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def duration_text(seconds: float) -> str:
    """`9.6 s`, `1 min 40 s`, `23 h 59 min 50 s`: to 0.1 s below a minute, to 1 s above."""
    if round(seconds, 1) < 60:
        return f"{round(seconds, 1):g} s"
    minutes, rest = divmod(round(seconds), 60)
    parts = {"h": minutes // 60, "min": minutes % 60, "s": rest}
    return " ".join(f"{number:,} {unit}" for unit, number in parts.items() if number)


def and_more(number: int, noun: str) -> str:
    """The end of a message about one of several: how many more there are; empty if there are none."""
    return f" (and {counted(number, f'more {noun}')})" if number else ""


def some(names: Sequence[str], most: int, noun: str = "") -> str:
    """The first `most` names, and how many more there are, as in `Fp1, F7 and 3 more`, or `... and 3 more channels`."""
    left = len(names) - most
    more = counted(left, f"more {noun}") if noun else f"{left:,} more"
    return ", ".join(names[:most]) + (f" and {more}" if left > 0 else "")


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


def track(
    items: Iterable[T],
    total: int,
    title: str,
    noun: str = "",
    size: Callable[[T], int] = lambda _: 1,
    every_s: float = 60,
) -> Iterator[T]:
    """Yield `items`, of which each is `size(item)` of `total`, and show on stderr how far they are.

    In a terminal, a progress bar fills up. Elsewhere, as in a log, a line is printed after each item that ends
    `every_s` or more after the one before, and none in worker processes.
    """
    from rich.console import Console
    from rich.markup import escape
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    in_log = not console.is_terminal and multiprocessing.parent_process() is None
    began_s = said_s = time.monotonic()
    done = 0
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task(escape(title), total=total)
        for item in items:
            yield item
            done += size(item)
            progress.update(task, completed=done)
            now_s = time.monotonic()
            if in_log and done < total and now_s - said_s >= every_s:
                said_s, left_s = now_s, (now_s - began_s) * (total - done) / done
                say(f"{title}: {done:,} of {counted(total, noun) if noun else f'{total:,}'}, {_about(left_s)} left")


def of_several(name: str, number: int, total: int) -> str:
    """One of several by name and number, such as `night (3 of 9)`; only its name if it is the only one."""
    return f"{name} ({number} of {total})" if total > 1 else name


def _about(seconds: float) -> str:
    """A duration in whole minutes, or from two hours on in whole hours."""
    minutes = max(1, round(seconds / 60))
    return f"about {counted(minutes, 'minute') if minutes < 120 else counted(round(minutes / 60), 'hour')}"
