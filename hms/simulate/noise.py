"""Coloured noise in two bands: below 22 Hz for the whole recording, above it only within an EEG file.

The ten-minute spectrogram ends at 20 Hz, so 50 Hz sampling is enough for the minutes around an EEG file; the file has
the same slow noise, interpolated exactly, plus the fast band.
"""

from collections.abc import Callable
from typing import Literal

import numpy as np
from jaxtyping import Float
from scipy import fft

from hms.electrodes import SFREQ_HZ
from hms.simulate.clock import Clock

SLOW_HZ = 50
"""Sampling rate of the slow band."""

_CROSSOVER_HZ = (21.5, 24.0)
_MARGIN_S = 4.0

Spectrum = Callable[[Float[np.ndarray, " frequency"]], Float[np.ndarray, "*channel frequency"]]
"""Power (µV²/Hz, one-sided) at each frequency, common to all channels or per channel."""


def _slow_share(hz: Float[np.ndarray, " frequency"]) -> Float[np.ndarray, " frequency"]:
    low, high = _CROSSOVER_HZ
    return np.cos(0.5 * np.pi * np.clip((hz - low) / (high - low), 0, 1)) ** 2


def coloured(
    rng: np.random.Generator, channels: int, clock: Clock, spectrum: Spectrum, band: Literal["slow", "fast"]
) -> Float[np.ndarray, "channel time"]:
    """Independent Gaussian noise (µV) with the given spectrum, restricted to one of the two bands."""
    size = fft.next_fast_len(clock.samples, real=True)
    hz = np.arange(size // 2 + 1) * (clock.sfreq_hz / size)
    share = _slow_share(hz) if band == "slow" else 1 - _slow_share(hz)
    power = np.concatenate([[1.0], hz[1:]])  # without 0 Hz, where spectra have poles
    power = spectrum(power) * share * (hz > 0)
    # One-sided power P is |X|² · 2 / (rate · size), shared equally by the real and imaginary parts. These are uniform,
    # with variance 1/12, which is cheaper to draw than Gaussian: a sum of thousands of waves is Gaussian anyway.
    gain = np.sqrt(12 * power * clock.sfreq_hz * size / 4).astype(np.float32)
    parts = rng.random((channels, len(hz), 2), dtype=np.float32)
    parts -= np.float32(0.5)
    waves = parts.view(np.complex64)[..., 0]
    waves *= gain
    return fft.irfft(waves, size, axis=1, overwrite_x=True)[:, : clock.samples]


def interpolate(
    slow: Float[np.ndarray, "channel slow_time"], slow_clock: Clock, clock: Clock
) -> Float[np.ndarray, "channel time"]:
    """The slow band at the EEG's sampling rate, by zero-padding its Fourier transform; exact to 0.1 %.

    Four seconds, faded, on either side keep the wrap-around of the transform out of the requested stretch.
    """
    factor = SFREQ_HZ // SLOW_HZ
    duration_s = clock.samples / SFREQ_HZ
    wide = slow_clock.part(clock.start_s - _MARGIN_S, duration_s + 2 * _MARGIN_S)
    size = wide.stop - wide.start
    margin = round(_MARGIN_S * SLOW_HZ)
    fade = np.ones(size, np.float32)
    fade[:margin] = np.sin(0.5 * np.pi * np.arange(margin) / margin) ** 2
    fade[-margin:] = fade[margin - 1 :: -1]
    fine = fft.irfft(fft.rfft(slow[:, wide] * fade, axis=1), factor * size, axis=1)
    return fine[:, factor * margin : factor * margin + clock.samples] * np.float32(factor)
