"""Schedules of the learning rate, which is set before each epoch.

The 15th-place solution pre-trains at a constant rate and fine-tunes along a cosine. Added: a linear warm-up.
"""

import math
from collections.abc import Callable

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR

from hms.ranges import want_at_least


def constant(optimizer: Optimizer, warmup_epochs: int) -> LambdaLR:
    """The optimizer's rate, after a linear warm-up."""
    return LambdaLR(optimizer, _warmed_up(warmup_epochs, lambda epoch: 1.0))


def cosine(optimizer: Optimizer, epochs: int, warmup_epochs: int, lr_min: float) -> LambdaLR:
    """Half a cosine wave from the optimizer's rate down to `lr_min`, reached after `epochs`, including the warm-up."""
    if not 0 <= lr_min <= optimizer.defaults["lr"]:
        raise ValueError(f"lr_min: want 0 to the optimizer's lr = {optimizer.defaults['lr']}, got {lr_min}")
    if not warmup_epochs < epochs:
        raise ValueError(f"warmup_epochs: want less than epochs = {epochs}, got {warmup_epochs}")
    least = lr_min / optimizer.defaults["lr"] if lr_min else 0.0

    def factor(epoch: int) -> float:
        progress = min(1.0, (epoch - warmup_epochs) / (epochs - warmup_epochs))
        return least + (1 - least) * (1 + math.cos(math.pi * progress)) / 2

    return LambdaLR(optimizer, _warmed_up(warmup_epochs, factor))


def _warmed_up(epochs: int, then: Callable[[int], float]) -> Callable[[int], float]:
    want_at_least(0, warmup_epochs=epochs)
    return lambda epoch: (epoch + 1) / (epochs + 1) if epoch < epochs else then(epoch)
