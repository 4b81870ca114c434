"""Count the windows of an EEG that can be used but say little, to report how good a corpus is."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from hms.electrodes import SCALP
from hms.window_lengths import EEG_SAMPLES

_COARSE = 500  # samples; a channel that changes between any of every 500th is not constant, which settles nearly all


class Flaws(NamedTuple):
    """How many windows have each flaw."""

    constant: int
    """A scalp channel has a single value throughout, as if it were not connected."""
    missing: int
    """More than a tenth of the samples of the scalp channels are missing."""


def flaws_of(eeg: Float[np.ndarray, "time electrode"], starts: Int[np.ndarray, " row"]) -> Flaws:
    """The flaws of the windows of an EEG, given by their first samples."""
    scalp = eeg[:, : len(SCALP)]
    windows = [scalp[start : start + EEG_SAMPLES] for start in starts]
    missing = sum(np.isnan(window).mean() > 0.1 for window in windows) if np.isnan(scalp).any() else 0
    return Flaws(sum(map(_has_constant_channel, windows)), int(missing))


def _has_constant_channel(window: Float[np.ndarray, "time channel"]) -> bool:
    coarse = window[::_COARSE]
    return any(np.ptp(window[:, channel]) == 0 for channel in np.flatnonzero((coarse == coarse[0]).all(axis=0)))
