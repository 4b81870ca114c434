"""Add noise of any colour: every recording has sources of its own, from sweat to muscle to amplifier.

Their power falls with the frequency to the power of 0 to 2, from white to Brownian. A model that learns from simulated
EEG must find its patterns under noise that the simulator does not make.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from hms.augmentation.spectrum import frequencies_hz
from hms.batch import Batch
from hms.ranges import want_at_least, want_probability

_LOWEST_HZ = 0.5


class ColouredNoise:
    """Add independent noise to each electrode of a window, with probability `p` per window.

    A window's electrodes share the noise's SD, log-uniform from `least_uv` to `most_uv` (µV, from 0.5 Hz up), and the
    slope of its power, uniform from 0 to `steepest`.
    """

    acts_on = "electrodes"
    eeg_only = True

    def __init__(self, p: float, least_uv: float, most_uv: float, steepest: float):
        want_probability(p=p)
        if not 0 < least_uv <= most_uv:
            raise ValueError(f"least_uv, most_uv: want 0 < least_uv <= most_uv, got {least_uv}, {most_uv}")
        want_at_least(0, steepest=steepest)
        self.p, self.least_uv, self.most_uv, self.steepest = p, least_uv, most_uv, steepest

    def __call__(self, batch: Batch) -> Batch:
        windows, electrodes, time = batch.eeg.shape
        device = batch.eeg.device
        draw, size, slope = torch.rand(3, windows, device=device)
        uv = self.least_uv * (self.most_uv / self.least_uv) ** size
        noise = coloured(slope * self.steepest, electrodes, time) * uv[:, None, None]
        chosen = (draw < self.p)[:, None, None]
        return batch._replace(eeg=torch.where(chosen, (batch.eeg.float() + noise).to(batch.eeg.dtype), batch.eeg))


def coloured(slope: Float[Tensor, " window"], electrodes: int, time: int) -> Float[Tensor, "window electrode time"]:
    """Noise of SD 1 whose power falls with the frequency to the power of `slope` from 0.5 Hz up; none below."""
    hz = frequencies_hz(time, slope.device)
    size = (hz.clamp(min=_LOWEST_HZ) / _LOWEST_HZ) ** (-slope[:, None] / 2)
    size = size * (hz >= _LOWEST_HZ)
    size = size * time / (2 * size.square().sum(dim=1, keepdim=True)).sqrt()
    shape = (len(slope), electrodes, len(hz))
    waves = torch.complex(torch.randn(shape, device=slope.device), torch.randn(shape, device=slope.device))
    return torch.fft.irfft(waves * size[:, None] / 2**0.5, time)
