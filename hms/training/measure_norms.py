"""Measure the statistics of batch norms anew when a training has ended, over windows that it learned from.

A batch norm predicts by moving averages of the mean and variance that it saw in training. These are of some ten batches
only, seen by earlier weights than the last ones, or than an average of weights that never saw a batch. Here every norm
sees the same weights and many more batches, without augmentation and dropout, as in prediction.

Source: "PreciseBN" in Wu and Johnson 2021, arXiv 2105.07576. Changed: the variances of batches, which are normalised by
them, are averaged, without what the means of batches vary among each other.
"""

from collections.abc import Iterable

import torch
from torch.nn.modules.batchnorm import _BatchNorm

from hms.batch import Batch, on_device
from hms.model import Model

BATCHES = 32
"""How many to measure by."""


@torch.no_grad()
def measure_norms(model: Model, batches: Iterable[Batch], device: torch.device) -> None:
    """Give each batch norm the mean statistics of these batches, and leave the model on `device`."""
    model.eval().to(device)
    norms = [part for part in model.modules() if isinstance(part, _BatchNorm) and part.track_running_stats]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # a mean over all batches
        norm.train()
    for batch in batches if norms else ():
        model(on_device(batch, device))
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
        norm.eval()
