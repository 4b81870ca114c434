"""Weights of an ensemble's members, fitted to votes by minimising the competition's KL.

For both the weighted mean and the weighted geometric mean, the KL is convex on the simplex (weights of at least 0 that
sum to 1), so it has a single minimum; `optimality_gap` bounds the distance to it. Greedy selection with replacement is
from Caruana et al. 2004, *Ensemble selection from libraries of models*; changed: the best of all prefixes is kept.
"""

from collections.abc import Callable

import numpy as np
import scipy
from jaxtyping import Float

from hms.ensemble.calibration import log_of
from hms.ensemble.choices import Mixing
from hms.scoring.metric import CLIP

_PICKS = 100
"""How many members greedy selection picks, with replacement. It keeps the first n, the n with the least KL, so that a
weight is a multiple of 1 / n: steps of 1 % or more."""

_LEAST_WEIGHT = 1e-6
"""Smaller weights are set to 0, which the optimiser only approaches; a member of weight 0 need not run."""

_LEAST_GAP = 1e-6
"""Nats; where `optimality_gap` is no larger, weights are taken for the best."""

_RESTARTS = 5

Objective = Callable[[Float[np.ndarray, " member"]], tuple[float, Float[np.ndarray, " member"]]]
"""Maps weights to the KL, less a constant, and its gradient."""


def fit_weights(
    probabilities: Float[np.ndarray, "member row class"],
    target: Float[np.ndarray, "row class"],
    row_weight: Float[np.ndarray, " row"],
    mixing: Mixing,
) -> Float[np.ndarray, " member"]:
    """The weights of the members with the least KL over rows weighted by `row_weight`."""
    if mixing == "greedy":
        return _greedy(probabilities, target, row_weight)
    minimised = objective(probabilities, target, row_weight, mixing)
    equal = np.full(len(probabilities), 1 / len(probabilities))
    weights = _minimum_from(equal, minimised)
    for _ in range(_RESTARTS):
        if optimality_gap(minimised, weights) <= _LEAST_GAP:
            break
        weights = _minimum_from((weights + equal) / 2, minimised)
    return weights


def _minimum_from(start: Float[np.ndarray, " member"], minimised: Objective) -> Float[np.ndarray, " member"]:
    """Where SciPy's SLSQP ends: nearly always at the minimum, but not always if members give votes no chance at all."""
    solution = scipy.optimize.minimize(
        minimised,
        start,
        jac=True,
        method="SLSQP",
        bounds=[(0, 1)] * len(start),
        constraints=scipy.optimize.LinearConstraint(np.ones_like(start), 1, 1),
        options={"ftol": 1e-13, "maxiter": 500},
    )
    weights = np.where(solution.x > _LEAST_WEIGHT, solution.x, 0.0)
    return weights / weights.sum()


def objective(
    probabilities: Float[np.ndarray, "member row class"],
    target: Float[np.ndarray, "row class"],
    row_weight: Float[np.ndarray, " row"],
    mixing: Mixing,
) -> Objective:
    """The function that `fit_weights` minimises for `linear` or `geometric` mixing."""
    share = target * (row_weight / row_weight.sum())[:, None]  # row class, sums to 1
    if mixing == "geometric":
        logs = log_of(probabilities)
        observed = np.tensordot(logs, share, 2)  # member

        def geometric(weights: Float[np.ndarray, " member"]) -> tuple[float, Float[np.ndarray, " member"]]:
            mixed = np.tensordot(weights, logs, 1)
            total = scipy.special.logsumexp(mixed, axis=1)
            rows = share.sum(axis=1)
            expected = np.tensordot(logs, rows[:, None] * np.exp(mixed - total[:, None]), 2)
            return float(rows @ total - weights @ observed), expected - observed

        return geometric
    voted = target > 0
    chances, counts = np.ascontiguousarray(probabilities[:, voted].T), share[voted]  # vote member; vote

    def linear(weights: Float[np.ndarray, " member"]) -> tuple[float, Float[np.ndarray, " member"]]:
        mixed = np.maximum(chances @ weights, CLIP)
        return float(-counts @ np.log(mixed)), -(counts / mixed) @ chances

    return linear


def optimality_gap(objective: Objective, weights: Float[np.ndarray, " member"]) -> float:
    """Upper bound on how far other weights could lower a convex objective: its slope towards the best single member."""
    _, gradient = objective(weights)
    return float(weights @ gradient - gradient.min())


def _greedy(
    probabilities: Float[np.ndarray, "member row class"],
    target: Float[np.ndarray, "row class"],
    row_weight: Float[np.ndarray, " row"],
) -> Float[np.ndarray, " member"]:
    voted = target > 0
    chances, counts = probabilities[:, voted], (target * row_weight[:, None])[voted]  # member vote; vote
    total, picked = np.zeros(len(counts)), np.zeros((_PICKS, len(chances)))
    losses = np.zeros(_PICKS)
    for pick in range(_PICKS):
        candidates = -np.log(np.maximum((total + chances) / (pick + 1), CLIP)) @ counts
        best = int(candidates.argmin())
        total, losses[pick], picked[pick, best] = total + chances[best], candidates[best], 1
    best_length = int(losses.argmin()) + 1
    weights: Float[np.ndarray, " member"] = picked[:best_length].mean(axis=0)
    return weights
