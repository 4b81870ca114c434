"""Errors that a user can cause and correct; entry points print them without a traceback."""

import difflib
from collections.abc import Iterable


class UserError(Exception):
    """The base of the others; its text names the place, what is wanted there, and what was found."""


class ConfigError(UserError):
    """A config from which nothing can be built."""


class DataError(UserError):
    """One or more files that cannot be used."""


def with_lines(head: str, lines: Iterable[str]) -> str:
    """A message whose lines after its `head` are indented."""
    return "\n  ".join([head, *lines])


def did_you_mean(word: object, known: Iterable[str]) -> str:
    """The end of a message that suggests the known word most similar to `word`; empty if none is similar."""
    suggestion = nearest_word(word, known)
    return f"; did you mean '{suggestion}'?" if suggestion else ""


def nearest_word(word: object, known: Iterable[str]) -> str | None:
    """The known word most similar to `word`, ignoring case, or else the only one that begins with it; None if neither.

    With a lower `cutoff`, foo would be called similar to fold, and workers to stores.
    """
    spelling = {name.lower(): name for name in sorted(map(str, known), reverse=True)}  # Adamw: AdamW before adamw
    typed = str(word).lower()
    begun = [name for name in spelling if name.startswith(typed)]
    close = difflib.get_close_matches(typed, spelling, 1, cutoff=0.65) or (begun if len(begun) == 1 else [])
    return spelling[close[0]] if close else None


def first_line(error: BaseException) -> str:
    """The first line of an error's text (or its type, if it has none), to quote in a message of ours."""
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
