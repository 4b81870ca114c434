"""Lay a partner's EEG under each window, and mix targets and weights by its share.

Source: mixup (Zhang et al. 2018, arXiv 1710.09412). A pattern is then seen over the backgrounds and noise of all
classes, so that it cannot be known by what it comes with. Mixed are pairs, each window at its own scale, and images.
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from hms.augmentation.mixing import draw_partner, draw_share, want_alpha, want_probability, with_targets
from hms.batch import Signals


class Mixup:
    """Change each window with probability `p`; the share that a partner gives is drawn from Beta(`alpha`, `alpha`)."""

    stage = "signals"

    def __init__(self, p: float, alpha: float):
        want_probability(p=p)
        want_alpha(alpha)
        self.p, self.alpha = p, alpha

    def __call__(self, signals: Signals) -> Signals:
        marked = torch.rand(len(signals.pairs), device=signals.pairs.device) < self.p
        return lay_under(signals, draw_partner(signals), draw_share(marked, self.alpha))


def lay_under(signals: Signals, partner: Int[Tensor, " batch"], share: Float[Tensor, " batch"]) -> Signals:
    """Give each window `1 - share` of itself and `share` of its partner."""

    def laid(x: Tensor) -> Tensor:
        weight = share.to(x.dtype).reshape(-1, *[1] * (x.ndim - 1))
        return torch.where(weight > 0, x.lerp(x[partner], weight), x)

    images = None if signals.images is None else laid(signals.images)
    return with_targets(signals._replace(pairs=laid(signals.pairs), images=images), partner, share)
