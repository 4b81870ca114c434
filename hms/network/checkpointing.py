"""Gradient checkpointing: the backward pass computes activations again; batch norms are updated once per step."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.checkpoint import checkpoint


def in_sequence(blocks: Iterable[nn.Module], grad_checkpointing: bool) -> nn.Sequential:
    """The blocks one after another; with `grad_checkpointing` their activations are computed again, not kept."""
    return _Recomputed(*blocks) if grad_checkpointing else nn.Sequential(*blocks)


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


class _Recomputed(nn.Sequential):
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
