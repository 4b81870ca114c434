"""Update batch norms once per step although gradient checkpointing runs the forward pass twice."""

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm


class UpdateOnce:
    """Keep the running statistics of a checkpointed network's batch norms from moving twice as fast.

    `num_batches_tracked` still counts both passes, but nothing reads it in norms with a momentum, as all of timm's are.
    """

    def __init__(self) -> None:
        self._momenta: list[float | None] = []

    @contextmanager
    def first_pass(self, network: nn.Module) -> Iterator[None]:
        """Update the running statistics within the block, and not again when the backward pass recomputes it."""
        norms = [part for part in network.modules() if isinstance(part, _BatchNorm)]
        self._momenta = self._momenta or [norm.momentum for norm in norms]
        for norm, momentum in zip(norms, self._momenta, strict=True):
            norm.momentum = momentum
        try:
            yield
        finally:
            for norm in norms:
                norm.momentum = 0.0
