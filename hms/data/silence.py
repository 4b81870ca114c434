"""Tell EEG from the lack of any: an unplugged amplifier, or electrocerebral inactivity, holds no pattern to classify.

The amplitude of an EEG is that of its median pair of electrodes between 0.5 and 30 Hz, which leaves out offsets, drifts
and mains. A signal of a second or two is enough to count, so that burst suppression is EEG.
"""

import numpy as np
from jaxtyping import Float, Shaped

from hms.electrodes import SCALP, SFREQ_HZ
from hms.spectrogram_recipe import PAIRS, bipolar
from hms.window_lengths import BEFORE_S, CENTRE_S

NO_SIGNAL_UV = 0.4
"""SD of an EEG below which it is taken to hold no signal: about 2.4 µV from peak to peak.

ACNS 2021 calls less than 10 µV suppressed, which is EEG and stays above; electrocerebral inactivity is less than 2 µV,
and the noise of amplifiers of up to 0.5 µV (SD, to 100 Hz) is below 0.4 µV in this band, although pairs add it up.
"""

BAND_HZ = 0.5, 30.0
NO_SIGNAL = f"SD below {NO_SIGNAL_UV} µV in {BAND_HZ[0]:g}-{BAND_HZ[1]:g} Hz: unplugged, or electrocerebral inactivity"
"""What the lack of a signal is, in words."""

_SEGMENT, _HOP = 2 * SFREQ_HZ, SFREQ_HZ  # samples


def amplitude_uv(eeg: Float[np.ndarray, "electrode time"]) -> float:
    """SD of the median pair from 0.5 to 30 Hz, of a few seconds in µV at 200 Hz; NaN if less than 2 s were recorded.

    It is measured in 2 s at a time, without their line, and thus sees half of the amplitude of a 0.5 Hz wave, and all
    of it from 1 Hz on.
    """
    if eeg.shape[1] < _SEGMENT:
        return np.nan
    scalp = eeg[: len(SCALP)].astype(float)
    segments = _segments(bipolar(np.nan_to_num(scalp)))
    power = np.square(segments @ _TRANSFORM).sum(axis=2)
    if (gone := np.isnan(scalp)).any():
        power[_segments(gone[PAIRS].any(axis=1)).any(axis=2)] = np.nan
    means = np.nanmean(power[np.isfinite(power).any(axis=1)], axis=1)
    return float(np.sqrt(np.median(means))) if len(means) else np.nan


def centre_uv(window: Float[np.ndarray, "electrode time"]) -> float:
    """`amplitude_uv` of the central 10 s of a window of 50 s, which a prediction is about."""
    return amplitude_uv(window[:, BEFORE_S * SFREQ_HZ :][:, : CENTRE_S * SFREQ_HZ])


def _segments(values: Shaped[np.ndarray, "pair time"]) -> Shaped[np.ndarray, "pair segment sample"]:
    return np.lib.stride_tricks.sliding_window_view(values, _SEGMENT, axis=1)[:, ::_HOP]


def _transform() -> Float[np.ndarray, "time part"]:
    """Remove a line, apply a Hann window, and give the Fourier coefficients of the band, whose squares sum to SD²."""
    at = np.arange(_SEGMENT)
    line = np.stack([np.ones(_SEGMENT), at / _SEGMENT], axis=1)
    window = 0.5 - 0.5 * np.cos(2 * np.pi * (at + 0.5) / _SEGMENT)
    weighted = window[:, None] * line  # fitted under the window: an unweighted fit would let mains leak into the slope
    hz = np.fft.rfftfreq(_SEGMENT, 1 / SFREQ_HZ)
    angles = 2 * np.pi * at[:, None] / SFREQ_HZ * hz[(hz >= BAND_HZ[0]) & (hz <= BAND_HZ[1])]
    waves = window[:, None] * np.hstack([np.cos(angles), np.sin(angles)])
    return (waves - weighted @ np.linalg.solve(line.T @ weighted, line.T @ waves)) * np.sqrt(
        2 / _SEGMENT / np.square(window).sum()
    )


_TRANSFORM = _transform()
