"""How far a figure would move had other patients been recorded: the bootstrap over patients.

The windows of one patient resemble each other, so patients are drawn, not rows (Efron & Tibshirani 1993, chapter 8).
All measures of one call see the same draws: the difference of two rows of means is a paired bootstrap.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int

LEVEL = 0.95
"""Share of the draws that an interval holds."""


def bootstrap_means(
    values: Float[np.ndarray, "measure row"], patient_id: Int[np.ndarray, " row"], draws: int, seed: int
) -> Float[np.ndarray, "measure draw"]:
    """The mean over rows of each measure when as many patients as there are get drawn with replacement.

    Raises ValueError for no draws.
    """
    if draws < 1:
        raise ValueError(f"draws: want at least 1, got {draws}")
    patients, place = np.unique(patient_id, return_inverse=True)
    sums = np.stack([np.bincount(place, one, len(patients)) for one in values])  # measure patient
    rows = np.bincount(place, minlength=len(patients))
    share = np.full(len(patients), 1 / len(patients))
    times = np.random.default_rng(seed).multinomial(len(patients), share, size=draws)  # draw patient
    return sums @ times.T / (times @ rows)


def interval(means: Float[np.ndarray, "*measure draw"]) -> Float[np.ndarray, "*measure 2"]:
    """Where the middle 95 % of the draws lie: lower and upper end."""
    outside = (1 - LEVEL) / 2
    return np.stack(np.quantile(means, [outside, 1 - outside], axis=-1), axis=-1)


def told(difference: float, ends: Sequence[float], other: str, digits: int) -> str:
    """A difference with its interval, or that there is none: one whose interval holds 0 may be chance."""
    if ends[0] <= 0 <= ends[1]:
        return f"= {other}"
    return f"{difference:+.{digits}f} ({ends[0]:+.{digits}f} to {ends[1]:+.{digits}f})"
