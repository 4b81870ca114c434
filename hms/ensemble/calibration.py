"""Correct probabilities that are overconfident, underconfident, or biased towards a class.

A calibration is a temperature and a bias per class, p -> softmax(log p / temperature + bias): temperature scaling
(Guo et al. 2017, arXiv 1706.04599) and the class biases of the 3rd-place solution. The KL is convex in
(1 / temperature, bias), so the fit is exact. Changed: biases are shrunk towards 0, because they overfit the patients
at hand.

A prior shift moves probabilities from one population to another with different class shares (Saerens et al. 2002,
*Neural Computation* 14, 21-41): p -> p * (target / source) ^ strength, normalised. Theirs has strength 1, which is
right if every window belongs to one class that looks the same in both populations. Changed: if panels are divided,
vote shares move less than class shares, so the strength is fitted, on rows weighted by one half of each panel's votes
and scored on the other half. Were the same votes used for both, chance would favour rows whose votes happen to lie in
the direction of the shift, and even a model that knows the truth would seem to need one.
"""

from typing import NamedTuple

import numpy as np
import scipy
from jaxtyping import Float, Int

from hms.ensemble.choices import Calibrate
from hms.errors import UserError
from hms.labels import CLASSES, target_of
from hms.scoring.metric import CLIP, kl_divergence

_SHARPEST = 100.0
"""Upper bound on the temperature and on its inverse."""


class Calibration(NamedTuple):
    """A temperature, above 1 for an overconfident model, and a bias per class in nats, of mean 0."""

    temperature: float
    bias: Float[np.ndarray, " label"]

    def __call__(self, probabilities: Float[np.ndarray, "row label"]) -> Float[np.ndarray, "row label"]:
        """The calibrated probabilities."""
        return scipy.special.softmax(log_of(probabilities) / self.temperature + self.bias, axis=1)


class PriorShift(NamedTuple):
    """Class shares of the population the probabilities were fitted to, and of the one they are meant for."""

    source: Float[np.ndarray, " label"]
    target: Float[np.ndarray, " label"]
    strength: float

    def __call__(self, probabilities: Float[np.ndarray, "row label"]) -> Float[np.ndarray, "row label"]:
        """The probabilities in the target population."""
        ratio = log_of(self.target) - log_of(self.source)
        return scipy.special.softmax(log_of(probabilities) + self.strength * ratio, axis=1)


def log_of(probabilities: Float[np.ndarray, "*row label"]) -> Float[np.ndarray, "*row label"]:
    """Logarithms, clipped to stay finite at 0."""
    return np.log(np.maximum(probabilities, CLIP))


def fit_calibration(
    probabilities: Float[np.ndarray, "row label"],
    target: Float[np.ndarray, "row label"],
    row_weight: Float[np.ndarray, " row"],
    patients: int,
    parts: Calibrate,
    bias_sd: float,
) -> Calibration:
    """The calibration with the least KL over rows weighted by `row_weight`, which come from so many `patients`.

    `bias_sd` is the standard deviation, in nats, of the normal prior on biases, against which each patient counts as
    one observation.
    """
    logs, share = log_of(probabilities), row_weight / row_weight.sum()
    weighted_target = share[:, None] * target
    penalty = 1 / (2 * patients * bias_sd**2)

    def objective(x: Float[np.ndarray, " parameter"]) -> tuple[float, Float[np.ndarray, " parameter"]]:
        logits = x[0] * logs + x[1:]
        total = scipy.special.logsumexp(logits, axis=1)
        excess = share[:, None] * np.exp(logits - total[:, None]) - weighted_target
        slope = np.concatenate([[(excess * logs).sum()], excess.sum(axis=0) + 2 * penalty * x[1:]])
        return float(share @ total - (weighted_target * logits).sum() + penalty * x[1:] @ x[1:]), slope

    sharpness = (1 / _SHARPEST, _SHARPEST) if parts in ("temperature", "temperature_bias") else (1, 1)
    bias = (None, None) if parts in ("bias", "temperature_bias") else (0, 0)
    solution = scipy.optimize.minimize(
        objective,
        np.array([1.0] + [0.0] * len(CLASSES)),
        jac=True,
        method="L-BFGS-B",
        bounds=[sharpness] + [bias] * len(CLASSES),
        options={"ftol": 1e-13, "gtol": 1e-8},
    )
    return Calibration(float(1 / solution.x[0]), solution.x[1:])


def split_panels(
    votes: Int[np.ndarray, "row label"], seed: int
) -> tuple[Float[np.ndarray, "split label"], Float[np.ndarray, "split label"]]:
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
    probabilities: Float[np.ndarray, "row label"],
    target: Float[np.ndarray, "row label"],
    row_weight: Float[np.ndarray, " row"],
) -> PriorShift:
    """The shift with the strength, 0 to 1, that has the least KL; `row_weight` gives the rows its target prior."""

    def cost(strength: float) -> float:
        shifted = shift._replace(strength=strength)(probabilities)
        return float(np.average(kl_divergence(target, shifted), weights=row_weight))

    solution = scipy.optimize.minimize_scalar(cost, bounds=(0, 1), method="bounded")  # the cost is convex
    return shift._replace(strength=float(solution.x))


def weights_for_prior(
    known: Float[np.ndarray, "row label"], target: Float[np.ndarray, "row label"], prior: Float[np.ndarray, " label"]
) -> Float[np.ndarray, " row"]:
    """Row weights of mean 1, determined by `known`, under which the mean of `target` is `prior`.

    They are proportional to exp(known @ x) with a number per class in x, so all are positive. Raises UserError if no x
    reaches the prior: a class that nobody voted for stays at 0, and none gets rarer than it is where its share in
    `known` is 0.
    """

    def excess(x: Float[np.ndarray, " label"]) -> Float[np.ndarray, " label"]:
        return scipy.special.softmax(known @ x) @ target - prior

    def slope(x: Float[np.ndarray, " label"]) -> Float[np.ndarray, "label label"]:
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


def full_prior(given: dict[str, float], source: Float[np.ndarray, " label"]) -> Float[np.ndarray, " label"]:
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
