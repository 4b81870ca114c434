"""The same name in other letters: recordings and patients are told apart by their names."""

from unicodedata import normalize


def composed(text: str) -> str:
    """A text in which ü is one letter: in files from a Mac it is two, u and a mark, and looks the same."""
    return normalize("NFC", text)
