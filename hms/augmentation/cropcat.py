"""Compose a window of quarters or halves of two, and average their targets and weights.

Source: CropCat (Kim et al. 2022, arXiv 2212.06413) as in the 15th-place solution. Pairs (50 s) and images (600 s) are
cut at the same fractions of their length, so half of each goes with half of the target. Both cuts also halve the
central 10 s, which the experts judged. Changed: each window draws independently; the original cut the first two windows
of each batch of 16, both the same way.
"""

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from hms.augmentation.mixing import draw_partner, mix
from hms.batch import Signals
from hms.cached_tensor import cached_tensor
from hms.ranges import want_probability


class CropCat:
    """Take parts of each window from a partner, with probability `p`: its second and fourth quarter with probability
    `quarters`, else its second half."""

    acts_on = "signals"

    def __init__(self, p: float, quarters: float):
        want_probability(p=p, quarters=quarters)
        self.p, self.quarters = p, quarters

    def __call__(self, signals: Signals) -> Signals:
        draw, quarters = torch.rand(2, len(signals.pairs), device=signals.pairs.device)
        return cut(signals, draw_partner(signals), draw < self.p, quarters < self.quarters)


def cut(
    signals: Signals,
    partner: Int[Tensor, " batch"],
    marked: Bool[Tensor, " batch"],
    quarters: Bool[Tensor, " batch"],
) -> Signals:
    """Cut the marked windows, in quarters or in halves."""

    def taken(time: int) -> Bool[Tensor, "batch time"]:
        quartered, halved = _cuts(time, marked.device)
        return marked[:, None] & torch.where(quarters[:, None], quartered, halved)

    return mix(signals, partner, 0.5 * marked, taken)


@cached_tensor
def _cuts(time: int, device: torch.device) -> tuple[Bool[Tensor, " time"], Bool[Tensor, " time"]]:
    """Masks of the second and fourth quarter, and of the second half."""
    quarter = 4 * torch.arange(time, device=device) // time
    return quarter % 2 == 1, quarter >= 2
