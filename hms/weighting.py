"""How much a row counts in the loss as the epochs go by.

Every row comes with a weight by its number of votes (`labels.vote_weight`), as in the 15th-place solution. Others of
the competition change over from rows of few votes to those of many within one training, by weights (4th place) or by
leaving rows out: many panels of three first teach what the patterns look like, panels of ten then how experts disagree.
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor

from hms.labels import HIGH_VOTES

_WEIGHT_OF_FEW = math.log(HIGH_VOTES + 0.5) / math.log(3)  # between the weights of rows with one vote less and enough


class ByVotes:
    """The weight that a row comes with, in every epoch."""

    def __call__(self, weight: Float[Tensor, " batch"], epoch: int) -> Float[Tensor, " batch"]:
        return weight


class FadeLowVotes:
    """Rows of fewer than ten votes count `first` times their weight in the first of `epochs`, `last` times it in the
    last, and evenly in between."""

    def __init__(self, first: float, last: float, epochs: int):
        if min(first, last) < 0:
            raise ValueError(f"first, last: want 0 or more, got {first}, {last}")
        if epochs < 1:
            raise ValueError(f"epochs: want at least 1, got {epochs}")
        self.first, self.last, self.epochs = first, last, epochs

    def __call__(self, weight: Float[Tensor, " batch"], epoch: int) -> Float[Tensor, " batch"]:
        gone = min(1.0, epoch / max(1, self.epochs - 1))
        factor = self.first + (self.last - self.first) * gone
        return torch.where(weight < _WEIGHT_OF_FEW, factor * weight, weight)
