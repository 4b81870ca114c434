"""Mirror the head: left to right, front to back.

Most patterns mean the same on either side, and the model should learn that. Source: 15th-place solution. Changed: a
left-right flip also swaps the regions of the spectrogram, which the original meant to do but did not.
"""

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from hms.batch import Batch
from hms.cached_tensor import cached_tensor, indices
from hms.electrodes import FLIPS
from hms.ranges import want_probability
from hms.spectrogram_images import mirrored


class BrainFlip:
    """Swap electrodes with their counterparts, in each window with probability `left_right` and with `front_back`."""

    acts_on = "electrodes"

    def __init__(self, left_right: float, front_back: float):
        want_probability(left_right=left_right, front_back=front_back)
        self.left_right, self.front_back = left_right, front_back

    def __call__(self, batch: Batch) -> Batch:
        left_right, front_back = torch.rand(2, len(batch.eeg), device=batch.eeg.device)
        return flip(batch, left_right < self.left_right, front_back < self.front_back)


def flip(batch: Batch, left_right: Bool[Tensor, " batch"], front_back: Bool[Tensor, " batch"]) -> Batch:
    """Flip the marked windows; flipping twice changes nothing."""
    device = batch.eeg.device
    order = _orders(device)[left_right.long(), front_back.long()]
    eeg = batch.eeg[indices(len(batch.eeg), device)[:, None], order]
    if batch.spectrogram is None:
        return batch._replace(eeg=eeg)
    power = torch.where(left_right[:, None, None, None], mirrored(batch.spectrogram), batch.spectrogram)
    return batch._replace(eeg=eeg, spectrogram=power)


@cached_tensor
def _orders(device: torch.device) -> Int[Tensor, "left_right front_back electrode"]:
    """`FLIPS` on the device, made once: a copy from the CPU waits for all work queued on a GPU."""
    return torch.tensor([*FLIPS.values()], device=device).reshape(2, 2, -1)
