"""A superlet transform of every pair, stacked into one image like the STFT: sharp in time and in frequency alike.

Source: Moca et al. 2021, doi 10.1038/s41467-020-20539-9 (fractional adaptive superlets), used by the competition's
winners. At each frequency, Morlet wavelets of ever more cycles see the same rhythm: the short ones tell when, the long
ones at which frequency. Their geometric mean is large only where all of them see it. Rows are spaced evenly on a
logarithmic scale, so a rhythm that slows from 3 to 1.5 Hz moves as far as one that slows from 12 to 6 Hz.
"""

import math
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from hms.backbone import Backbone
from hms.electrodes import SFREQ_HZ
from hms.extractor import SpectrogramOfPairs, central, samples_of
from hms.ranges import want_at_least

_REACH = 4  # SD of a wavelet, in time and in frequency, beyond which it is taken to be 0
_FEWEST_POINTS = 2  # per frame, of which its power is the mean
_FAINTEST = 1e-6  # power of which there is always as much, so that no wavelet vetoes the others


class Superlet(SpectrogramOfPairs):
    """Signals -> Features, through one image of the log-power of all pairs, in `rows` rows from `fmin_hz` to `fmax_hz`.

    A row combines wavelets of `cycles`, 2 `cycles`, ... cycles. Their number, the order, rises linearly with frequency
    between the two `orders`; of a fractional order, the last wavelet counts by the fraction. Power is averaged over
    frames of `step_s`. `columns`, `span_s` and tokens are as in `stft`.
    """

    def __init__(
        self,
        backbone: Backbone,
        fmin_hz: float,
        fmax_hz: float,
        rows: int,
        cycles: float,
        orders: list[float],
        step_s: float,
        span_s: float,
        columns: Literal[1, 2],
        dropout: float,
    ):
        super().__init__()
        want_at_least(2, rows=rows)
        want_at_least(1, cycles=cycles)
        if len(orders) != 2 or not 1 <= orders[0] <= orders[1]:
            raise ValueError(f"orders: want two numbers from 1 that do not fall, got {orders}")
        most_hz = SFREQ_HZ / 2 / (1 + _REACH / cycles)  # or the widest wavelet would reach beyond half the rate
        if not 0 < fmin_hz < fmax_hz <= most_hz:
            raise ValueError(f"fmin_hz, fmax_hz: want 0 < fmin_hz < fmax_hz <= {most_hz:.3g}, got {fmin_hz}, {fmax_hz}")
        if not 1 / SFREQ_HZ <= step_s <= samples_of(span_s) / SFREQ_HZ:
            raise ValueError(f"step_s: want {1 / SFREQ_HZ:g} up to span_s = {span_s}, got {step_s}")
        centres_hz = np.geomspace(fmin_hz, fmax_hz, rows)
        order = np.interp(centres_hz, [fmin_hz, fmax_hz], orders)
        longest_s = (np.ceil(order) * cycles / (2 * np.pi * centres_hz)).max()
        self.frames, self.margin = round(span_s / step_s), math.ceil(_REACH * longest_s / step_s)
        frames = self.frames + 2 * self.margin
        self.samples = round(frames * step_s * SFREQ_HZ)
        counts = [np.arange(1.0, math.ceil(each) + 1) for each in order]
        self.rows = nn.ModuleList(
            _Row(centre_hz, cycles * count, (each - count + 1).clip(0, 1) / each, self.samples, frames)
            for centre_hz, each, count in zip(centres_hz, order, counts, strict=True)
        )
        self.columns = columns
        self.read_by(backbone, dropout)

    def spectrogram(self, pairs: Float[Tensor, "batch pair time"]) -> Float[Tensor, "batch pair frequency frame"]:
        """Log-power of each pair, of about unit size."""
        with torch.autocast(pairs.device.type, enabled=False):
            return torch.log1p(100 * self.power(pairs.float())) / 2 - 1

    def power(self, pairs: Float[Tensor, "batch pair time"]) -> Float[Tensor, "batch pair frequency frame"]:
        """Squared amplitude at each frequency: that of a steady sine is its own."""
        pairs = central(pairs, self.samples)
        missing = self.samples - pairs.shape[-1]
        pairs = F.pad(pairs, (missing // 2, missing - missing // 2))
        spectrum = torch.view_as_real(torch.fft.rfft(pairs))
        power = torch.stack([row(spectrum) for row in self.rows], dim=2)  # one at a time, for memory
        return power[..., self.margin : self.margin + self.frames]


class _Row(nn.Module):
    """The power at one frequency: the geometric mean over wavelets of so many `cycles`, with these `weights`.

    Only the band that the wavelets reach is transformed back, with just enough points per frame for the band's width;
    where it lies in the spectrum does not change its power. Complex numbers are pairs of real ones for ONNX's sake.
    """

    gains: Tensor
    weights: Tensor

    def __init__(
        self,
        centre_hz: float,
        cycles: Float[np.ndarray, " wavelet"],
        weights: Float[np.ndarray, " wavelet"],
        samples: int,
        frames: int,
    ):
        super().__init__()
        duration_s, sd_hz = samples / SFREQ_HZ, centre_hz / cycles
        points_per_frame = max(_FEWEST_POINTS, math.ceil(2 * _REACH * sd_hz[0] * duration_s / frames))
        self.frames, self.points = frames, frames * points_per_frame
        self.first = max(0, round(centre_hz * duration_s) - self.points // 2)
        bins_hz = np.arange(self.first, min(self.first + self.points, samples // 2 + 1)) / duration_s
        gains = 2 * np.exp(-(((bins_hz - centre_hz) / sd_hz[:, None]) ** 2) / 2)  # 2: the negative side has the rest
        gains *= self.points / samples  # transforms of other lengths
        self.register_buffer("gains", torch.from_numpy(gains[..., None].astype(np.float32)), persistent=False)
        self.register_buffer("weights", torch.from_numpy(weights[:, None].astype(np.float32)), persistent=False)

    def forward(self, spectrum: Float[Tensor, "batch pair bin 2"]) -> Float[Tensor, "batch pair frame"]:
        bins = self.gains.shape[1]
        band = spectrum[:, :, None, self.first : self.first + bins] * self.gains
        band = F.pad(band, (0, 0, 0, self.points - bins))
        wave = torch.view_as_real(torch.fft.ifft(torch.view_as_complex(band)))  # batch pair wavelet point 2
        power = wave.square().sum(dim=-1) + _FAINTEST
        mean = (power.log() * self.weights).sum(dim=2).exp()
        mean = (mean + mean.roll(-1, dims=-1)) / 2  # a frame's points start where it does: this centres them in it
        return mean.reshape(*mean.shape[:2], self.frames, -1).mean(dim=-1)
