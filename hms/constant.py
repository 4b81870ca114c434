"""Tensors that depend on sizes alone, made once for each device: made anew in each step, each operation would cost a
GPU a launch."""

from collections.abc import Callable
from functools import cache
from typing import Any, ParamSpec, TypeVar

import torch

P = ParamSpec("P")
T = TypeVar("T")


def constant(make: Callable[P, T]) -> Callable[P, T]:
    """Call `make` once for the same arguments; nobody may edit what it gives.

    What is made while a model predicts serves a training, too, so it must not be an inference tensor.
    """
    made: Any = cache(torch.inference_mode(False)(make))
    return made
