"""Draw a head from above, nose up: electrodes as dots, pairs as lines whose strength is their weight."""

from typing import NamedTuple

import numpy as np

from hms.electrodes import POSITIONS, SCALP

_OUTER = 0.8  # of the head's radius: the ring of Fp1 ... O2, which lies 72 degrees from the vertex
_LEAST = 0.12  # strength of a line of weight 0, so that it stays visible


def _seen_from_above() -> dict[str, tuple[float, float]]:
    radius = np.arccos(POSITIONS[:, 2]) / np.radians(72) * _OUTER
    angle = np.arctan2(POSITIONS[:, 1], POSITIONS[:, 0])
    places = zip(SCALP, radius * np.cos(angle), -radius * np.sin(angle), strict=True)
    return {name: (round(100 * float(x), 1), round(100 * float(y), 1)) for name, x, y in places}


DOTS = _seen_from_above()
"""Centre of each electrode, in hundredths of the head's radius: x to the right, y down."""


class Line(NamedTuple):
    """A pair of electrodes as a line."""

    name: str
    ends: tuple[float, float, float, float]
    """x1, y1, x2, y2."""
    share: float
    strength: float
    """From 0 to 1, for the strongest line of the head."""


def lines(shares: dict[str, float]) -> list[Line]:
    """A line per pair such as `Fp1-F7`, weakest first, so that stronger ones are drawn on top."""
    top = max(shares.values()) or 1.0
    drawn = []
    for name, share in sorted(shares.items(), key=lambda item: item[1]):
        one, other = name.split("-")
        drawn.append(Line(name, (*DOTS[one], *DOTS[other]), share, max(_LEAST, share / top)))
    return drawn
