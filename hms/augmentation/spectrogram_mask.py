"""Blur, stretch and blank parts of the ten-minute images.

Source: 15th-place solution. Changed: frequency dropout no longer reverses time; the blur is a Gaussian along time, not
motion blur or a median of three points; a stretched image keeps its centre to a fraction of a row.
"""

import math

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from hms.batch import Signals
from hms.cached_tensor import cached_tensor, indices
from hms.ranges import want_above_0, want_at_least, want_probability

Images = Float[Tensor, "batch image time frequency"]


class SpectrogramMask:
    """Change a window's ten images in four ways, in this order, each with its own probability; all ten get the same.

    coarse: 1 to `holes` rectangles of 1 to `hole_rows` (2 s) by 1 to `hole_columns` (0.2 Hz) become 0, the mean;
    blur: along time, with an SD of up to `blur_rows`; resample: to between `shortest` and `longest` times the
    length about the centre, with the ends filled with 0; frequency: 1 to `frequencies` columns become 0.
    """

    acts_on = "signals"
    images_only = True

    def __init__(
        self,
        coarse_p: float,
        holes: int,
        hole_rows: int,
        hole_columns: int,
        blur_p: float,
        blur_rows: float,
        resample_p: float,
        shortest: float,
        longest: float,
        frequency_p: float,
        frequencies: int,
    ):
        want_probability(coarse_p=coarse_p, blur_p=blur_p, resample_p=resample_p, frequency_p=frequency_p)
        want_at_least(1, holes=holes, hole_rows=hole_rows, hole_columns=hole_columns, frequencies=frequencies)
        want_above_0(blur_rows=blur_rows)
        if not 0 < shortest <= longest:
            raise ValueError(f"shortest, longest: want more than 0 and in this order, got {shortest}, {longest}")
        self.coarse_p, self.blur_p, self.resample_p, self.frequency_p = coarse_p, blur_p, resample_p, frequency_p
        self.holes, self.hole_rows, self.hole_columns, self.frequencies = holes, hole_rows, hole_columns, frequencies
        self.blur_rows, self.shortest, self.longest = blur_rows, shortest, longest

    def __call__(self, signals: Signals) -> Signals:
        images = signals.images
        if images is None:
            return signals
        draws = torch.rand(8, len(images), device=images.device)
        coarse, holes, blurred, rows, resampled, length, dropped, frequencies = draws
        count = torch.where(coarse < self.coarse_p, 1 + (self.holes * holes).floor(), 0)
        images = images.masked_fill(self._in_holes(images, count)[:, None], 0)
        images = blur(images, torch.where(blurred < self.blur_p, self.blur_rows * rows, 0), self.blur_rows)
        length = self.shortest + (self.longest - self.shortest) * length
        images = resample(images, torch.where(resampled < self.resample_p, length, 1))
        count = torch.where(dropped < self.frequency_p, 1 + (self.frequencies * frequencies).floor(), 0)
        return signals._replace(images=drop_frequencies(images, count))

    def _in_holes(self, images: Images, count: Float[Tensor, " batch"]) -> Bool[Tensor, "batch time frequency"]:
        used = indices(self.holes, images.device) < count[:, None]
        rows, columns = _spans(used, images.shape[2], self.hole_rows), _spans(used, images.shape[3], self.hole_columns)
        return (rows[:, :, :, None] & columns[:, :, None, :]).any(dim=1)


def _spans(used: Bool[Tensor, "batch hole"], size: int, longest: int) -> Bool[Tensor, "batch hole size"]:
    """A random span of 1 to `longest` of `size` points for each hole in use."""
    length, start = torch.rand(2, *used.shape, 1, device=used.device)
    length = 1 + (longest * length).floor()
    start = ((size + 1 - length) * start).floor()
    at = indices(size, used.device)
    return used[..., None] & (at >= start) & (at < start + length)


def blur(images: Images, sd: Float[Tensor, " batch"], largest: float) -> Images:
    """Average neighbouring rows with a Gaussian of `sd` rows, at most `largest`; 0 leaves a window unchanged."""
    reach, time = math.ceil(2 * largest), images.shape[2]
    offset = indices(2 * reach + 1, images.device) - reach
    kernel = torch.exp(-((offset / sd[:, None].clamp(min=1e-3)) ** 2) / 2)  # SD 0: 1 for the row itself, else 0
    kernel = (kernel / kernel.sum(dim=1, keepdim=True)).to(images.dtype)
    blurred = torch.zeros_like(images)
    for k in range(2 * reach + 1):
        blurred = blurred + kernel[:, k, None, None, None] * images[:, :, _neighbour(time, k - reach, images.device)]
    return blurred


@cached_tensor
def _neighbour(time: int, offset: int, device: torch.device) -> Int[Tensor, " time"]:
    """Index of the row `offset` rows after each, limited to the first and last."""
    return (torch.arange(time, device=device) + offset).clamp(0, time - 1)


def resample(images: Images, length: Float[Tensor, " batch"]) -> Images:
    """Make the images `length` times as long about their centre, by linear interpolation; missing rows are 0."""
    time = images.shape[2]
    centre = (time - 1) / 2
    source = (indices(time, images.device) - centre) / length[:, None] + centre  # batch time
    missing = (source < -0.5) | (source > time - 0.5)
    source = source.clamp(0, time - 1)
    before = source.floor()
    between = (source - before)[:, None, :, None].to(images.dtype)
    one, other = (_rows(images, at) for at in (before, (before + 1).clamp(max=time - 1)))
    return one.lerp(other, between).masked_fill(missing[:, None, :, None], 0)


def _rows(images: Images, at: Float[Tensor, "batch time"]) -> Images:
    return images.gather(2, at.long()[:, None, :, None].expand_as(images))


def drop_frequencies(images: Images, count: Float[Tensor, " batch"]) -> Images:
    """Set `count` random columns of each window to 0."""
    rank = torch.rand(len(images), images.shape[3], device=images.device).argsort(dim=1).argsort(dim=1)
    return images.masked_fill((rank < count[:, None])[:, None, None, :], 0)
