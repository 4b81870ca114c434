"""The montage drawn as traces on a page, as electroencephalographers read it: shape and rhythm at one glance.

Source: 8th place of the competition (Deotte's plotted EEG), which gained about 0.01 by this image beside spectrograms;
16th place and TeamEpoch plotted the montage as well. They drew with matplotlib before training; here the page is drawn
on the device, for the windows of a batch at once, after all augmentations. The layout is our own:

    trace of pair 1
    trace of pair 2
    ...
    trace of pair 8
"""

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from hms.backbone import Backbone
from hms.extractor import ImageOfPairs, central, samples_of
from hms.ranges import want_above_0


class Traces(ImageOfPairs):
    """Signals -> Features, through one drawing of the central `span_s` seconds of all pairs.

    A column of pixels stands for `every` samples, and each pair has a strip of `height` rows that shows amplitudes up
    to `limit`, in units of `Signals.pairs`, negative up; what exceeds it runs along the strip's edge. The pen is
    `thickness` rows wide. A pair's token is the mean of the backbone's feature map over its strip.
    """

    def __init__(
        self, backbone: Backbone, span_s: float, every: int, height: int, limit: float, thickness: float, dropout: float
    ):
        super().__init__()
        self.span, self.every, self.height = samples_of(span_s), every, height
        if not 1 <= every <= self.span:
            raise ValueError(f"every: want 1 up to the {self.span} samples of span_s, got {every}")
        want_above_0(limit=limit)
        if not 0 < thickness < height:
            raise ValueError(f"thickness: want more than 0 and less than height, got {thickness} and {height}")
        self.limit, self.thickness = limit, thickness
        self.read_by(backbone, dropout)

    def image(self, pairs: Float[Tensor, "batch pair time"]) -> Float[Tensor, "batch 1 height width"]:
        """Ink, 0 to 1: the share of each pixel that lies between the least and the greatest sample of its column."""
        pen = self.thickness / 2
        scaled = (central(pairs, self.span) / self.limit).clamp(-1, 1)
        y = pen + (scaled + 1) / 2 * (self.height - self.thickness)  # in rows from the top of the strip
        y = F.pad(y, (1, 0), mode="replicate")  # a column begins where the one before it ended: the line is unbroken
        bottom = F.max_pool1d(y, self.every + 1, self.every) + pen
        top = -F.max_pool1d(-y, self.every + 1, self.every) - pen
        row = torch.arange(self.height, dtype=y.dtype, device=y.device)[:, None]
        ink = torch.minimum(bottom[:, :, None], row + 1) - torch.maximum(top[:, :, None], row)
        return ink.clamp(0, 1).flatten(1, 2).unsqueeze(1)
