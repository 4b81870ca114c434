"""How the weight of a row in the loss changes over the epochs.

Every row has a weight that depends on its number of votes (`labels.vote_weight`), as in the 15th-place solution. Other
competitors move from rows with few votes to rows with many within one training, by weights (4th place) or by leaving
rows out: first, many panels of three teach what the patterns look like; then panels of ten teach how experts disagree.
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor

from hms.labels import HIGH_VOTES
from hms.ranges import want_at_least

_LOW_VOTES_WEIGHT = math.log(HIGH_VOTES + 0.5) / math.log(3)  # between the weights of nine votes and ten


class ByVotes:
    """Each row's own weight, in every epoch."""

    def __call__(self, weight: Float[Tensor, " batch"], epoch: int) -> Float[Tensor, " batch"]:
        return weight


class Equal:
    """Every row counts the same, as in the 4th place's solution and most others."""

    def __call__(self, weight: Float[Tensor, " batch"], epoch: int) -> Float[Tensor, " batch"]:
        return torch.ones_like(weight)


class FadeLowVotes:
    """Multiply the weight of rows with fewer than ten votes by `first` in the first of the `epochs`, by `last` in the
    last, and linearly in between."""

    def __init__(self, first: float, last: float, epochs: int):
        want_at_least(0, first=first, last=last)
        want_at_least(1, epochs=epochs)
        self.first, self.last, self.epochs = first, last, epochs

    def __call__(self, weight: Float[Tensor, " batch"], epoch: int) -> Float[Tensor, " batch"]:
        progress = min(1.0, epoch / max(1, self.epochs - 1))
        factor = self.first + (self.last - self.first) * progress
        return torch.where(weight < _LOW_VOTES_WEIGHT, factor * weight, weight)
