"""From raw electrodes in µV to what the extractors read. Part of the model, so that training and prediction agree.

Source: 15th-place solution: clip, fill missing samples with 0, scale, causal low-pass, differences. Changed: the filter
is a convolution with the truncated impulse response, and runs after the differences; both are linear.
"""

import numpy as np
import torch
from jaxtyping import Float
from scipy import signal
from torch import Tensor, nn
from torch.nn import functional as F

from hms.batch import Batch, Signals
from hms.electrodes import SFREQ_HZ
from hms.montage import Montage

_NEGLIGIBLE = 1e-7  # what the truncated tail of the impulse response may sum to


class Preprocess(nn.Module):
    """Batch of electrodes (µV, 200 Hz) -> Signals of filtered pairs.

    Samples are clipped to +-`clip_uv` and divided by `scale_uv`; `lowpass_hz` is the corner of a causal Butterworth
    filter of `lowpass_order`.
    """

    response: Tensor

    def __init__(self, montage: Montage, clip_uv: float, scale_uv: float, lowpass_hz: float, lowpass_order: int):
        super().__init__()
        if clip_uv <= 0 or scale_uv <= 0:
            raise ValueError(f"clip_uv, scale_uv: want more than 0, got {clip_uv}, {scale_uv}")
        if not 0 < lowpass_hz < SFREQ_HZ / 2:
            raise ValueError(f"lowpass_hz: want between 0 and {SFREQ_HZ / 2:g}, got {lowpass_hz}")
        if lowpass_order < 1:
            raise ValueError(f"lowpass_order: want at least 1, got {lowpass_order}")
        self.montage = montage
        self.clip_uv, self.scale_uv = clip_uv, scale_uv
        self.register_buffer("response", _impulse_response(lowpass_hz, lowpass_order), persistent=False)

    def forward(self, batch: Batch) -> Signals:
        eeg = batch.eeg.float().clamp(-self.clip_uv, self.clip_uv).nan_to_num(0.0) / self.scale_uv
        return Signals(self._lowpass(self.montage(eeg)), batch.spectrogram, batch.target, batch.weight)

    def _lowpass(self, pairs: Float[Tensor, "batch pair time"]) -> Float[Tensor, "batch pair time"]:
        kernel = self.response.flip(0).expand(pairs.shape[1], 1, -1)  # conv1d correlates
        return F.conv1d(F.pad(pairs, (kernel.shape[-1] - 1, 0)), kernel, groups=pairs.shape[1])


def _impulse_response(lowpass_hz: float, order: int) -> Float[Tensor, " tap"]:
    impulse = np.zeros(20 * SFREQ_HZ)
    impulse[0] = 1.0
    response = signal.sosfilt(signal.butter(order, lowpass_hz, fs=SFREQ_HZ, output="sos"), impulse)
    tail = np.abs(response)[::-1].cumsum()[::-1]
    return torch.from_numpy(response[tail > _NEGLIGIBLE].astype(np.float32))
