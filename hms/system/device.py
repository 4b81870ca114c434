"""The device that models compute on, its memory, and the precision of what they compute there."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from hms.errors import UserError, first_line


def best_device(accelerator: str) -> str:
    """The torch device of this machine for `accelerator` (auto, cpu or gpu). Raises UserError if it has none."""
    gpu = torch.accelerator.current_accelerator(check_available=True)
    available = {"cpu": "cpu", "auto": gpu.type if gpu else "cpu"} | ({"gpu": gpu.type} if gpu else {})
    if accelerator not in available:
        raise UserError(f"accelerator: want {' or '.join(available)} on this machine, got '{accelerator}'")
    return available[accelerator]


@contextmanager
def enough_memory(instead: str) -> Iterator[None]:
    """Raise UserError that suggests `instead` if the device has too little memory."""
    try:
        yield
    except torch.OutOfMemoryError as error:
        raise UserError(f"this needs more memory than the GPU has ({first_line(error)}); try {instead}") from None


def autocast(device: str | torch.device, precision: str) -> torch.autocast:
    """A context in which a model computes in `precision`, such as 16-mixed, as with Lightning's trainer."""
    dtype = half_dtype(precision)
    return torch.autocast(torch.device(device).type, dtype, enabled=dtype is not None)


def half_dtype(precision: str | int) -> torch.dtype | None:
    """The 16-bit type that a precision, by any of Lightning's names, computes in; None if it is not half."""
    return {"16": torch.float16, "bf16": torch.bfloat16}.get(str(precision).removesuffix("-mixed"))
