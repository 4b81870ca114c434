"""The spread of a window's signals, whatever artefacts it has and however little of it was recorded."""

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

_EVERY = 4  # samples; more would not be more precise
_MAD_TO_SD = 1.4826  # of a normal distribution


def robust_sd(
    pairs: Float[Tensor, "batch pair time"], missing: Bool[Tensor, "batch pair time"] | None
) -> Float[Tensor, "batch 1 1"]:
    """SD of each window's median pair, from its median absolute value, where it is not `missing` (None: anywhere).

    0 if nothing is known.
    """
    absolute = pairs[..., ::_EVERY].abs()
    if missing is None:
        spread = _median(_median(absolute))
    else:
        gone = missing[..., ::_EVERY]
        spread = median_but(median_but(absolute, gone), gone.all(dim=-1))
    return _MAD_TO_SD * spread[:, None, None]


def _median(values: Float[Tensor, "*shape value"]) -> Float[Tensor, "*shape"]:
    """The lower median; PyTorch's own takes several times as long on a CPU and is not deterministic on a GPU."""
    middle = (values.shape[-1] - 1) // 2
    if not in_memory(values):
        return values.sort(dim=-1).values[..., middle]
    return torch.from_numpy(np.partition(values.numpy(), middle)[..., middle])


def median_but(values: Float[Tensor, "*shape value"], out: Bool[Tensor, "*shape value"]) -> Float[Tensor, "*shape"]:
    """The lower median of all values but those that are `out`; 0 if all are."""
    ascending = values.masked_fill(out, torch.inf).sort(dim=-1).values
    count = values.shape[-1] - out.sum(dim=-1, keepdim=True)
    median = ascending.gather(-1, (count - 1).clamp(min=0) // 2)
    return torch.where(count > 0, median, 0.0)[..., 0]


def in_memory(values: Tensor) -> bool:
    """Whether NumPy can read the values and code may branch on them: a plain tensor on a CPU, without a gradient."""
    return values.device.type == "cpu" and not values.requires_grad and type(values) is Tensor
