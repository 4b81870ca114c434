"""Notes on filters that a file says its EEG has passed, if they take away what experts judge.

Other formats than EDF and BDF are taken at MNE-Python's word. Of these two it knows no time constants, and of several
channels it gives the strongest filter, which is often that of the EKG.
"""

import math
import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np

_HIGHEST_HZ, _LOWEST_HZ = 1.0, 20.0
"""Of a high-pass and of a low-pass that leave what experts judge: rhythmic delta begins at 0.5 Hz."""

_FILTER = re.compile(r"\b(HP|LP)\s*[:=]?\s*(\d+[.,]?\d*|[.,]\d+)\s*(k?Hz|m?s(?:ec)?)?(?!\w|[.,][\w.,])", re.IGNORECASE)
"""Such as `HP:0.1Hz`, `LP: 75 Hz`, or `HP 1.6s`, a time constant; not `HP:DC` or the `HP:-1Hz` of no filter."""


class Passband(NamedTuple):
    """The cut-offs of a high-pass and of a low-pass; NaN for one that is not stated."""

    high_pass_hz: float
    low_pass_hz: float


def passband_notes(passbands: Iterable[Passband]) -> Iterator[str]:
    """Notes on the filters of a file's EEG, given those of each of its channels: the median of what is stated."""
    high_hz, low_hz = (
        float(np.median(stated)) if (stated := [hz for hz in column if not math.isnan(hz)]) else math.nan
        for column in zip(*passbands, strict=True)
    )
    says = "The file says that its EEG was"
    if high_hz > _HIGHEST_HZ:
        yield f"{says} high-passed at {high_hz:.2g} Hz: if so, slow rhythms (LRDA, GRDA) cannot be judged."
    if low_hz < _LOWEST_HZ:
        yield f"{says} low-passed at {low_hz:.2g} Hz: if so, fast activity cannot be judged."


def passband_of(prefilter: str) -> Passband:
    """What the prefilter field of an EDF or BDF header states; nothing if its cut-offs contradict each other."""
    stated = {name.upper(): _hz(number, unit.lower()) for name, number, unit in _FILTER.findall(prefilter)}
    found = Passband(stated.get("HP", math.nan), stated.get("LP", math.nan))
    return Passband(math.nan, math.nan) if found.high_pass_hz >= found.low_pass_hz else found


def _hz(number: str, unit: str) -> float:
    """A cut-off, also from a time constant; NaN for 0, which is no filter."""
    value = float(number.replace(",", "."))
    if not value:
        return math.nan
    if unit.endswith("hz"):
        return 1000 * value if unit == "khz" else value
    return 1 / (2 * math.pi * (value / 1000 if unit.startswith("ms") else value)) if unit else value
