"""Mistakes a user can make and mend; an entry point prints them without a traceback."""

import difflib
from collections.abc import Iterable


class UserError(Exception):
    """The base of both; its text names the place, the wish and the value."""


class ConfigError(UserError):
    """A config that cannot be built."""


class DataError(UserError):
    """A file, or several, that cannot be used."""


def nearest(word: object, known: Iterable[str]) -> str:
    """A hint at the known word that is most like `word`, if one is."""
    found = nearest_word(word, known)
    return f"; did you mean '{found}'?" if found else ""


def nearest_word(word: object, known: Iterable[str]) -> str | None:
    """The known word that is most like `word`, if one is."""
    spelling = {one.lower(): one for one in sorted(map(str, known), reverse=True)}  # Adamw: AdamW before adamw
    close = difflib.get_close_matches(str(word).lower(), spelling, 1, cutoff=0.5)
    return spelling[close[0]] if close else None


def first_line(error: BaseException) -> str:
    """The first line of an error's text, for a message of our own."""
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
