"""Compute regional spectrograms from EEG in the same way as the competition's ten-minute spectrogram files.

Band-pass 0.5-40 Hz (Butterworth 3, zero-phase), multitaper (time-bandwidth 2, 3 tapers, 4 s windows every 2 s), power
per Hz averaged over tapers and over the four bipolar pairs of a region. The organisers published no code; the recipe
was recovered from their files and agrees with them in log-power at r >= 0.9998.
"""

from functools import cache

import numpy as np
import scipy  # imports its parts when they are first used: scipy.signal alone takes seconds
from jaxtyping import Bool, Float

from hms.electrodes import ELECTRODES, SFREQ_HZ

REGIONS = {
    "LL": ("Fp1-F7", "F7-T3", "T3-T5", "T5-O1"),
    "RL": ("Fp2-F8", "F8-T4", "T4-T6", "T6-O2"),
    "LP": ("Fp1-F3", "F3-C3", "C3-P3", "P3-O1"),
    "RP": ("Fp2-F4", "F4-C4", "C4-P4", "P4-O2"),
}
"""Left/right lateral (temporal) and parasagittal chains, in the order of the files."""

TAPER_S, STEP_S = 4, 2
"""Length and step of the tapered windows: each row of the spectrogram covers `TAPER_S` of EEG."""

_TAPERS = 3
BIN_HZ = SFREQ_HZ / 1024
_BINS = slice(3, 103)
FREQUENCIES_HZ = np.arange(_BINS.start, _BINS.stop) * BIN_HZ
"""(100,) centre of each column: 0.59 ... 19.92 Hz."""

COLUMNS = tuple(f"{region}_{np.floor(100 * hz + 0.5) / 100:g}" for region in REGIONS for hz in FREQUENCIES_HZ)
"""Names of the 400 power columns of a spectrogram file, region by region: LL_0.59 ... RP_19.92."""

PAIRS = np.array([[ELECTRODES.index(e) for e in pair.split("-")] for pairs in REGIONS.values() for pair in pairs])
"""(16, 2) indices of the electrodes of the longitudinal double banana, region by region (LL RL LP RP)."""


def bipolar(eeg: Float[np.ndarray, "electrode time"]) -> Float[np.ndarray, "16 time"]:
    """The difference of each of `PAIRS`."""
    return eeg[PAIRS[:, 0]] - eeg[PAIRS[:, 1]]


def regional_spectrogram(
    eeg: Float[np.ndarray, "time electrode"],
    sfreq_hz: float = SFREQ_HZ,
    unknown: Bool[np.ndarray, "16 time"] | None = None,
) -> Float[np.ndarray, "region row frequency"]:
    """Power (µV²/Hz) of the four regions in windows of 4 s that start at 0, 2, 4 ... s.

    Row j is centred at 2 + 2j s. `eeg` is in µV with the 20 channels of `ELECTRODES`; a window that touches a missing
    sample, or one of `PAIRS` where it is `unknown`, gives a NaN row for its region. A rate below 200 Hz gives the same
    bins if it is above 40 Hz.
    Raises ValueError for a recording shorter than one window.
    """
    size, step = round(TAPER_S * sfreq_hz), round(STEP_S * sfreq_hz)
    if len(eeg) < size:
        raise ValueError(f"eeg: want at least {TAPER_S} s, got {len(eeg) / sfreq_hz:g} s")
    pairs = bipolar(eeg.T)
    missing = np.isnan(pairs) if unknown is None else np.isnan(pairs) | unknown
    top_hz = min(40.0, 0.49 * sfreq_hz)
    sos = scipy.signal.butter(3, (0.5, top_hz), "bandpass", fs=sfreq_hz, output="sos")
    filtered = scipy.signal.sosfiltfilt(sos, _filled(pairs, missing)).astype(np.float32)

    windows = np.lib.stride_tricks.sliding_window_view(filtered, size, axis=1)[:, ::step]
    touched = np.lib.stride_tricks.sliding_window_view(missing, size, axis=1)[:, ::step].any(axis=2)
    power = np.zeros((*windows.shape[:2], len(FREQUENCIES_HZ)), np.float32)
    for taper in _tapers(size):  # one at a time, so that a long recording needs little memory
        spectrum = scipy.fft.rfft(windows * taper, round(sfreq_hz / BIN_HZ))[..., _BINS]  # SciPy's keeps float32
        power += (spectrum.real**2 + spectrum.imag**2) / np.float32(_TAPERS * sfreq_hz)
    power[touched] = np.nan
    return power.reshape(len(REGIONS), 4, -1, len(FREQUENCIES_HZ)).mean(axis=1).round(2)


def _filled(pairs: Float[np.ndarray, "16 time"], missing: Bool[np.ndarray, "16 time"]) -> Float[np.ndarray, "16 time"]:
    """The pairs with the mean of each where it is missing: 0 would make a step of an electrode's offset."""
    if not missing.any():
        return pairs
    known = np.where(missing, 0.0, pairs)
    return np.where(missing, known.sum(axis=1, keepdims=True) / (~missing).sum(axis=1, keepdims=True).clip(1), pairs)


@cache
def _tapers(size: int) -> Float[np.ndarray, "taper time"]:
    """Slepian tapers of unit energy."""
    return scipy.signal.windows.dpss(size, 2, _TAPERS).astype(np.float32)
