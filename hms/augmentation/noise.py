"""Add noise that is weaker in the centre of the window, where the experts looked (15th-place solution).

The original adds N(0, sigma / 3) + N(0, sigma) g(t), where g(t) = 1 - exp(-t^2 / (2 width^2)) and t is counted from the
centre. Changed: one draw with the SD of that sum; and the windows of a batch are cut from one stream of noise, a
quarter of a window apart, because drawing so many numbers on a CPU takes longer than all preprocessing. The noise
within each window is white, and no two windows have the same noise at the same time.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from hms.batch import Signals
from hms.cached_tensor import cached_tensor
from hms.electrodes import SFREQ_HZ
from hms.ranges import want_above_0, want_at_least


class Noise:
    """Add normal noise to every pair: SD `sigma` / 3 in the centre, more from about `width_s` seconds away from it.

    `sigma` is in units of the scaled pairs: 1 is 32 µV with `preprocess=original`, the window's SD with `clinical`.
    """

    acts_on = "signals"
    eeg_only = True

    def __init__(self, sigma: float, width_s: float):
        want_at_least(0, sigma=sigma)
        want_above_0(width_s=width_s)
        self.sigma, self.width_s = sigma, width_s

    def __call__(self, signals: Signals) -> Signals:
        pairs = signals.pairs
        batch, count, time = pairs.shape
        step = -(-time // 4)
        stream = torch.randn(count, time + (batch - 1) * step, dtype=pairs.dtype, device=pairs.device)
        noise = stream.unfold(1, time, step).transpose(0, 1)
        sd = _sd(time, self.sigma, self.width_s, pairs.dtype, pairs.device)
        return signals._replace(pairs=torch.addcmul(pairs, noise, sd))


@cached_tensor
def _sd(time: int, sigma: float, width_s: float, dtype: torch.dtype, device: torch.device) -> Float[Tensor, " time"]:
    t_s = (torch.arange(time, device=device) - time / 2) / SFREQ_HZ
    g = 1 - torch.exp(-(t_s**2) / (2 * width_s**2))
    return (sigma * (1 / 9 + g**2).sqrt()).to(dtype)
