"""The same name in other letters: recordings and patients are told apart by their names."""

from collections.abc import Iterable
from unicodedata import normalize


def composed(text: str) -> str:
    """A text in which ü is one letter: in files from a Mac it is two, u and a mark, and looks the same."""
    return normalize("NFC", text)


def alike(names: Iterable[str]) -> list[list[str]]:
    """Names that differ only in case or spaces from another, together with it; each group, and all groups, in order."""
    groups: dict[str, list[str]] = {}
    for name in sorted({*names}):
        groups.setdefault("".join(name.casefold().split()), []).append(name)
    return [group for group in groups.values() if len(group) > 1]
