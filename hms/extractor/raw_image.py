"""The signals themselves drawn as an image: an image network finds wave shapes that a spectrum cannot represent.

Source: the 2nd and 8th places of the competition drew raw EEG; the layout is our own. Each pair's signal is cut into
stretches that lie below one another, pair after pair, so that the image is not one long stripe:

    pair 1, first stretch
    pair 1, second stretch
    ...
    pair 8, last stretch
"""

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from hms.backbone import Backbone
from hms.extractor import ImageOfPairs, central, samples_of
from hms.ranges import want_above_0, want_at_least


class RawImage(ImageOfPairs):
    """Signals -> Features, through one image of the central `span_s` seconds of all pairs.

    Every `every` samples are averaged. Each pair fills `rows` rows of `height` pixels: otherwise a network that halves
    its image again and again would merge all pairs. Amplitudes beyond about `limit`, in units of `Signals.pairs`, are
    squeezed. A pair's token is the mean of the backbone's feature map over its rows.
    """

    def __init__(
        self, backbone: Backbone, span_s: float, every: int, rows: int, height: int, limit: float, dropout: float
    ):
        super().__init__()
        self.span, self.every, self.rows, self.height = samples_of(span_s), every, rows, height
        want_at_least(1, every=every, rows=rows, height=height)
        if self.span < 8 * every * rows:
            raise ValueError(f"rows: want at least 8 points in each, got {self.span / every / rows:g}")
        want_above_0(limit=limit)
        self.limit = limit
        self.read_by(backbone, dropout)

    def image(self, pairs: Float[Tensor, "batch pair time"]) -> Float[Tensor, "batch 1 height width"]:
        """Draw the signals; samples at the end that do not fill a row are dropped."""
        points = F.avg_pool1d(central(pairs, self.span), self.every)
        points = points[..., : points.shape[-1] // self.rows * self.rows]
        squeezed = torch.tanh(points / self.limit)
        return squeezed.reshape(pairs.shape[0], 1, pairs.shape[1] * self.rows, -1).repeat_interleave(self.height, dim=2)
