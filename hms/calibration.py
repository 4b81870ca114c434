"""Correct probabilities that are too sure, too shy, or partial to a class.

A calibration is a temperature and a bias per class, p -> softmax(log p / temperature + bias): temperature scaling
(Guo et al. 2017, arXiv 1706.04599) and the class biases of the 3rd-place solution. In (1 / temperature, bias) the KL is
convex, so that the fit is exact.

A prior shift moves probabilities from a population with one share of each class to another (Saerens et al. 2002,
*Neural Computation* 14, 21-41): p -> p * target / source, normalised. It is right only when a class looks the same in
both.
"""

from typing import Literal, NamedTuple

import numpy as np
from jaxtyping import Float

from hms.labels import CLASSES

Calibrate = Literal["none", "temperature", "bias", "temperature_bias"]
"""What of a calibration is fitted; the rest stays as it changes nothing."""

_LEAST = 1e-15
"""As in the metric: a logarithm is of this at least."""


class Calibration(NamedTuple):
    """A temperature, above 1 for a model that is too sure, and a bias per class in nats, of mean 0."""

    temperature: float
    bias: Float[np.ndarray, " label"]

    def __call__(self, probabilities: Float[np.ndarray, "row label"]) -> Float[np.ndarray, "row label"]:
        """The calibrated probabilities."""
        return softmax(_log(probabilities) / self.temperature + self.bias)


class PriorShift(NamedTuple):
    """The share of each class where the probabilities were fitted, and where they are to hold."""

    source: Float[np.ndarray, " label"]
    target: Float[np.ndarray, " label"]

    def __call__(self, probabilities: Float[np.ndarray, "row label"]) -> Float[np.ndarray, "row label"]:
        """The probabilities of the other population."""
        return softmax(_log(probabilities) + _log(self.target) - _log(self.source))


def unchanged() -> Calibration:
    """The calibration that changes nothing."""
    return Calibration(1.0, np.zeros(len(CLASSES)))


def softmax(logits: Float[np.ndarray, "*row label"]) -> Float[np.ndarray, "*row label"]:
    """Probabilities over the last axis."""
    shares = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return shares / shares.sum(axis=-1, keepdims=True)


def _log(probabilities: Float[np.ndarray, "*row label"]) -> Float[np.ndarray, "*row label"]:
    return np.log(np.maximum(probabilities, _LEAST))
