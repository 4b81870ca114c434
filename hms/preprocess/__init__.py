"""Turn raw electrodes in µV into what the extractors read. Part of the model, so that training and prediction agree.

Source: 15th-place solution: clip, fill missing samples with 0, scale, causal low-pass, differences. Changed: the
low-pass is a convolution with its truncated impulse response, applied before or after the differences (both are
linear), whichever leaves fewer signals to filter. Added for raw clinical signals: a zero-phase high-pass, because
electrode offsets of 100 µV drown slow waves; a notch, because mains interference reaches millivolts; and a scale for
each window, because patients differ tenfold in amplitude. Where a recording begins or ends, windows go on as their
mirror image, and what is missing otherwise does not count in a window's scale.

missing     what stands for missing samples
zero_phase  the high-pass and the notches
robust      the spread of a window's signals
"""

from typing import Literal

import numpy as np
import torch
from jaxtyping import Bool, Float
from scipy import signal
from torch import Tensor, nn
from torch.nn import functional as F

from hms.batch import Batch, Signals
from hms.electrodes import SCALP, SFREQ_HZ
from hms.montage import Montage
from hms.preprocess.missing import Fill, filled
from hms.preprocess.robust import robust_sd
from hms.preprocess.zero_phase import ZeroPhase
from hms.ranges import want_above_0, want_at_least
from hms.spectrogram_images import SpectrogramImages

_NEGLIGIBLE = 1e-7  # the most that the truncated tail of the impulse response may sum to
_BLOCK = 16  # samples that a CPU filters at once: as many numbers as one of its registers holds
_LOWEST_HZ = 0.05  # of the high-pass: a window holds two and a half of its periods
_EVERY = 4  # samples that a window's spread is taken from: more would not be more precise
_QUIETEST_UV = 3.0  # the least spread that a window is scaled by: an isoelectric EEG stays quiet


class Preprocess(nn.Module):
    """Batch of electrodes (µV, 200 Hz) -> Signals of filtered pairs and, if there is a spectrogram, its `images`.

    `missing` is what stands for missing samples (`preprocess.missing`). `highpass_hz` and each of `notch_hz` are
    zero-phase filters (null, []: none). Samples are clipped to ±`clip_uv`, after these filters if there are any.
    `lowpass_hz` is the corner of a causal Butterworth filter of `lowpass_order`.
    `scale` divides by `scale_uv` ("fixed"), by the median pair's robust SD in the window ("window"), or by the
    geometric mean of the two ("compressed": a loud EEG stays louder, but patients differ threefold, not tenfold). No
    gradient passes through the spread. Filters but the low-pass take windows of 50 s only: a ValueError says so.
    """

    lowpass: Tensor
    lowpass_blocks: Tensor

    def __init__(
        self,
        montage: Montage,
        images: SpectrogramImages,
        missing: Fill,
        clip_uv: float,
        highpass_hz: float | None,
        notch_hz: list[float],
        lowpass_hz: float,
        lowpass_order: int,
        scale: Literal["fixed", "window", "compressed"],
        scale_uv: float,
    ):
        super().__init__()
        want_above_0(clip_uv=clip_uv, scale_uv=scale_uv)
        want_at_least(1, lowpass_order=lowpass_order)
        notches = [("notch_hz", hz) for hz in notch_hz]
        for name, hz in (("highpass_hz", highpass_hz), *notches, ("lowpass_hz", lowpass_hz)):
            if hz is not None and not 0 < hz < SFREQ_HZ / 2:
                raise ValueError(f"{name}: want between 0 and {SFREQ_HZ / 2:g}, got {hz}")
        if highpass_hz is not None and highpass_hz < _LOWEST_HZ:
            raise ValueError(f"highpass_hz: want at least {_LOWEST_HZ} or null, got {highpass_hz}")
        if highpass_hz is not None and highpass_hz >= lowpass_hz:
            raise ValueError(f"highpass_hz: want less than lowpass_hz = {lowpass_hz:g}, got {highpass_hz:g}")
        if highpass_hz is None and scale != "fixed":
            raise ValueError(
                f"highpass_hz: want a frequency with scale={scale}, or offsets would count as spread, got null"
            )
        self.montage, self.images = montage, images
        self.missing, self.clip_uv, self.scale, self.scale_uv = missing, clip_uv, scale, scale_uv
        response = _impulse_response(lowpass_hz, lowpass_order)
        if scale == "fixed":  # saves a pass over the batch
            response = response / scale_uv
        self.register_buffer("lowpass", response, persistent=False)
        self.register_buffer("lowpass_blocks", _in_blocks(self.lowpass), persistent=False)
        self.zero_phase = ZeroPhase(highpass_hz, notch_hz) if highpass_hz or notch_hz else None

    def forward(self, batch: Batch) -> Signals:
        with torch.autocast(batch.eeg.device.type, enabled=False):  # half precision loses slow waves on an offset
            eeg, missing = filled(batch.eeg[:, : len(SCALP)], self.missing)
            if self.zero_phase is not None:  # clipped mains would be a square wave, whose harmonics no filter removes
                pairs = self._lowpassed(self._clipped(self.zero_phase(self.montage(eeg))))
            elif len(self.montage.pairs) < len(SCALP):
                pairs = self._lowpassed(self.montage(self._clipped(eeg)))
            else:
                pairs = self.montage(self._lowpassed(self._clipped(eeg)))
            if self.scale != "fixed":
                pairs = pairs / self._divisor_uv(pairs.detach(), missing)  # a median's slope is that of one sample
            images = None if batch.spectrogram is None else self.images(batch.spectrogram)
        return Signals(pairs, images, batch.target, batch.weight)

    def _clipped(self, signals: Float[Tensor, "batch signal time"]) -> Float[Tensor, "batch signal time"]:
        """Clip in place: `signals` is always a copy of our own."""
        return signals.clamp_(-self.clip_uv, self.clip_uv)

    def _divisor_uv(
        self, pairs: Float[Tensor, "batch pair time"], missing: Bool[Tensor, "batch electrode time"] | None
    ) -> Float[Tensor, "batch 1 1"]:
        touched = None if missing is None else self.montage.touched(missing[..., ::_EVERY])
        spread = robust_sd(pairs[..., ::_EVERY], touched).clamp(min=_QUIETEST_UV)
        return spread if self.scale == "window" else (spread * self.scale_uv).sqrt()

    def _lowpassed(self, signals: Float[Tensor, "batch signal time"]) -> Float[Tensor, "batch signal time"]:
        if signals.device.type != "cpu":
            kernel = self.lowpass.flip(0).expand(signals.shape[1], 1, -1)  # conv1d correlates
            return F.conv1d(F.pad(signals, (kernel.shape[-1] - 1, 0)), kernel, groups=signals.shape[1])
        time = signals.shape[-1]
        if time % _BLOCK:
            signals = F.pad(signals, (0, -time % _BLOCK))
        blocks = signals.reshape(-1, 1, signals.shape[-1] // _BLOCK, _BLOCK).permute(0, 3, 1, 2)
        filtered = F.conv2d(blocks, self.lowpass_blocks, padding=(0, self.lowpass_blocks.shape[-1] - 1))
        return filtered.permute(0, 2, 3, 1).reshape(*signals.shape[:2], -1)[..., :time]


def _impulse_response(lowpass_hz: float, order: int) -> Float[Tensor, " tap"]:
    impulse = np.zeros(20 * SFREQ_HZ)
    impulse[0] = 1.0
    response = signal.sosfilt(signal.butter(order, lowpass_hz, fs=SFREQ_HZ, output="sos"), impulse)
    tail = np.abs(response)[::-1].cumsum()[::-1]
    return torch.from_numpy(response[tail > _NEGLIGIBLE].astype(np.float32))


def _in_blocks(response: Float[Tensor, " tap"]) -> Float[Tensor, "out sample 1 block"]:
    """The same filter as a dense convolution from blocks of samples to the last block: twice as fast on a CPU."""
    blocks = -(-(len(response) - 1) // _BLOCK) + 1
    ago = torch.arange(_BLOCK)[:, None] - torch.arange(blocks * _BLOCK) + (blocks - 1) * _BLOCK
    padded = F.pad(response, (0, blocks * _BLOCK))
    dense = torch.where(ago >= 0, padded[ago.clamp(min=0)], 0.0)  # out, block and sample within it
    return dense.reshape(_BLOCK, blocks, _BLOCK).transpose(1, 2).unsqueeze(2)
