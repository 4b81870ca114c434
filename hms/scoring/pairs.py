"""Differences between the losses of every two models, with intervals that hold for all pairs at once.

The best of many equal models looks better than the others by chance. So the intervals are as wide as the largest of all
studentised differences varies with other patients (Westfall & Young 1993, *Resampling-based multiple testing*): in 95 %
of samples of patients, all of them contain the true difference, whichever model looks best.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from hms.scoring.bootstrap import FEWEST_PATIENTS, Bootstrap, effective, outside_of


class Pairs(NamedTuple):
    """For every two models the difference on the rows that both have; NaN where they share none."""

    difference: Float[np.ndarray, "model other"]
    """Mean loss of the model - that of the other."""
    margin: Float[np.ndarray, "model other"]
    """Half of the width of its 95 % interval; NaN also for fewer shared patients than an interval needs."""
    rows: Int[np.ndarray, "model other"]
    """Number of rows that both have."""


def pairs(losses: Float[np.ndarray, "model row"], patient_id: Int[np.ndarray, " row"], draws: int, seed: int) -> Pairs:
    """Compare every two models; a loss is NaN for a row that a model lacks."""
    bootstrap, order = Bootstrap(patient_id, draws, seed), np.argsort(patient_id, kind="stable")
    of_patients = np.split(losses[:, order], np.cumsum(np.unique(patient_id, return_counts=True)[1])[:-1], axis=1)
    has = [(~np.isnan(part)).astype(float) for part in of_patients]
    sums = np.stack([np.nan_to_num(part) @ shared.T for part, shared in zip(of_patients, has, strict=True)])
    sums -= sums.transpose(0, 2, 1)  # patient model other
    rows = np.stack([shared @ shared.T for shared in has])
    deviation, largest = np.full(rows.shape[1:], np.nan), np.zeros(draws)
    with np.errstate(invalid="ignore", divide="ignore"):  # 0 / 0 for pairs without shared rows and for equal models
        difference = (sums.sum(axis=0) / rows.sum(axis=0)).round(9)  # equal models differ by rounding only
        for model, known in enumerate(~np.isnan(difference)):
            means = (bootstrap.times @ sums[:, model, known]) / (bootstrap.times @ rows[:, model, known])  # draw other
            deviation[model, known] = np.nanstd(means, axis=0)
            studentised = np.abs(means - difference[model, known]) / deviation[model, known]
            largest = np.fmax(largest, np.fmax.reduce(studentised, axis=1))
    return Pairs(difference, deviation * _quantiles(largest, rows), rows.sum(axis=0).astype(int))


def _quantiles(
    largest: Float[np.ndarray, " draw"], rows: Float[np.ndarray, "patient model other"]
) -> Float[np.ndarray, "model other"]:
    """How many deviations an interval goes to either side, by the number of patients that two models share."""
    quantiles = np.full(rows.shape[1:], np.nan)
    for pair in np.ndindex(quantiles.shape):
        shared = rows[:, *pair]
        if np.count_nonzero(shared) >= FEWEST_PATIENTS:
            quantiles[pair] = np.quantile(largest, 1 - 2 * outside_of(effective(shared)))
    return quantiles
