"""Move probabilities from one population to another, in which the classes have other shares.

p -> p * (target / source) ^ strength, normalised (Saerens et al. 2002, *Neural Computation* 14, 21-41). Theirs has
strength 1, which is right if every window belongs to one class that looks the same in both populations. Changed: if
panels are divided, vote shares move less than class shares, so the strength is fitted, on rows weighted by one half of
each panel's votes and scored on the other half. Were the same votes used for both, chance would favour rows whose votes
happen to lie in the direction of the shift, and even a model that knows the truth would seem to need one.
"""

from typing import Any, NamedTuple

import numpy as np
import scipy
from jaxtyping import Float, Int

from hms.ensemble.calibration import log_of
from hms.errors import UserError
from hms.labels import CLASSES, target_of
from hms.scoring.bootstrap import Bootstrap, effective
from hms.scoring.metric import kl_divergence


class PriorShift(NamedTuple):
    """Class shares of the population the probabilities were fitted to, and of the one they are meant for."""

    source: Float[np.ndarray, " class"]
    target: Float[np.ndarray, " class"]
    strength: float

    def __call__(self, probabilities: Float[np.ndarray, "row class"]) -> Float[np.ndarray, "row class"]:
        """The probabilities in the target population."""
        ratio = log_of(self.target) - log_of(self.source)
        return scipy.special.softmax(log_of(probabilities) + self.strength * ratio, axis=1)


def fit_prior_shift(
    given: dict[str, float],
    votes: Int[np.ndarray, "row class"],
    probabilities: Float[np.ndarray, "row class"],
    fold: Int[np.ndarray, " row"],
    patient_id: Int[np.ndarray, " row"],
    draws: int,
    seed: int,
) -> tuple[PriorShift, dict[str, Any]]:
    """The shift from the rows' mean target to a prior `given` for some classes, and its effect on the KL.

    `probabilities` are those for each row's `fold`, fitted on the others; the strength, too, is fitted and scored on
    different patients. Rows are weighted by a random half of their votes and scored on the other half, then with the
    halves swapped. Raises UserError for an impossible prior, for one that no weights give these rows, and for a row
    with a single vote.
    """
    target = target_of(votes)
    source = target.mean(axis=0)
    shift = PriorShift(source, full_prior(given, source), strength=1.0)
    known, half = split_panels(votes, seed)
    weights = weights_for_prior(known, half, shift.target)
    predicted, folds = np.tile(probabilities, (2, 1)), np.tile(fold, 2)
    shifted = np.empty_like(predicted)
    for held_out in np.unique(folds):
        rows, others = folds == held_out, folds != held_out
        fitted = fit_strength(shift, predicted[others], half[others], weights[others])
        shifted[rows] = fitted(predicted[rows])
    before, after = (kl_divergence(half, probabilities) for probabilities in (predicted, shifted))
    bootstrap = Bootstrap(np.tile(patient_id, 2), draws, seed, weights)
    return fit_strength(shift, predicted, half, weights), {
        "before": float(np.average(before, weights=weights)),
        "after": float(np.average(after, weights=weights)),
        "interval": bootstrap.interval(bootstrap.means((after - before)[None])[0]),
        "effective_patients": effective(bootstrap.weight),
        "unweighted": float(kl_divergence(target, shifted[: len(target)]).mean()),
    }


def split_panels(
    votes: Int[np.ndarray, "row class"], seed: int
) -> tuple[Float[np.ndarray, "split class"], Float[np.ndarray, "split class"]]:
    """Vote shares in a random half of each panel, and in the other half: all rows, then all with the halves swapped.

    Raises UserError for a row with a single vote.
    """
    if votes.sum(axis=1).min() < 2:
        raise UserError("min_votes: want 2 or more for a prior, whose fit splits each panel in two, got rows with 1")
    random = np.random.default_rng(seed)
    half = np.stack([random.multivariate_hypergeometric(panel, panel.sum() // 2) for panel in votes])
    shares = target_of(half), target_of(votes - half)
    return np.concatenate(shares), np.concatenate(shares[::-1])


def fit_strength(
    shift: PriorShift,
    probabilities: Float[np.ndarray, "row class"],
    target: Float[np.ndarray, "row class"],
    row_weight: Float[np.ndarray, " row"],
) -> PriorShift:
    """The shift with the strength, 0 to 1, that has the least KL; `row_weight` gives the rows its target prior."""

    def cost(strength: float) -> float:
        shifted = shift._replace(strength=strength)(probabilities)
        return float(np.average(kl_divergence(target, shifted), weights=row_weight))

    solution = scipy.optimize.minimize_scalar(cost, bounds=(0, 1), method="bounded")  # the cost is convex
    return shift._replace(strength=float(solution.x))


def weights_for_prior(
    known: Float[np.ndarray, "row class"], target: Float[np.ndarray, "row class"], prior: Float[np.ndarray, " class"]
) -> Float[np.ndarray, " row"]:
    """Row weights of mean 1, determined by `known`, under which the mean of `target` is `prior`.

    They are proportional to exp(known @ x) with a number per class in x, so all are positive. Raises UserError if no x
    reaches the prior: a class that nobody voted for stays at 0, and none gets rarer than it is where its share in
    `known` is 0.
    """

    def excess(x: Float[np.ndarray, " class"]) -> Float[np.ndarray, " class"]:
        return scipy.special.softmax(known @ x) @ target - prior

    def slope(x: Float[np.ndarray, " class"]) -> Float[np.ndarray, "class class"]:
        share = scipy.special.softmax(known @ x)
        return (share[:, None] * target).T @ (known - share @ known)

    solution = scipy.optimize.least_squares(excess, np.zeros(len(prior)), slope)
    if not np.abs(solution.fun).max() < 1e-4:
        worst = int(np.abs(solution.fun).argmax())
        reached = solution.fun[worst] + prior[worst]
        raise UserError(
            f"prior: want shares that weights by half of each panel can give these rows, got {prior[worst]:.3g} for "
            f"{CLASSES[worst]}, which comes to {reached:.3g}"
        )
    return len(known) * scipy.special.softmax(known @ solution.x)


def full_prior(given: dict[str, float], source: Float[np.ndarray, " class"]) -> Float[np.ndarray, " class"]:
    """The shares of all classes, when some are `given` and the others divide the rest as they do in `source`.

    Raises UserError for shares that do not add up.
    """
    others = np.array([name not in given for name in CLASSES]) & (source > 0)
    rest = 1 - sum(given.values())
    if (rest <= 0) if others.any() else abs(rest) > 1e-3:
        wish = "less than 1 for the named classes" if others.any() else "1 for all classes with votes"
        raise UserError(f"prior: want a sum of {wish}, got {sum(given.values()):g}")
    shares = np.array([given.get(name, 0.0) for name in CLASSES])
    shares[others] = rest * source[others] / source[others].sum()
    return shares / shares.sum()
