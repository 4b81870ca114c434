"""Draw a window of EEG as a neurologist reads it: double banana, negative up, filtered for display.

The chains are in the order of the competition's spectrogram regions, with midline and EKG below. All 50 s are drawn,
thinned to what a screen can show; the central 10 s, to which votes refer, keep 100 samples per second.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int
from scipy import signal

from hms.electrodes import ELECTRODES, SFREQ_HZ
from hms.page.regions import NAMES
from hms.spectrogram_recipe import REGIONS
from hms.window_lengths import BEFORE_S, CENTRE_S

CHAINS = {
    **{NAMES[region]: pairs for region, pairs in REGIONS.items()},
    "midline": ("Fz-Cz", "Cz-Pz"),
    "heart": ("EKG",),
}
PASS_HZ = (0.5, 40.0)
NOTCH_HZ = (50, 60)

ROW, GAP = 32, 14  # pixels between traces, and extra pixels between chains
SENSITIVITIES_UV = (30, 50, 70, 100, 150, 200, 300, 500, 700, 1000)
_STEPS = 64  # per row, half a pixel each: whole numbers keep the text of a path short
_REACH = 2.0  # rows that a trace may swing to either side before it is clipped
_BUCKET = 10  # samples of which only the minimum and the maximum are drawn, outside the central 10 s
_CENTRE = slice(BEFORE_S * SFREQ_HZ, (BEFORE_S + CENTRE_S) * SFREQ_HZ)


class Trace(NamedTuple):
    """One trace of the drawing."""

    label: str
    side: str
    """left, right, middle or heart."""
    y: float
    """Position of its zero line, in pixels from the top."""
    path: str
    """SVG path, in units of one sample to the right and 1/64 of a row down."""


class Drawing(NamedTuple):
    """All traces of a window."""

    traces: list[Trace]
    height: float
    row_uv: int
    """Sensitivity: µV between two traces."""


def draw(eeg: Float[np.ndarray, "electrode time"], groups: Int[np.ndarray, "electrode time"] | None = None) -> Drawing:
    """Draw 50 s of the twenty channels in µV at 200 Hz; missing samples leave gaps.

    So do differences between electrodes in different `groups` (None: all differences are known).
    """
    pairs = {pair: for_display(_pair(eeg, groups, pair)) for pairs in CHAINS.values() for pair in pairs}
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
    index = np.arange(len(values))
    filtered = np.interp(index, index[~missing], values[~missing])
    for hz in NOTCH_HZ:
        filtered = signal.filtfilt(*signal.iirnotch(hz, 30, fs=SFREQ_HZ), filtered)
    filtered = signal.sosfiltfilt(signal.butter(2, PASS_HZ, "bandpass", fs=SFREQ_HZ, output="sos"), filtered)
    return np.where(missing, np.nan, filtered)


def _pair(
    eeg: Float[np.ndarray, "electrode time"], groups: Int[np.ndarray, "electrode time"] | None, name: str
) -> Float[np.ndarray, " time"]:
    if name in ELECTRODES:
        return eeg[ELECTRODES.index(name)].astype(float)
    one, other = (ELECTRODES.index(part) for part in name.split("-"))
    values = eeg[one].astype(float) - eeg[other]
    return values if groups is None else np.where(groups[one] == groups[other], values, np.nan)


def _side(chain: str) -> str:
    return {"midline": "middle", "heart": "heart"}.get(chain) or chain.partition(" ")[0]


def _swing(values: Float[np.ndarray, "..."]) -> float:
    """The 99 % quantile of the absolute values."""
    known = np.abs(values[np.isfinite(values)])
    return float(np.quantile(known, 0.99)) if known.size else 0.0


def _row_uv(pairs: Float[np.ndarray, "pair time"]) -> int:
    """The sensitivity at which the median pair about fills its own row."""
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
    """Indices to draw: every second sample in the centre, minimum and maximum of each bucket elsewhere."""
    buckets = np.where(np.isfinite(values), values, 0.0)[: len(values) // _BUCKET * _BUCKET].reshape(-1, _BUCKET)
    first = np.arange(len(buckets)) * _BUCKET
    ends = np.concatenate([first + buckets.argmin(axis=1), first + buckets.argmax(axis=1), [0, len(values) - 1]])
    outside = ends[(ends < _CENTRE.start) | (ends >= _CENTRE.stop)]
    return np.unique(np.concatenate([outside, np.arange(_CENTRE.start, _CENTRE.stop, 2)]))
