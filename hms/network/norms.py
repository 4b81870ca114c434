"""Norms over images, batches, or both; and gradient checkpointing that updates batch norms once per step."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.checkpoint import checkpoint


class _Paused(float):
    """The momentum of a norm between two passes; 0, like one that a user sets to freeze it, but told from it."""


class UpdateOnce:
    """Keep the running statistics of a checkpointed network's batch norms from moving twice as fast.

    Checkpointing runs the forward pass twice. `num_batches_tracked` still counts both passes, but nothing reads it in
    norms with a momentum, as all of timm's and of the tiny backbone's are.
    """

    def __init__(self) -> None:
        self._momenta: list[float | None] = []

    @contextmanager
    def first_pass(self, network: nn.Module) -> Iterator[None]:
        """Update the running statistics within the block, and not again when the backward pass recomputes it."""
        norms = [part for part in network.modules() if isinstance(part, _BatchNorm)]
        now = [norm.momentum for norm in norms]
        kept = zip(self._momenta or now, now, strict=True)
        self._momenta = [then if isinstance(momentum, _Paused) else momentum for then, momentum in kept]
        for norm, momentum in zip(norms, self._momenta, strict=True):
            norm.momentum = momentum
        try:
            yield
        finally:
            for norm in norms:
                norm.momentum = _Paused(0.0)


class Recomputed(nn.Sequential):
    """Blocks whose activations the backward pass computes again instead of keeping them."""

    def __init__(self, *blocks: nn.Module):
        super().__init__(*blocks)
        self._update_once = UpdateOnce()

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return super().forward(x)  # type: ignore[no-untyped-call]
        with self._update_once.first_pass(self):
            for block in self:
                x = checkpoint(block, x, use_reentrant=False)
        return x


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
