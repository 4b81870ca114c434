"""Differences between the losses of every two models, with intervals that hold for all pairs at once.

The best of many equal models looks better than the others by chance. So the intervals are as wide as the largest of all
studentised differences varies with other patients (Westfall & Young 1993, *Resampling-based multiple testing*), and for
few patients as much wider as Student's t is than a normal distribution at this level, of the effective patients: in
about 95 % of samples of patients, all intervals contain the true difference, whichever model looks best.
"""

from typing import NamedTuple

import numpy as np
import scipy
from jaxtyping import Float, Int

from hms.scoring.bootstrap import LEVEL, Bootstrap, effective, enough

_LEAST_DEVIATION = 1e-9
"""Nats; below it, models are equal, or differ by a constant, but for rounding."""


class Pairs(NamedTuple):
    """For every two models the difference on the rows that both have; NaN where they share none."""

    difference: Float[np.ndarray, "model other"]
    """Mean loss of the model - that of the other."""
    margin: Float[np.ndarray, "model other"]
    """Half of the width of its 95 % interval; NaN also without enough shared patients for one."""
    rows: Int[np.ndarray, "model other"]
    """Number of rows that both have."""


def pairs(losses: Float[np.ndarray, "model row"], patient_id: Int[np.ndarray, " row"], draws: int, seed: int) -> Pairs:
    """Compare every two models by their losses in nats; a loss is NaN for a row that a model lacks."""
    bootstrap, order = Bootstrap(patient_id, draws, seed), np.argsort(patient_id, kind="stable")
    of_patients = np.split(losses[:, order], np.cumsum(bootstrap.weight[:-1]).astype(int), axis=1)
    has = [(~np.isnan(part)).astype(float) for part in of_patients]
    sums = np.stack([np.nan_to_num(part) @ shared.T for part, shared in zip(of_patients, has, strict=True)])
    sums -= sums.transpose(0, 2, 1)  # patient model other
    rows = np.stack([shared @ shared.T for shared in has])
    effective_of = _effective(rows)
    deviation, largest = np.full(effective_of.shape, np.nan), np.zeros(draws)
    with np.errstate(invalid="ignore", divide="ignore"):  # 0 / 0 for pairs without shared rows
        difference = sums.sum(axis=0) / rows.sum(axis=0)
        for model, known in enumerate(~np.isnan(effective_of)):
            means = (bootstrap.times @ sums[:, model, known]) / (bootstrap.times @ rows[:, model, known])  # draw other
            deviation[model, known] = np.nanstd(means, axis=0)
            varies = deviation[model, known] > _LEAST_DEVIATION
            studentised = np.abs(means - difference[model, known])[:, varies] / deviation[model, known][varies]
            largest = np.fmax(largest, np.fmax.reduce(studentised, axis=1, initial=0))
    outside = scipy.special.ndtr(-np.quantile(largest, LEVEL))
    student_t = -scipy.special.stdtrit(effective_of - 1, outside)
    margin = deviation * np.sqrt(effective_of / (effective_of - 1)) * student_t
    return Pairs(difference.round(9), margin, rows.sum(axis=0).astype(int))


def _effective(rows: Float[np.ndarray, "patient model other"]) -> Float[np.ndarray, "model other"]:
    """How many effective patients two models share; NaN without `enough`."""
    found = np.full(rows.shape[1:], np.nan)
    for pair in np.ndindex(found.shape):
        if enough(rows[:, *pair]):
            found[pair] = effective(rows[:, *pair])
    return found
