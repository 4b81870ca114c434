"""The six classes, their columns in the competition's files, and the weight that a row's votes give it.

Source: Kaggle, HMS - Harmful Brain Activity Classification; the order is that of the files.
"""

from typing import Any

import numpy as np
from jaxtyping import Float, Int

CLASSES = ("seizure", "lpd", "gpd", "lrda", "grda", "other")
"""Names of the classes and of the probability columns, in the order of every array in the project."""

VOTE_COLUMNS = tuple(f"{name}_vote" for name in CLASSES)

CONSENSUS_NAMES = ("Seizure", "LPD", "GPD", "LRDA", "GRDA", "Other")
"""Spelling of the classes in `expert_consensus`, in the order of `CLASSES`."""

HIGH_VOTES = 10
"""Rows with at least this many votes count as reliable: folds are balanced on them."""


def target_of(votes: Int[np.ndarray, "row 6"]) -> Float[np.ndarray, "row 6"]:
    """Each class's share of the votes; sums to 1."""
    return votes / votes.sum(axis=1, keepdims=True)


def vote_weight(votes: Int[np.ndarray, "row 6"]) -> Float[np.ndarray, " row"]:
    """log(number of votes + 1) / log 3: the weight of a row in the loss (15th-place solution)."""
    return np.log(votes.sum(axis=1) + 1.0) / np.log(3.0)


def votes_of(weight: Float[Any, " row"]) -> Float[Any, " row"]:
    """The number of votes that gives a row this weight, of an array or a tensor: the inverse of `vote_weight`."""
    return 3**weight - 1
