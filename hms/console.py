"""One look for everything said to the person at the terminal: results on stdout, what goes on on stderr."""

import sys
from collections.abc import Iterable
from typing import TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

T = TypeVar("T")


def say(text: str) -> None:
    """Print a line about what goes on."""
    print(text, file=sys.stderr, flush=True)


def print_table(table: Table, width: int) -> None:
    """Print to stdout, `width` characters wide where no terminal has a width to keep to."""
    console = Console()
    (console if console.is_terminal else Console(width=width)).print(table)


def track(items: Iterable[T], total: int, title: str) -> Iterable[T]:
    """Yield `items` while a bar titled `title` fills up to `total`; silent where no terminal is."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        yield from progress.track(items, total=total, description=title)
