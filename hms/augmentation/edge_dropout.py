"""Blank the outer part of the ten-minute images, because the experts judged their central 10 s.

Source: 15th-place solution. Its write-up says that this helped; its published code prints the amount and does nothing.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from hms.batch import Signals
from hms.cached_tensor import indices
from hms.ranges import want_probability


class EdgeDropout:
    """Set both ends in time of a window's images to their mean 0: together a fraction of 0 to `most`.

    Each window is changed with probability `p` and draws its own fraction uniformly; its ten images share it.
    """

    acts_on = "signals"
    images_only = True

    def __init__(self, p: float, most: float):
        want_probability(p=p)
        if not 0 <= most < 1:
            raise ValueError(f"most: want 0 up to less than 1, got {most}")
        self.p, self.most = p, most

    def __call__(self, signals: Signals) -> Signals:
        if signals.images is None:
            return signals
        draw, amount = torch.rand(2, len(signals.images), device=signals.images.device)
        amount = torch.where(draw < self.p, self.most * amount, 0.0)
        return signals._replace(images=drop_edges(signals.images, amount))


def drop_edges(
    images: Float[Tensor, "batch image time frequency"], amount: Float[Tensor, " batch"]
) -> Float[Tensor, "batch image time frequency"]:
    """Set the outer fraction `amount` of the rows to 0, half of it at each end."""
    time = images.shape[2]
    from_centre = (2 * indices(time, images.device) + 1 - time).abs() / time  # 0 in the centre, ends near 1
    return images.masked_fill((from_centre > 1 - amount[:, None])[:, None, :, None], 0)
