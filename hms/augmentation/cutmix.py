"""Replace a random span of time with a partner's, and mix targets and weights by its share.

Source: CutMix (Yun et al. 2019, arXiv 1905.04899). Changed: a span of time instead of a box, at the same fractions of
pairs (50 s) and images (600 s). Experts judged mainly the central 10 s, so the share of the window is a rougher guide
to the target than the halves of `cropcat`.
"""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from hms.augmentation.mixing import LEAST_ALPHA, draw_partner, draw_share, mix
from hms.batch import Signals
from hms.cached_tensor import indices
from hms.ranges import want_at_least, want_probability


class CutMix:
    """Change each window with probability `p`; the partner's share is drawn from Beta(`alpha`, `alpha`)."""

    acts_on = "signals"

    def __init__(self, p: float, alpha: float):
        want_probability(p=p)
        want_at_least(LEAST_ALPHA, alpha=alpha)
        self.p, self.alpha = p, alpha

    def __call__(self, signals: Signals) -> Signals:
        draw, start = torch.rand(2, len(signals.pairs), device=signals.pairs.device)
        share = draw_share(draw < self.p, self.alpha)
        return replace_span(signals, draw_partner(signals), start * (1 - share), share)


def replace_span(
    signals: Signals, partner: Int[Tensor, " batch"], start: Float[Tensor, " batch"], share: Float[Tensor, " batch"]
) -> Signals:
    """Take the span from `start` to `start + share` (fractions of the window) from the partner."""

    def taken(time: int) -> Bool[Tensor, "batch time"]:
        at = (indices(time, share.device) + 0.5) / time
        return (at >= start[:, None]) & (at < (start + share)[:, None])

    return mix(signals, partner, share, taken)
