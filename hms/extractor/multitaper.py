"""A multitaper spectrogram of every pair, stacked into one image like the STFT: less noise per pixel, no training.

Source: Thomson 1982, doi 10.1109/PROC.1982.12433. The competition's own ten-minute spectrograms are of this kind, with
4 s windows (`spectrogram_recipe`). Here the windows are as short as the patterns require, and each pair has its own.
"""

from typing import Literal

import numpy as np
import torch
from jaxtyping import Float
from scipy.signal.windows import dpss
from torch import Tensor

from hms.backbone import Backbone
from hms.electrodes import SFREQ_HZ
from hms.extractor import SpectrogramOfPairs, central, samples_of


class Multitaper(SpectrogramOfPairs):
    """Signals -> Features, through one image of the log-power of all pairs up to `fmax_hz`.

    Windows of `window_s` seconds every `step_s`; `bandwidth` is the tapers' time-half-bandwidth product NW, of which
    2 NW - 1 tapers are averaged. `columns`, `span_s` and tokens are as in `stft`.
    """

    tapers: Tensor

    def __init__(
        self,
        backbone: Backbone,
        window_s: float,
        step_s: float,
        bandwidth: float,
        fmax_hz: float,
        span_s: float,
        columns: Literal[1, 2],
        dropout: float,
    ):
        super().__init__()
        self.span = samples_of(span_s)
        if not 0 < window_s < span_s:
            raise ValueError(f"window_s: want more than 0, less than span_s = {span_s}, got {window_s}")
        if not 1 / SFREQ_HZ <= step_s <= window_s:
            raise ValueError(f"step_s: want {1 / SFREQ_HZ:g} up to window_s = {window_s}, got {step_s}")
        if not 1 <= bandwidth < window_s * SFREQ_HZ / 2:
            raise ValueError(f"bandwidth: want 1 up to half of the window's samples, got {bandwidth}")
        if not 0 < fmax_hz <= SFREQ_HZ / 2:
            raise ValueError(f"fmax_hz: want more than 0 up to {SFREQ_HZ / 2:g}, got {fmax_hz}")
        self.window, self.step = round(window_s * SFREQ_HZ), round(step_s * SFREQ_HZ)
        self.bins = round(fmax_hz * self.window / SFREQ_HZ) + 1
        tapers = dpss(self.window, bandwidth, round(2 * bandwidth) - 1).astype(np.float32)
        self.register_buffer("tapers", torch.from_numpy(tapers), persistent=False)
        self.columns = columns
        self.read_by(backbone, dropout)

    def spectrogram(self, pairs: Float[Tensor, "batch pair time"]) -> Float[Tensor, "batch pair frequency frame"]:
        """Log-power of each pair, of about unit size."""
        with torch.autocast(pairs.device.type, enabled=False):
            frames = central(pairs, self.span).float().unfold(2, self.window, self.step)  # batch pair frame sample
            power = torch.zeros(())
            for taper in self.tapers:  # one at a time: all at once would take several times the memory
                power = power + torch.fft.rfft(frames * taper)[..., : self.bins].abs().square()
            log_power = torch.log1p(power / len(self.tapers))
        return log_power.transpose(2, 3) / 2 - 1
