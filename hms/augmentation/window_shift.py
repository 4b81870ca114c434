"""Move the window in time, so that the labelled ten seconds are not always exactly in its centre.

Source: 3rd place, which reads a window up to 17 s earlier or later from the recording and tells its network where the
labelled centre went. Changed: a batch holds no more than its windows, and networks here read the centre of what they
get, some only 10 or 20 s of it; so the move is small, and what it uncovers at one end is filled with the window's own
end, mirrored. Zeros would leave a step of the size of the electrodes' offsets, and a smaller spread to scale by.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from hms.batch import Batch
from hms.cached_tensor import indices
from hms.electrodes import SFREQ_HZ
from hms.ranges import want_probability
from hms.spectrogram_recipe import STEP_S
from hms.window_lengths import EEG_S


class WindowShift:
    """Move each window, with probability `p`, to a time up to `most_s` seconds earlier or later, uniformly.

    The spectrogram moves by the nearest number of its rows of 2 s.
    """

    acts_on = "electrodes"

    def __init__(self, p: float, most_s: float):
        want_probability(p=p)
        if not 0 <= most_s <= EEG_S / 2:
            raise ValueError(f"most_s: want 0 to {EEG_S / 2:g}, got {most_s}")
        self.p, self.most_s = p, most_s

    def __call__(self, batch: Batch) -> Batch:
        draw, later = torch.rand(2, len(batch.eeg), device=batch.eeg.device)
        return shift(batch, torch.where(draw < self.p, self.most_s * (2 * later - 1), 0.0))


def shift(batch: Batch, later_s: Float[Tensor, " batch"]) -> Batch:
    """Let each window start `later_s` seconds later, by half its length at most."""
    moved = batch._replace(eeg=_moved(batch.eeg, later_s * SFREQ_HZ))
    if moved.spectrogram is None:
        return moved
    return moved._replace(spectrogram=_moved(moved.spectrogram, later_s / STEP_S))


def _moved(
    x: Float[Tensor, "batch channel time *rest"], later: Float[Tensor, " batch"]
) -> Float[Tensor, "batch channel time *rest"]:
    """Sample t gets the value of sample t + `later`, rounded; an index beyond an end is reflected back inside."""
    last = x.shape[2] - 1
    at = (indices(last + 1, x.device) + later.round().long()[:, None]).abs()
    at = last - (last - at).abs()
    window = indices(len(x), x.device)[:, None]
    return x.transpose(1, 2)[window, at].transpose(1, 2)  # in the order of the store, all channels of a point together
