"""The competition's metric, and the marks between which a score means something.

Source: Kaggle, HMS: mean KL(votes / number of votes || prediction), predictions clipped to [1e-15, 1 - 1e-15], classes
nobody voted for count 0.
"""

import numpy as np
from jaxtyping import Float

from hms.labels import CLASSES

CLIP = 1e-15
"""No prediction counts as less, or as nearer to 1."""


def kl_divergence(
    target: Float[np.ndarray, "row label"], prediction: Float[np.ndarray, "row label"]
) -> Float[np.ndarray, " row"]:
    """KL(target || prediction) of each row, in nats."""
    clipped = np.clip(prediction, CLIP, 1 - CLIP)
    ratio = np.where(target > 0, target, 1.0) / clipped
    return (target * np.log(ratio)).sum(axis=1)


def prior_kl(target: Float[np.ndarray, "row label"]) -> float:
    """KL of the best constant prediction: the mean target of these very rows."""
    return float(kl_divergence(target, np.broadcast_to(target.mean(axis=0), target.shape)).mean())


def uniform_kl(target: Float[np.ndarray, "row label"]) -> float:
    """KL of predicting every class with the same probability."""
    return float(kl_divergence(target, np.full_like(target, 1 / len(CLASSES))).mean())


def gap_closed(kl: float, prior: float, oracle: float) -> float | None:
    """Share of the way from the constant prior (0) to the oracle (1) that a KL has come.

    None where there is no such way: the prior knows the votes of these very rows, and of few rows that is more than the
    true probabilities tell.
    """
    return (prior - kl) / (prior - oracle) if prior > oracle else None
