"""Correct probabilities that are too sure, too shy, or partial to a class.

A calibration is a temperature and a bias per class, p -> softmax(log p / temperature + bias): temperature scaling
(Guo et al. 2017, arXiv 1706.04599) and the class biases of the 3rd-place solution. In (1 / temperature, bias) the KL is
convex, so that the fit is exact. Changed: biases are held near 0, because they fit the patients at hand.

A prior shift moves probabilities from a population with one share of each class to another (Saerens et al. 2002,
*Neural Computation* 14, 21-41): p -> p * (target / source) ^ strength, normalised. A strength of 1 is theirs, right
where every window is of one class that looks the same in both populations. Changed: where panels are divided, shares of
votes move less than classes do, so the strength is fitted, to rows that are weighted by one half of each panel's votes
and scored by the other: weighted by the votes that are scored, chance would choose rows whose votes lie where a shift
leads, and a model that knows the truth would seem to need one.
"""

from typing import NamedTuple

import numpy as np
import scipy
from jaxtyping import Float, Int

from hms.ensemble.choices import Calibrate
from hms.errors import UserError
from hms.labels import CLASSES, target_of
from hms.metric import CLIP, kl_divergence

BIAS_SD = 0.1
"""Nats: how large a bias is expected to be before any patient is seen (a normal prior; each patient is one voice)."""

_SHARPEST = 100.0
"""Bound on the temperature and on its inverse."""


class Calibration(NamedTuple):
    """A temperature, above 1 for a model that is too sure, and a bias per class in nats, of mean 0."""

    temperature: float
    bias: Float[np.ndarray, " label"]

    def __call__(self, probabilities: Float[np.ndarray, "row label"]) -> Float[np.ndarray, "row label"]:
        """The calibrated probabilities."""
        return scipy.special.softmax(log_of(probabilities) / self.temperature + self.bias, axis=1)


class PriorShift(NamedTuple):
    """The share of each class where the probabilities were fitted, and where they are to hold."""

    source: Float[np.ndarray, " label"]
    target: Float[np.ndarray, " label"]
    strength: float

    def __call__(self, probabilities: Float[np.ndarray, "row label"]) -> Float[np.ndarray, "row label"]:
        """The probabilities of the other population."""
        ratio = log_of(self.target) - log_of(self.source)
        return scipy.special.softmax(log_of(probabilities) + self.strength * ratio, axis=1)


def log_of(probabilities: Float[np.ndarray, "*row label"]) -> Float[np.ndarray, "*row label"]:
    """Logarithms, finite at 0, too."""
    return np.log(np.maximum(probabilities, CLIP))


def fit_calibration(
    probabilities: Float[np.ndarray, "row label"],
    target: Float[np.ndarray, "row label"],
    row_weight: Float[np.ndarray, " row"],
    patients: int,
    what: Calibrate,
) -> Calibration:
    """The calibration with the least KL over rows of so many patients, each of which rows counts `row_weight`."""
    logs, share = log_of(probabilities), row_weight / row_weight.sum()
    wanted = share[:, None] * target
    penalty = 1 / (2 * patients * BIAS_SD**2)

    def objective(x: Float[np.ndarray, " parameter"]) -> tuple[float, Float[np.ndarray, " parameter"]]:
        logits = x[0] * logs + x[1:]
        total = scipy.special.logsumexp(logits, axis=1)
        excess = share[:, None] * np.exp(logits - total[:, None]) - wanted
        slope = np.concatenate([[(excess * logs).sum()], excess.sum(axis=0) + 2 * penalty * x[1:]])
        return float(share @ total - (wanted * logits).sum() + penalty * x[1:] @ x[1:]), slope

    sharpness = (1 / _SHARPEST, _SHARPEST) if "temperature" in what else (1, 1)
    bias = (None, None) if "bias" in what else (0, 0)
    found = scipy.optimize.minimize(
        objective,
        np.array([1.0] + [0.0] * len(CLASSES)),
        jac=True,
        method="L-BFGS-B",
        bounds=[sharpness] + [bias] * len(CLASSES),
        options={"ftol": 1e-13, "gtol": 1e-8},
    )
    return Calibration(float(1 / found.x[0]), found.x[1:])


def halves(
    votes: Int[np.ndarray, "row label"], seed: int
) -> tuple[Float[np.ndarray, "twice label"], Float[np.ndarray, "twice label"]]:
    """Shares of the votes in one half of each panel, drawn at random, and in the other: all rows, then the reverse.

    Raises UserError for a row of one vote.
    """
    if votes.sum(axis=1).min() < 2:
        raise UserError("min_votes: want 2 or more for a prior, whose fit halves the votes, got rows of 1")
    draw = np.random.default_rng(seed)
    one = np.stack([draw.multivariate_hypergeometric(panel, panel.sum() // 2) for panel in votes])
    both = target_of(one), target_of(votes - one)
    return np.concatenate(both), np.concatenate(both[::-1])


def fit_strength(
    shift: PriorShift,
    probabilities: Float[np.ndarray, "row label"],
    target: Float[np.ndarray, "row label"],
    row_weight: Float[np.ndarray, " row"],
) -> PriorShift:
    """The shift with the strength, 0 to 1, that has the least KL over rows weighted to have its prior."""

    def cost(strength: float) -> float:
        found = shift._replace(strength=strength)(probabilities)
        return float(np.average(kl_divergence(target, found), weights=row_weight))

    found = scipy.optimize.minimize_scalar(cost, bounds=(0, 1), method="bounded")  # the cost is convex
    return shift._replace(strength=float(found.x))


def weights_of_prior(
    known: Float[np.ndarray, "row label"], target: Float[np.ndarray, "row label"], prior: Float[np.ndarray, " label"]
) -> Float[np.ndarray, " row"]:
    """Weights of mean 1 by what is known of the rows, under which the mean of their target is `prior`.

    They are exp(a number per class times its share in `known`), so none is negative. Raises UserError where no such
    weights do it: a class that nobody voted for cannot be had, nor one be rarer than where half a panel has no vote
    for it.
    """

    def excess(x: Float[np.ndarray, " label"]) -> Float[np.ndarray, " label"]:
        return scipy.special.softmax(known @ x) @ target - prior

    def slope(x: Float[np.ndarray, " label"]) -> Float[np.ndarray, "label label"]:
        share = scipy.special.softmax(known @ x)
        return (share[:, None] * target).T @ (known - share @ known)

    found = scipy.optimize.least_squares(excess, np.zeros(len(prior)), slope)
    if not np.abs(found.fun).max() < 1e-4:
        far = int(np.abs(found.fun).argmax())
        share = found.fun[far] + prior[far]
        raise UserError(
            f"prior: want one that these rows can be weighted to by half of each panel: {CLASSES[far]} comes to "
            f"{share:.3g}, and not to {prior[far]:.3g}"
        )
    return len(known) * scipy.special.softmax(known @ found.x)


def full_prior(given: dict[str, float], source: Float[np.ndarray, " label"]) -> Float[np.ndarray, " label"]:
    """The shares of all classes when some are given: the others divide the rest as they do in `source`.

    Raises UserError for shares that are none, or that leave the wrong rest.
    """
    for name, share in given.items():
        if not 0 < share < 1:
            raise UserError(f"prior.{name}: want a share between 0 and 1, got {share}")
    others = np.array([name not in given for name in CLASSES]) & (source > 0)
    rest = 1 - sum(given.values())
    if (rest <= 0) if others.any() else abs(rest) > 1e-3:
        wish = "less than 1 for the named classes together" if others.any() else "1 for all classes with votes together"
        raise UserError(f"prior: want {wish}, got {sum(given.values()):g}")
    shares = np.array([given.get(name, 0.0) for name in CLASSES])
    shares[others] = rest * source[others] / source[others].sum()
    return shares / shares.sum()
