"""Estimate how long a training step takes, without running one, from what it computes and what it writes to memory.

The estimate is the time of its multiply-adds at the rate of a large matrix product, plus that of all the elements its
operations write at the rate of a copy, each multiplied by a factor for the lower efficiency of networks. The rates are
measured on the spot, in a fraction of a second; the factors were fitted to steps on a CPU (docs/speed.md, "Before a
run").
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from time import perf_counter
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from hms.system.device import half_dtype

PRODUCT_SLOWDOWN = 1.2
COPY_SLOWDOWN = 1.5
"""How many times as long multiply-adds, and elements written, take within a network."""

_STEP = 3  # in forward passes: the backward pass computes a gradient of the input and one of the weights


class Rates(NamedTuple):
    """What a device does in a second."""

    multiply_adds: float
    elements: float
    """Copied, of 4 bytes each, or 2 in half precision."""


class ElementsWritten(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts the elements of all tensors that operations return, except for views."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.count = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        if not func.is_view:
            self.count += sum(leaf.numel() for leaf in tree_leaves(result) if isinstance(leaf, Tensor))
        return result


def measured_rates(device: str, precision: str | int) -> Rates:
    """Measure the rates of this machine, now, with torch's current number of threads.

    On a GPU the operations are large enough to fill it, and in the trainer's `precision`.
    """
    side, length, dtype = 512, 2**22, torch.float32
    if device != "cpu":
        side, length, dtype = 4096, 2**26, half_dtype(precision) or torch.float32
    matrix, source = (torch.randn(size, device=device, dtype=dtype) for size in ((side, side), (length,)))
    target = torch.empty_like(source)
    with _tf32_as_for_convolutions() if device != "cpu" else nullcontext():
        product_s = _best_s(lambda: matrix @ matrix, device)
    copy_s = _best_s(lambda: target.copy_(source), device)
    return Rates(side**3 / product_s, length / copy_s)


def training_step_s(multiply_adds: float, elements: float, rates: Rates) -> float:
    """The seconds of a training step, forward and backward, given what its forward pass computes and writes."""
    products_s = PRODUCT_SLOWDOWN * multiply_adds / rates.multiply_adds
    copies_s = COPY_SLOWDOWN * elements / rates.elements
    return _STEP * (products_s + copies_s)


@contextmanager
def _tf32_as_for_convolutions() -> Iterator[None]:
    """Let cuBLAS use TF32 for float32 if cuDNN does, as most of what a network computes is convolutions."""
    before = torch.backends.cuda.matmul.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32
    try:
        yield
    finally:
        torch.backends.cuda.matmul.allow_tf32 = before


def _best_s(work: Callable[[], object], device: str) -> float:
    times_s = []
    for _ in range(20):
        start_s = perf_counter()
        work()
        if device != "cpu":
            torch.accelerator.synchronize()
        times_s.append(perf_counter() - start_s)
    return min(times_s)
