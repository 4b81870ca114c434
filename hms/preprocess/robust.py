"""The spread of a window's signals, whatever artefacts it has and however little of it was recorded."""

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

_MAD_TO_SD = 1.4826  # of a normal distribution


def robust_sd(
    pairs: Float[Tensor, "batch pair time"], missing: Bool[Tensor, "batch pair time"] | None
) -> Float[Tensor, "batch 1 1"]:
    """SD of each window's median pair, from its median absolute value, where it is not `missing` (None: anywhere).

    0 if nothing is known.
    """
    spread = median_but(median_but(pairs.abs(), missing), None if missing is None else missing.all(dim=-1))
    return _MAD_TO_SD * spread[:, None, None]


def median_but(
    values: Float[Tensor, "*shape value"], out: Bool[Tensor, "*shape value"] | None
) -> Float[Tensor, "*shape"]:
    """The lower median of all values but those that are `out` (None: none are); 0 if all are.

    PyTorch's own takes several times as long on a CPU and is not deterministic on a GPU.
    """
    if out is None:
        return _of_rank(values, torch.full(values.shape[:-1], (values.shape[-1] - 1) // 2, device=values.device))
    count = values.shape[-1] - out.sum(dim=-1)
    median = _of_rank(values.masked_fill(out, torch.inf), (count - 1).clamp(min=0) // 2)
    return torch.where(count > 0, median, 0.0)


def _of_rank(values: Float[Tensor, "*shape value"], rank: Int[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """The value that `rank` others precede in ascending order."""
    if not in_memory(values):
        return values.sort(dim=-1).values.gather(-1, rank[..., None])[..., 0]
    rows, ranks = values.reshape(-1, values.shape[-1]).numpy(), rank.reshape(-1).numpy()
    found = np.empty(len(rows), rows.dtype)
    for one in np.unique(ranks):  # NumPy finds one place in many rows at once
        group = rows[ranks == one]  # a copy
        group.partition(one)
        found[ranks == one] = group[:, one]
    return torch.from_numpy(found).reshape(rank.shape)


def in_memory(values: Tensor) -> bool:
    """Whether NumPy can read the values and code may branch on them: a plain tensor on a CPU, without a gradient."""
    return values.device.type == "cpu" and not values.requires_grad and type(values) is Tensor
