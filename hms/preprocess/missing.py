"""What stands for missing samples: where a recording begins or ends, in its gaps, at an electrode without contact."""

import math
from typing import Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from hms.preprocess.robust import in_memory

Fill = Literal["mirror", "zero"]
_INSTEAD_OF_INFINITY_UV = torch.finfo(torch.float16).max


def filled(
    eeg: Float[Tensor, "batch electrode time"], fill: Fill
) -> tuple[Float[Tensor, "batch electrode time"], Bool[Tensor, "batch electrode time"] | None]:
    """A contiguous float32 copy without missing samples, which later steps may overwrite, and a mask of the filled.

    With "mirror" a window goes on beyond the first and the last known sample of any electrode as its mirror image
    there, which looks like EEG to any model; all else that is missing has the mean of its channel in the window, so
    that an offset makes no step. "zero" is 0, as in the 15th-place solution. The mask marks what was filled with a mean
    or 0, not mirrored samples. It is None on a CPU if nothing was missing.
    """
    copy = eeg.to(torch.float32, copy=True, memory_format=torch.contiguous_format)
    if in_memory(copy) and math.isfinite(float(copy.sum())):
        return copy, None
    if fill == "mirror" and in_memory(copy):
        beyond = copy[..., [0, -1]].isnan().all(dim=1).any(dim=1)  # few windows reach beyond their recording
        copy[beyond] = _mirrored(copy[beyond])
    elif fill == "mirror":
        copy = _mirrored(copy)
    missing = copy.isnan()
    copy.nan_to_num_(0.0, _INSTEAD_OF_INFINITY_UV, -_INSTEAD_OF_INFINITY_UV)
    if fill == "mirror":
        known = copy.shape[-1] - missing.sum(dim=-1, keepdim=True)
        copy = torch.where(missing, copy.sum(dim=-1, keepdim=True) / known.clamp(min=1), copy)
    return copy, missing


def _mirrored(eeg: Float[Tensor, "batch electrode time"]) -> Float[Tensor, "batch electrode time"]:
    known = eeg.isnan().logical_not().any(dim=1).to(torch.uint8)  # batch time
    time = known.shape[1]
    first, last = known.argmax(dim=1, keepdim=True), time - 1 - known.flip(1).argmax(dim=1, keepdim=True)
    period = (2 * (last - first)).clamp(min=1)
    phase = (torch.arange(time, device=eeg.device) - first).remainder(period)
    source = first + torch.minimum(phase, period - phase)
    return eeg.gather(2, source[:, None].expand(-1, eeg.shape[1], -1))
