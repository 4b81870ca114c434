"""The ten seconds of a timeline, those from 0, 10, 20 ... s on, on which a labelled stretch of time votes.

An annotation and a row of a table vote alike, so that readers' votes meet though their marks differ by a second.
"""

from math import ceil, floor

from hms.window_lengths import CENTRE_S

TOO_LITTLE = "covers less than half of every ten seconds (0 to 10, 10 to 20 ...)"
"""What is said of a stretch that votes on nothing."""

_HALF_S = CENTRE_S / 2 - 1e-6  # less a rounding


def covered_s(onset_s: float, duration_s: float) -> list[float]:
    """The middle of each ten seconds that a stretch covers by half or more."""
    if duration_s <= _HALF_S:
        return []
    first = floor((onset_s + _HALF_S) / CENTRE_S)
    end = ceil((onset_s + duration_s - _HALF_S) / CENTRE_S)
    return [CENTRE_S * (number + 0.5) for number in range(first, end)]
