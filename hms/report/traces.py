"""Draw a window of EEG as a neurologist reads it: the double banana, negative up, filtered for display.

The order of the chains is that of the competition's spectrogram regions, midline and EKG below. 50 s are drawn, thinned
to what a screen shows; the central 10 s, which the experts labelled, keep 100 samples a second.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from scipy import signal

from hms.electrodes import ELECTRODES, SFREQ_HZ
from hms.spectrogram_recipe import REGIONS
from hms.timing import BEFORE_S, CENTRE_S

CHAINS = {
    "left temporal": REGIONS["LL"],
    "right temporal": REGIONS["RL"],
    "left parasagittal": REGIONS["LP"],
    "right parasagittal": REGIONS["RP"],
    "midline": ("Fz-Cz", "Cz-Pz"),
    "heart": ("EKG",),
}
PASS_HZ = (0.5, 40.0)
NOTCH_HZ = (50, 60)

ROW, GAP = 32, 14  # pixels from trace to trace, and more between chains
SENSITIVITIES_UV = (30, 50, 70, 100, 150, 200, 300, 500, 700, 1000)
_STEPS = 64  # a row is as many steps high: half a pixel each, so that a path is short text
_REACH = 2.0  # rows that a trace may swing to either side before it is cut off
_BUCKET = 10  # samples outside the central 10 s of which the least and the greatest are drawn
_CENTRE = slice(BEFORE_S * SFREQ_HZ, (BEFORE_S + CENTRE_S) * SFREQ_HZ)


class Trace(NamedTuple):
    """One line of the drawing."""

    label: str
    side: str
    """left, right, middle or heart."""
    y: float
    """Of its zero line, pixels from the top."""
    path: str
    """SVG path: a unit is a sample to the right, and 1/64 of a row down."""


class Drawing(NamedTuple):
    """All lines of a window."""

    traces: list[Trace]
    height: float
    row_uv: int
    """µV from one trace to the next."""


def draw(eeg: Float[np.ndarray, "electrode time"]) -> Drawing:
    """Draw 50 s of the twenty channels in µV at 200 Hz; where a sample is missing, the line breaks."""
    pairs = {pair: for_display(_pair(eeg, pair)) for pairs in CHAINS.values() for pair in pairs}
    scalp = np.stack([values for pair, values in pairs.items() if pair != "EKG"])
    row_uv = _row_uv(scalp)
    traces, y = [], float(ROW)
    for chain, names in CHAINS.items():
        y += GAP
        for name in names:
            scale = row_uv if name != "EKG" else max(_swing(pairs[name]), 1.0)
            traces.append(Trace(name, _side(chain), y, _path(pairs[name] / scale)))
            y += ROW
    return Drawing(traces, y, row_uv)


def for_display(values: Float[np.ndarray, " time"]) -> Float[np.ndarray, " time"]:
    """Band-pass 0.5-40 Hz (Butterworth 2, zero-phase) and notches at 50 and 60 Hz; missing samples stay missing."""
    missing = ~np.isfinite(values)
    if missing.all():
        return values
    at = np.arange(len(values))
    filtered = np.interp(at, at[~missing], values[~missing])
    for hz in NOTCH_HZ:
        filtered = signal.filtfilt(*signal.iirnotch(hz, 30, fs=SFREQ_HZ), filtered)
    filtered = signal.sosfiltfilt(signal.butter(2, PASS_HZ, "bandpass", fs=SFREQ_HZ, output="sos"), filtered)
    return np.where(missing, np.nan, filtered)


def _pair(eeg: Float[np.ndarray, "electrode time"], name: str) -> Float[np.ndarray, " time"]:
    one, _, other = name.partition("-")
    values = eeg[ELECTRODES.index(one)].astype(float)
    return values - eeg[ELECTRODES.index(other)] if other else values


def _side(chain: str) -> str:
    return {"midline": "middle", "heart": "heart"}.get(chain) or chain.partition(" ")[0]


def _swing(values: Float[np.ndarray, "..."]) -> float:
    """How far the values go to either side, but for the farthest 1 %."""
    known = np.abs(values[np.isfinite(values)])
    return float(np.quantile(known, 0.99)) if known.size else 0.0


def _row_uv(pairs: Float[np.ndarray, "pair time"]) -> int:
    """The sensitivity at which the median pair swings over about its own row."""
    swing = float(np.median([_swing(values) for values in pairs]))
    return next((uv for uv in SENSITIVITIES_UV if uv >= 1.4 * swing), SENSITIVITIES_UV[-1])


def _path(rows: Float[np.ndarray, " time"]) -> str:
    """SVG path of values in rows; positive goes down, as EEG is drawn."""
    at = _thinned(rows)
    known = np.isfinite(rows[at])
    steps = np.rint(np.clip(np.where(known, rows[at], 0.0), -_REACH, _REACH) * _STEPS).astype(int)
    path = ""
    for part in np.split(np.arange(len(at)), np.flatnonzero(np.diff(known)) + 1):
        if known[part[0]]:
            path += f"M{at[part[0]]} {steps[part[0]]}"
            moves = zip(np.diff(at[part]).tolist(), np.diff(steps[part]).tolist(), strict=True)
            path += "l" + " ".join(f"{dx}{dy}" if dy < 0 else f"{dx} {dy}" for dx, dy in moves) if len(part) > 1 else ""
    return path


def _thinned(values: Float[np.ndarray, " time"]) -> np.ndarray:
    """Indices to draw: every second one in the centre, the least and the greatest of each bucket elsewhere."""
    buckets = np.where(np.isfinite(values), values, 0.0)[: len(values) // _BUCKET * _BUCKET].reshape(-1, _BUCKET)
    first = np.arange(len(buckets)) * _BUCKET
    ends = np.concatenate([first + buckets.argmin(axis=1), first + buckets.argmax(axis=1), [0, len(values) - 1]])
    aside = ends[(ends < _CENTRE.start) | (ends >= _CENTRE.stop)]
    return np.unique(np.concatenate([aside, np.arange(_CENTRE.start, _CENTRE.stop, 2)]))
