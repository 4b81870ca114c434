"""Any sampling rate to the project's 200 Hz, a piece at a time, as if the whole had been resampled at once.

A linear-phase low-pass keeps 0-80 Hz and takes 80 dB off what lies above 100 Hz and would be folded down.
"""

from collections.abc import Callable
from fractions import Fraction

import numpy as np
from jaxtyping import Float
from scipy import signal

from hms.electrodes import SFREQ_HZ

_STOP_DB = 80.0
_WIDTH = 0.2  # of the lower of both rates' halves: from 80 to 100 %
_DRIFT = 1e-6  # of time, 0.1 s a day: a rate is taken for a simple ratio that comes as near, as good a clock does

Read = Callable[[int, int], Float[np.ndarray, "channel time"]]
"""Samples from the first up to the last of two numbers, at the rate of the file."""


class Resampler:
    """`read`, of a recording of `samples` at `sfreq_hz`, at 200 Hz.

    Beyond its ends the recording is thought to go on as it ends. NaN becomes NaN, and spoils nothing beside it.
    """

    def __init__(self, read: Read, samples: int, sfreq_hz: float):
        ratio = _simplest(Fraction(SFREQ_HZ) / Fraction(sfreq_hz))
        self.up, self.down = ratio.numerator, ratio.denominator
        self.samples = -(-samples * self.up // self.down)
        """How many there are at 200 Hz."""
        self._read, self._stored = read, samples
        self._level = np.nan_to_num(read(0, 1))  # an offset of a hundred millivolts would leave a ripple
        half_hz, fine_hz = min(SFREQ_HZ, sfreq_hz) / 2, sfreq_hz * self.up
        count, beta = signal.kaiserord(_STOP_DB, _WIDTH * half_hz / (fine_hz / 2))
        self._taps = signal.firwin(count | 1, (1 - _WIDTH / 2) * half_hz, window=("kaiser", beta), fs=fine_hz)
        self._margin = -(-len(self._taps) // (2 * self.up * self.down))  # blocks of `down` samples

    def __call__(self, first: int, last: int) -> Float[np.ndarray, "channel time"]:
        """Samples at 200 Hz from `first` up to `last`, both within the recording."""
        if self.up == self.down:
            return self._read(first, last)
        begin, end = first // self.up - self._margin, -(-last // self.up) + self._margin  # blocks
        wanted = self._within(begin * self.down, end * self.down)
        missing = np.isnan(wanted)
        if missing.all():
            return np.full((len(wanted), last - first), np.nan)
        bridged = _bridged(wanted, missing)
        made = signal.resample_poly(bridged, self.up, self.down, 1, self._taps)  # type: ignore[call-overload]
        nearest = np.minimum(np.arange(made.shape[1]) * self.down // self.up, wanted.shape[1] - 1)
        made[missing[:, nearest]] = np.nan
        return made[:, first - begin * self.up :][:, : last - first] + self._level

    def _within(self, first: int, last: int) -> Float[np.ndarray, "channel time"]:
        inside = self._read(max(first, 0), min(last, self._stored)) - self._level
        return np.pad(inside, ((0, 0), (max(0, -first), max(0, last - self._stored))), mode="edge")


def _simplest(ratio: Fraction) -> Fraction:
    finer = (ratio.limit_denominator(2**bits) for bits in range(1, 40))
    return next(one for one in finer if abs(one / ratio - 1) < _DRIFT)


def _bridged(values: Float[np.ndarray, "channel time"], missing: np.ndarray) -> Float[np.ndarray, "channel time"]:
    """A straight line over what is missing, so that a filter meets no jump."""
    if not missing.any():
        return values
    filled, at = np.where(missing, 0.0, values), np.arange(values.shape[1])
    for row, gone in zip(filled, missing, strict=True):
        if gone.any() and not gone.all():
            row[gone] = np.interp(at[gone], at[~gone], row[~gone])
    return filled
