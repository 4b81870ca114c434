"""Ten images of a window's regional spectrogram: the four regions and their six pairwise differences.

Source: 15th-place solution, which subtracts power before it takes the logarithm, so that every negative difference
becomes the darkest value. Kept as the default; `difference="log"` subtracts the logarithms, which keeps both signs.
"""

from itertools import combinations
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from hms.spectrogram_recipe import REGIONS

_DARKEST, _BRIGHTEST = -7.0, 10.0  # natural logarithm of µV²/Hz
_ORDER = (0, 1, 3, 2)  # the original's LL RL RP LP, as indices into `REGIONS`
_REGIONS = [[*REGIONS][region] for region in _ORDER]
IMAGES = (*_REGIONS, *(f"{one}−{other}" for one, other in combinations(_REGIONS, 2)))
"""Names of the ten images, in order: LL RL RP LP LL−RL LL−RP LL−LP RL−RP RL−LP RP−LP."""

_FLATTEST = 1e-3  # SD below which a window counts as constant: scaling it up would only show rounding errors
_LARGEST = 16.0  # SD that a pixel may be from the mean


class SpectrogramImages(nn.Module):
    """Power (batch, region, time, frequency) of LL RL LP RP -> (batch, 10, time, frequency), about unit size, no NaN.

    The images are `IMAGES`, clipped, as natural logarithms, standardised by one mean and one SD over all ten; 0 where a
    region is missing.
    """

    def __init__(self, difference: Literal["power", "log"]):
        super().__init__()
        self.difference = difference

    def forward(
        self, power: Float[Tensor, "batch region time frequency"]
    ) -> Float[Tensor, "batch image time frequency"]:
        images = self.log_images(power)
        from_mean = images - images.nanmean(dim=(1, 2, 3), keepdim=True)
        deviation = from_mean.square().nanmean(dim=(1, 2, 3), keepdim=True).sqrt()
        return (from_mean / deviation.clamp(min=_FLATTEST)).nan_to_num(0.0).clamp(-_LARGEST, _LARGEST)

    def log_images(
        self, power: Float[Tensor, "batch region time frequency"]
    ) -> Float[Tensor, "batch image time frequency"]:
        """The ten images before they are standardised; NaN where a region is missing."""
        regions = [power[:, region].float() for region in _ORDER]  # a list of four as index would be copied to the GPU
        if self.difference == "log":
            return _with_differences([_clipped_log(region) for region in regions])
        return _clipped_log(_with_differences(regions))


def mirrored(power: Float[Tensor, "batch region time frequency"]) -> Float[Tensor, "batch region time frequency"]:
    """LL RL LP RP of a head that is flipped left to right; from front to back each region stays what it is."""
    return power.reshape(-1, 2, 2, *power.shape[2:]).flip(2).reshape_as(power)


def _with_differences(
    regions: list[Float[Tensor, "batch time frequency"]],
) -> Float[Tensor, "batch image time frequency"]:
    return torch.stack([*regions, *(one - other for one, other in combinations(regions, 2))], dim=1)


def _clipped_log(power: Float[Tensor, "batch *image time frequency"]) -> Float[Tensor, "batch *image time frequency"]:
    return power.clamp(torch.e**_DARKEST, torch.e**_BRIGHTEST).log()
