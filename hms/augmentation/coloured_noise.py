"""Noise of any colour: each recording has sources of its own, from sweat to muscle to amplifier.

Their spectra fall by 0 to 2 powers of the frequency, from white to Brownian. A model that learns from simulated EEG
must find its patterns under noise that the simulator does not make.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from hms.augmentation.mixing import want_probability
from hms.batch import Batch
from hms.electrodes import SFREQ_HZ

_LOWEST_HZ = 0.5


class ColouredNoise:
    """Add noise of its own to each electrode of a window, with probability `p` of the window.

    Its SD, log-uniform from `least_uv` to `most_uv` (µV, of 0.5 Hz and up), and the slope of its power, uniform from 0
    to `steepest`, are the same for a window's electrodes.
    """

    stage = "electrodes"

    def __init__(self, p: float, least_uv: float, most_uv: float, steepest: float):
        want_probability(p=p)
        if not 0 < least_uv <= most_uv:
            raise ValueError(f"least_uv, most_uv: want 0 < least_uv <= most_uv, got {least_uv}, {most_uv}")
        if steepest < 0:
            raise ValueError(f"steepest: want at least 0, got {steepest}")
        self.p, self.least_uv, self.most_uv, self.steepest = p, least_uv, most_uv, steepest

    def __call__(self, batch: Batch) -> Batch:
        windows, electrodes, time = batch.eeg.shape
        device = batch.eeg.device
        marked, size, slope = torch.rand(3, windows, device=device)
        uv = self.least_uv * (self.most_uv / self.least_uv) ** size
        noise = coloured(slope * self.steepest, electrodes, time) * uv[:, None, None]
        there = (marked < self.p)[:, None, None]
        return batch._replace(eeg=torch.where(there, (batch.eeg.float() + noise).to(batch.eeg.dtype), batch.eeg))


def coloured(slope: Float[Tensor, " window"], electrodes: int, time: int) -> Float[Tensor, "window electrode time"]:
    """Noise of SD 1 whose power falls with the frequency to the power of `slope` from 0.5 Hz on; none below."""
    hz = torch.fft.rfftfreq(time, 1 / SFREQ_HZ, device=slope.device)
    size = (hz.clamp(min=_LOWEST_HZ) / _LOWEST_HZ) ** (-slope[:, None] / 2)
    size = size * (hz >= _LOWEST_HZ)
    size = size * time / (2 * size.square().sum(dim=1, keepdim=True)).sqrt()
    shape = (len(slope), electrodes, len(hz))
    waves = torch.complex(torch.randn(shape, device=slope.device), torch.randn(shape, device=slope.device))
    return torch.fft.irfft(waves * size[:, None] / 2**0.5, time)
