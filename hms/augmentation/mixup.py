"""Blend each window with a partner, and mix targets and weights by the partner's share.

Source: mixup (Zhang et al. 2018, arXiv 1710.09412). Each pattern is then seen on the backgrounds and noise of all
classes, so that these do not give it away. Pairs (each window at its own scale) and images are both blended.
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from hms.augmentation.mixing import LEAST_ALPHA, draw_partner, draw_share, with_targets
from hms.batch import Signals
from hms.ranges import want_at_least, want_probability


class Mixup:
    """Change each window with probability `p`; the partner's share is drawn from Beta(`alpha`, `alpha`)."""

    acts_on = "signals"

    def __init__(self, p: float, alpha: float):
        want_probability(p=p)
        want_at_least(LEAST_ALPHA, alpha=alpha)
        self.p, self.alpha = p, alpha

    def __call__(self, signals: Signals) -> Signals:
        marked = torch.rand(len(signals.pairs), device=signals.pairs.device) < self.p
        return blend(signals, draw_partner(signals), draw_share(marked, self.alpha))


def blend(signals: Signals, partner: Int[Tensor, " batch"], share: Float[Tensor, " batch"]) -> Signals:
    """Mix `1 - share` of each window with `share` of its partner."""

    def blended(x: Tensor) -> Tensor:
        weight = share.to(x.dtype).reshape(-1, *[1] * (x.ndim - 1))
        return torch.where(weight > 0, x.lerp(x[partner], weight), x)

    images = None if signals.images is None else blended(signals.images)
    return with_targets(signals._replace(pairs=blended(signals.pairs), images=images), partner, share)
