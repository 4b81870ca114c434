"""Resample from any rate to the project's 200 Hz, a piece at a time, as if the whole were resampled at once.

A linear-phase low-pass keeps 0-80 Hz and attenuates by 80 dB what lies above 100 Hz and would alias.
"""

from collections.abc import Callable
from fractions import Fraction

import numpy as np
from jaxtyping import Float
from scipy import signal

from hms.electrodes import SFREQ_HZ

_STOP_DB = 80.0
_WIDTH = 0.2  # the transition band: 80 to 100 % of the lower Nyquist frequency
_DRIFT = 1e-6  # 0.1 s a day, as good as a clock: a rate this near a simple ratio to 200 Hz is taken to be that ratio


class Resampler:
    """Read at 200 Hz a recording of `samples` at `sfreq_hz`.

    `read(first, last)` returns its samples `first` up to `last`. Beyond its ends the recording is extended by its first
    and last sample. NaN stays NaN and does not spread.
    """

    def __init__(self, read: Callable[[int, int], Float[np.ndarray, "channel time"]], samples: int, sfreq_hz: float):
        ratio = _simplest(Fraction(SFREQ_HZ) / Fraction(sfreq_hz))
        self.up, self.down = ratio.numerator, ratio.denominator
        self.samples = -(-samples * self.up // self.down)
        """Number of samples at 200 Hz."""
        self._read, self._stored = read, samples
        half_hz, fine_hz = min(SFREQ_HZ, sfreq_hz) / 2, sfreq_hz * self.up
        count, beta = signal.kaiserord(_STOP_DB, _WIDTH * half_hz / (fine_hz / 2))
        self._taps = signal.firwin(count | 1, (1 - _WIDTH / 2) * half_hz, window=("kaiser", beta), fs=fine_hz)
        for phase in range(self.up):  # a constant stays one: an offset of a hundred millivolts would leave a ripple
            self._taps[phase :: self.up] /= self.up * self._taps[phase :: self.up].sum()
        self._margin = -(-len(self._taps) // (2 * self.up * self.down))  # blocks of `down` samples

    def __call__(self, first: int, last: int) -> Float[np.ndarray, "channel time"]:
        """Samples at 200 Hz from `first` up to `last`, both within the recording."""
        if self.up == self.down:
            return self._read(first, last)
        begin, end = first // self.up - self._margin, -(-last // self.up) + self._margin  # blocks
        stored = self._extended(begin * self.down, end * self.down)
        missing = np.isnan(stored)
        if missing.all():
            return np.full((len(stored), last - first), np.nan)
        bridged = _bridged(stored, missing)
        resampled = signal.resample_poly(bridged, self.up, self.down, 1, self._taps)  # type: ignore[call-overload]
        nearest = np.minimum(np.arange(resampled.shape[1]) * self.down // self.up, stored.shape[1] - 1)
        resampled[missing[:, nearest]] = np.nan
        return resampled[:, first - begin * self.up :][:, : last - first]

    def _extended(self, first: int, last: int) -> Float[np.ndarray, "channel time"]:
        inside = self._read(max(first, 0), min(last, self._stored))
        return np.pad(inside, ((0, 0), (max(0, -first), max(0, last - self._stored))), mode="edge")


def _simplest(ratio: Fraction) -> Fraction:
    finer = (ratio.limit_denominator(2**bits) for bits in range(1, 40))
    return next(rate for rate in finer if abs(rate / ratio - 1) < _DRIFT)


def _bridged(values: Float[np.ndarray, "channel time"], missing: np.ndarray) -> Float[np.ndarray, "channel time"]:
    """Bridge missing samples by straight lines, so that the filter meets no jump."""
    if not missing.any():
        return values
    filled, at = np.where(missing, 0.0, values), np.arange(values.shape[1])
    for row, gone in zip(filled, missing, strict=True):
        if gone.any() and not gone.all():
            row[gone] = np.interp(at[gone], at[~gone], row[~gone])
    return filled
