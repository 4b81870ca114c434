"""All colours of the page, in light and dark, for its style sheet and its charts.

The six class colours are those of Okabe and Ito (2008), which colour-blind readers can tell apart, made darker on white
and lighter on black for contrast.
"""

from typing import NamedTuple

from hms.labels import CLASSES


class Colour(NamedTuple):
    """The colour of one role in both schemes, as #rrggbb."""

    light: str
    dark: str


COLOURS = {
    "paper": Colour("#ffffff", "#15181c"),
    "panel": Colour("#f6f7f8", "#1d2126"),
    "ink": Colour("#1b2026", "#e5e8eb"),
    "muted": Colour("#5c6670", "#a0a9b2"),
    "line": Colour("#dde1e5", "#333a41"),
    "model": Colour("#5a45b8", "#ab9dfb"),
    "experts": Colour("#b06000", "#f5b04d"),
    "truth": Colour("#1b2027", "#e5e8ec"),
    "left": Colour("#1d64a8", "#7cb7f2"),
    "right": Colour("#ad2f3b", "#f48b8b"),
    "shade": Colour("#fdf3d7", "#2b2719"),
}
"""`model` and `experts` colour predictions and votes; `left` and `right`, the sides of the head."""

CLASS_COLOURS = dict(
    zip(
        CLASSES,
        (
            Colour("#c4410a", "#f08a4b"),
            Colour("#0a72b0", "#5fb4ea"),
            Colour("#0b7a5c", "#3cc79b"),
            Colour("#a8528a", "#dd95c4"),
            Colour("#8a6d00", "#e3c33d"),
            Colour("#626b75", "#a3acb6"),
        ),
        strict=True,
    )
)


def light(role: str) -> str:
    """The light colour of a role, for a chart; the page replaces it in the dark scheme."""
    return (COLOURS | CLASS_COLOURS)[role].light


def dark_colours() -> dict[str, str]:
    """The dark counterpart of each light colour."""
    return {colour.light: colour.dark for colour in (COLOURS | CLASS_COLOURS).values()}
