"""Norms over images, batches, or both."""

import torch
from jaxtyping import Float
from torch import Tensor, nn


def mixed_norm(channels: int, instance: float) -> nn.Module:
    """A batch norm with a share `instance` of the channels normalised image by image instead."""
    by_image = round(channels * instance)
    if by_image in (0, channels):
        return _instance_norm(channels) if by_image else nn.BatchNorm2d(channels)
    return _InstanceBatchNorm(by_image, channels - by_image)


class _InstanceBatchNorm(nn.Module):
    """Normalise the first channels image by image, the rest over the batch."""

    def __init__(self, by_image: int, by_batch: int):
        super().__init__()
        self.by_image, self.by_batch = _instance_norm(by_image), nn.BatchNorm2d(by_batch)
        self.sizes = [by_image, by_batch]

    def forward(self, x: Float[Tensor, "batch channel height width"]) -> Float[Tensor, "batch channel height width"]:
        first, rest = torch.split(x, self.sizes, dim=1)
        return torch.cat([self.by_image(first), self.by_batch(rest)], dim=1)


def _instance_norm(channels: int) -> nn.Module:
    return nn.GroupNorm(channels, channels)  # same as nn.InstanceNorm2d(affine=True), but faster on a CPU
