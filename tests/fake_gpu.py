"""Tensors on a GPU that this machine lacks: torch computes their shapes, types and devices, but no values.

An operation on tensors of two devices fails, which would end a step on a GPU, and so does reading a value, for which it
would wait.
"""

from typing import TypeVar

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode

M = TypeVar("M", bound=nn.Module)

mode = FakeTensorMode()
"""The context in which operations on such tensors are allowed."""


def fake(tensor: Tensor) -> Tensor:
    return FakeTensor(mode, tensor.detach().to("meta"), torch.device("cuda", 0))


def moved(module: M) -> M:
    """The module itself, with parameters and buffers on the GPU."""
    for part in module.modules():
        for name, parameter in part.named_parameters(recurse=False):
            part._parameters[name] = nn.Parameter(fake(parameter), parameter.requires_grad)
        for name, buffer in part.named_buffers(recurse=False):
            part._buffers[name] = fake(buffer)
    return module
