"""Everything printed for the person at the terminal: results to stdout, progress and warnings to stderr."""

import sys
from collections.abc import Iterable
from typing import TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

T = TypeVar("T")


def say(text: str) -> None:
    """Print progress or a warning to stderr."""
    print(text, file=sys.stderr, flush=True)


def print_table(table: Table, width: int) -> None:
    """Print to stdout, in the terminal's width, or `width` characters wide if stdout is not a terminal."""
    console = Console()
    (console if console.is_terminal else Console(width=width)).print(table)


def track(items: Iterable[T], total: int, title: str) -> Iterable[T]:
    """Yield `items` while a progress bar fills up to `total`; draw none if stderr is not a terminal."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        yield from progress.track(items, total=total, description=title)
