"""A high-pass and notches without delay: run forwards and backwards, as one Fourier transform of a window."""

import math

import numpy as np
import torch
from jaxtyping import Float
from scipy import signal
from torch import Tensor, nn
from torch.nn import functional as F

from hms.electrodes import SFREQ_HZ
from hms.window_lengths import EEG_SAMPLES

_PERIODS = 1.5  # of the high-pass, mirrored at each end, so that a window's end does not leak into its start
_LEAST_PADDING = 600  # samples mirrored at each end, even if the high-pass needs fewer
_STEP = 100  # samples of which this number is a multiple: a transform is fast if its length has many divisors


class ZeroPhase(nn.Module):
    """High-pass and notches run forwards and backwards, by a Fourier transform of the window, mirrored at each end."""

    gain: Tensor

    def __init__(self, highpass_hz: float | None, notch_hz: list[float]):
        super().__init__()
        wanted = _PERIODS * SFREQ_HZ / highpass_hz if highpass_hz else 0
        self.padding = max(_LEAST_PADDING, _STEP * math.ceil(wanted / _STEP))
        self.register_buffer("gain", _gain(highpass_hz, notch_hz, EEG_SAMPLES + 2 * self.padding), persistent=False)

    def forward(self, pairs: Float[Tensor, "batch pair time"]) -> Float[Tensor, "batch pair time"]:
        if pairs.shape[-1] != EEG_SAMPLES:
            raise ValueError(f"eeg: want {EEG_SAMPLES} samples for highpass_hz and notch_hz, got {pairs.shape[-1]}")
        padded = F.pad(pairs, (self.padding, self.padding), mode="reflect")
        return self.circular(padded)[..., self.padding : -self.padding]

    def circular(self, padded: Float[Tensor, "batch pair time"]) -> Float[Tensor, "batch pair time"]:
        """Apply the filter alone, as a circular convolution."""
        return torch.fft.irfft(torch.fft.rfft(padded).mul_(self.gain), padded.shape[-1])


def _gain(highpass_hz: float | None, notch_hz: list[float], samples: int) -> Float[Tensor, " frequency"]:
    """Gain of the filters, run forwards and backwards, at the frequencies of the transform of so many samples."""
    hz = np.fft.rfftfreq(samples, 1 / SFREQ_HZ)
    gain = np.ones_like(hz)
    if highpass_hz:
        sos = signal.butter(2, highpass_hz, "highpass", fs=SFREQ_HZ, output="sos")
        gain *= np.abs(signal.sosfreqz(sos, hz, fs=SFREQ_HZ)[1]) ** 2
    for mains_hz in notch_hz:
        b, a = signal.iirnotch(mains_hz, 30, fs=SFREQ_HZ)
        gain *= np.abs(signal.freqz(b, a, hz, fs=SFREQ_HZ)[1]) ** 2
    return torch.from_numpy(gain.astype(np.float32))
