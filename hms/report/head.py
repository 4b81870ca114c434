"""A head from above, nose up: electrodes as dots, pairs as lines as strong as they counted."""

from typing import NamedTuple

import numpy as np

from hms.electrodes import POSITIONS, SCALP

_OUTER = 0.8  # of the radius at which the ring of Fp1 ... O2 is drawn; that ring lies 72 degrees from the vertex
_LEAST = 0.12  # how strong a line is that counted nothing


def _seen_from_above() -> dict[str, tuple[float, float]]:
    tilt = np.arccos(POSITIONS[:, 2]) / np.radians(72) * _OUTER
    turn = np.arctan2(POSITIONS[:, 1], POSITIONS[:, 0])
    places = zip(SCALP, tilt * np.cos(turn), -tilt * np.sin(turn), strict=True)
    return {name: (round(100 * float(x), 1), round(100 * float(y), 1)) for name, x, y in places}


DOTS = _seen_from_above()
"""Centre of each electrode, in hundredths of the head's radius: x to the right, y down."""


class Line(NamedTuple):
    """A pair."""

    name: str
    ends: tuple[float, float, float, float]
    """x1, y1, x2, y2."""
    share: float
    strength: float
    """From 0 to 1, the strongest of the head."""


def lines(shares: dict[str, float]) -> list[Line]:
    """A line per pair such as `Fp1-F7`, the weakest first, so that it lies below."""
    top = max(shares.values()) or 1.0
    found = []
    for name, share in sorted(shares.items(), key=lambda item: item[1]):
        one, other = name.split("-")
        found.append(Line(name, (*DOTS[one], *DOTS[other]), share, max(_LEAST, share / top)))
    return found
