"""Batch norms of a network whose inside is computed twice, once more for the backward pass, take note of it once."""

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm


class NotedOnce:
    """Batch norms of a network, whose running statistics would otherwise move twice as fast.

    `num_batches_tracked` counts both times; with a momentum, as all of timm's norms have one, nothing reads it.
    """

    def __init__(self) -> None:
        self._momenta: list[float | None] = []

    @contextmanager
    def within(self, network: nn.Module) -> Iterator[None]:
        """Let them take note of what passes them in the block, and not again in the backward pass after it."""
        norms = [part for part in network.modules() if isinstance(part, _BatchNorm)]
        self._momenta = self._momenta or [norm.momentum for norm in norms]
        for norm, momentum in zip(norms, self._momenta, strict=True):
            norm.momentum = momentum
        try:
            yield
        finally:
            for norm in norms:
                norm.momentum = 0.0
