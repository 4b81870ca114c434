"""Spectrograms by a short-time Fourier transform whose kernels may be trained.

Source: nnAudio (Cheuk et al. 2020, arXiv 1912.12055), as in the 15th-place solution. The rows of the transform are
spread over 0 to `fmax_hz`, not up to half the sampling rate.
"""

from typing import Literal

import torch
from jaxtyping import Float
from nnAudio.features.stft import STFT
from torch import Tensor

from hms.electrodes import SFREQ_HZ


class LogStft(STFT):  # type: ignore[misc]  # nnAudio has no types
    """(batch, pair, time) -> (batch, pair, frequency, frame): log-power, about -1 to 1.7.

    Frames of `n_fft` samples of 5 ms, of which a window weighs the central `win_length`, begin every `hop_length`;
    there are at least two in the `span` samples that come.
    """

    def __init__(
        self,
        n_fft: int,
        win_length: int,
        hop_length: int,
        window: Literal["hann", "cosine"],
        fmax_hz: float,
        span: int,
        trainable: bool,
    ):
        if not 1 <= win_length <= n_fft:
            raise ValueError(f"win_length: want 1 to n_fft = {n_fft}, got {win_length}")
        if not 0 < fmax_hz <= SFREQ_HZ / 2:
            raise ValueError(f"fmax_hz: want more than 0 up to {SFREQ_HZ / 2:g}, got {fmax_hz}")
        if n_fft >= span:
            raise ValueError(f"n_fft: want less than the {span} samples of span_s, got {n_fft}")
        if not 1 <= hop_length <= span - n_fft:
            raise ValueError(f"hop_length: want 1 to {span - n_fft}, for two frames in span_s, got {hop_length}")
        super().__init__(
            n_fft=n_fft,
            win_length=win_length,
            hop_length=hop_length,
            window=window,
            freq_scale="linear",
            fmin=0,
            fmax=fmax_hz,
            sr=SFREQ_HZ,
            trainable=trainable,
            center=False,
            output_format="Magnitude",
            verbose=False,
        )

    def forward(self, pairs: Float[Tensor, "batch pair time"]) -> Float[Tensor, "batch pair frequency frame"]:
        with torch.autocast(pairs.device.type, enabled=False):  # nnAudio's kernels are float32
            magnitude = super().forward(pairs.flatten(0, 1).float())
            power = torch.log1p(magnitude.square()).clamp(0, 20)
        return ((power - 7.5) / 7.5).reshape(*pairs.shape[:2], *power.shape[1:])
