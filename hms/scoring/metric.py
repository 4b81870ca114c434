"""The competition's metric, and the reference values that give a score its meaning.

Source: Kaggle, HMS: mean KL(votes / number of votes || prediction), with predictions clipped to [1e-15, 1 - 1e-15]; a
class without votes counts 0.
"""

import numpy as np
import scipy
from jaxtyping import Float

from hms.labels import CLASSES

CLIP = 1e-15
"""Predictions are clipped to [CLIP, 1 - CLIP]."""


def kl_divergence(
    target: Float[np.ndarray, "row class"], prediction: Float[np.ndarray, "row class"]
) -> Float[np.ndarray, " row"]:
    """KL(target || prediction) of each row, in nats."""
    return scipy.special.rel_entr(target, np.clip(prediction, CLIP, 1 - CLIP)).sum(axis=1)


def prior_kl(target: Float[np.ndarray, "row class"]) -> float:
    """KL of the best constant prediction, the mean target of these same rows."""
    return float(kl_divergence(target, np.broadcast_to(target.mean(axis=0), target.shape)).mean())


def uniform_kl(target: Float[np.ndarray, "row class"]) -> float:
    """KL of predicting every class with the same probability."""
    return float(kl_divergence(target, np.full(target.shape, 1 / len(CLASSES))).mean())


def gap_closed(kl: float, prior: float, oracle: float) -> float | None:
    """How far a KL has come from the constant prior (0) to the oracle (1).

    None if there is no gap: the prior knows the votes of these same rows, which, for a few rows, can be worth more than
    the true probabilities.
    """
    return (prior - kl) / (prior - oracle) if prior > oracle else None
