"""How far a figure would move had other patients been recorded: the bootstrap over patients.

The windows of one patient resemble each other, so patients are drawn, not rows (Efron & Tibshirani 1993, chapter 8).
All measures of one call see the same draws: the difference of two rows of means is a paired bootstrap.

With few patients the intervals are too short, as ends by percentiles are: of skewed losses (log-normal of SD 1,
exponential, gamma of shape 1/2; a row each, 3,000 samples of 1,000 draws) those of 95 % held the true mean in 82-88 %
of the samples of 12 patients, 88-92 % of 30 and 92-94 % of 100.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int

from hms.errors import UserError

LEVEL = 0.95
"""Share of the draws that an interval holds."""


def bootstrap_means(
    values: Float[np.ndarray, "measure row"], patient_id: Int[np.ndarray, " row"], draws: int, seed: int
) -> Float[np.ndarray, "measure draw"]:
    """The mean over rows of each measure when as many patients as there are get drawn with replacement.

    Raises UserError for no draws.
    """
    if draws < 1:
        raise UserError(f"draws: want at least 1, got {draws}")
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


def mean_interval(
    values: Float[np.ndarray, " row"], patient_id: Int[np.ndarray, " row"], draws: int, seed: int
) -> list[float] | None:
    """Lower and upper end for the mean over rows; None for fewer than two patients, who cannot tell of others.

    Raises UserError for no draws.
    """
    ends: list[float] = interval(bootstrap_means(values[None], patient_id, draws, seed))[0].tolist()
    return ends if (patient_id != patient_id[0]).any() else None


def format_interval(ends: Sequence[float] | None, digits: int) -> str:
    """An interval as text, a dash where there is none."""
    return "-" if ends is None else f"{ends[0]:.{digits}f}-{ends[1]:.{digits}f}"


def format_difference(difference: float, ends: Sequence[float] | None, digits: int) -> str:
    """A difference with its interval, both with their signs; one whose interval holds 0 may be chance, or not."""
    between = "-" if ends is None else f"{ends[0]:+.{digits}f} to {ends[1]:+.{digits}f}"
    return f"{difference:+.{digits}f} ({between})"
