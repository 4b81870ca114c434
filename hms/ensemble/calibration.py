"""Correct probabilities that are overconfident, underconfident, or biased towards a class.

A calibration is a temperature and a bias per class, p -> softmax(log p / temperature + bias): temperature scaling
(Guo et al. 2017, arXiv 1706.04599) and the class biases of the 3rd-place solution. The KL is convex in
(1 / temperature, bias), so the fit is exact. Changed: biases are shrunk towards 0, because they overfit the patients
at hand.
"""

from typing import NamedTuple

import numpy as np
import scipy
from jaxtyping import Float

from hms.ensemble.choices import Calibrate
from hms.labels import CLASSES
from hms.scoring.metric import CLIP

_SHARPEST = 100.0
"""Upper bound on the temperature and on its inverse."""


class Calibration(NamedTuple):
    """A temperature, above 1 for an overconfident model, and a bias per class in nats, of mean 0."""

    temperature: float
    bias: Float[np.ndarray, " class"]

    def __call__(self, probabilities: Float[np.ndarray, "row class"]) -> Float[np.ndarray, "row class"]:
        """The calibrated probabilities."""
        return scipy.special.softmax(log_of(probabilities) / self.temperature + self.bias, axis=1)

    @property
    def changes(self) -> list[str]:
        """What it does to probabilities, in words: "temperature 1.2", "odds of other x 0.50"; empty if nothing."""
        temperature = [f"temperature {self.temperature:.3g}"] if self.temperature != 1 else []
        odds = zip(CLASSES, np.exp(self.bias), strict=True)
        return temperature + [f"odds of {name} x {ratio:.2f}" for name, ratio in odds if abs(ratio - 1) >= 0.005]


def log_of(probabilities: Float[np.ndarray, "*row class"]) -> Float[np.ndarray, "*row class"]:
    """Logarithms, clipped to stay finite at 0."""
    return np.log(np.maximum(probabilities, CLIP))


def fit_calibration(
    probabilities: Float[np.ndarray, "row class"],
    target: Float[np.ndarray, "row class"],
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
