"""Cache tensors that depend on sizes and the device alone.

If they were computed in every step, each operation would cost a kernel launch on a GPU.
"""

from collections.abc import Callable
from functools import cache
from typing import Any, ParamSpec, TypeVar

import torch
from jaxtyping import Int
from torch import Tensor

P = ParamSpec("P")
T = TypeVar("T")


def cached_tensor(make: Callable[P, T]) -> Callable[P, T]:
    """Call `make` once for each set of arguments and cache the result, which must not be modified.

    A result computed while a model predicts may later be used in training, so it must not be an inference tensor.
    """
    cached: Any = cache(torch.inference_mode(False)(make))
    return cached


@cached_tensor
def indices(count: int, device: torch.device) -> Int[Tensor, " index"]:
    """0 to `count` - 1."""
    return torch.arange(count, device=device)
