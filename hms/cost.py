"""How long a step of a training takes, before any is made: by what it computes and what it moves.

A step's time is taken for that of its multiply-adds at the rate of a large matrix product, times what networks fall
short of it, plus that of every number an operation makes at the rate of a copy. Both rates are measured on the spot, in
a fraction of a second; the two factors below were fitted to steps on a CPU (EXPERIMENTS.md, "Before a run").
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from time import perf_counter
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from hms.inference import half

SHORT_OF_PRODUCT = 1.2
SHORT_OF_COPY = 1.5
"""How many times as long multiply-adds, and numbers made, take within a network."""

_STEP = 3  # times forward: a backward pass makes a gradient of what goes in, and one of the weights


class Rates(NamedTuple):
    """What a device does in a second."""

    multiply_adds: float
    numbers: float
    """Copied, of 4 bytes each, or 2 in half precision."""


class NumbersMade(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts the numbers that operations make, views of others aside."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.count = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = func(*args, **(kwargs or {}))
        if not func.is_view:
            self.count += sum(one.numel() for one in tree_leaves(made) if isinstance(one, Tensor))
        return made


def measured_rates(device: str, precision: str | int) -> Rates:
    """Of this machine, now, with as many threads as torch has here; on a GPU, by works that fill it, in the
    trainer's `precision`."""
    side, length, dtype = 512, 2**22, torch.float32
    if device != "cpu":
        side, length, dtype = 4096, 2**26, half(precision) or torch.float32
    one, long = (torch.randn(size, device=device, dtype=dtype) for size in ((side, side), (length,)))
    other = torch.empty_like(long)
    with _rounded_as_convolutions() if device != "cpu" else nullcontext():
        product_s = _best_s(lambda: one @ one, device)
    copy_s = _best_s(lambda: other.copy_(long), device)
    return Rates(side**3 / product_s, length / copy_s)


def step_s(multiply_adds: float, numbers: float, rates: Rates) -> float:
    """Seconds of a training step, forward and backward, for what its forward pass computes and makes."""
    products_s = SHORT_OF_PRODUCT * multiply_adds / rates.multiply_adds
    copies_s = SHORT_OF_COPY * numbers / rates.numbers
    return _STEP * (products_s + copies_s)


@contextmanager
def _rounded_as_convolutions() -> Iterator[None]:
    """Let cuBLAS take TF32 for float32 where cuDNN does: convolutions are the most of what a network computes."""
    before = torch.backends.cuda.matmul.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32
    try:
        yield
    finally:
        torch.backends.cuda.matmul.allow_tf32 = before


def _best_s(work: Callable[[], object], device: str) -> float:
    found = []
    for _ in range(20):
        begun = perf_counter()
        work()
        if device != "cpu":
            torch.accelerator.synchronize()
        found.append(perf_counter() - begun)
    return min(found)
