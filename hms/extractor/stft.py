"""A spectrogram of every pair by a trainable STFT, stacked into one image for one image network.

Source: 15th-place solution, on nnAudio (Cheuk et al. 2020, arXiv 1912.12055). The rows of the transform are spread over
0 to `fmax_hz`, not up to half the sampling rate.
"""

from typing import Literal

import torch
from jaxtyping import Float
from nnAudio.features.stft import STFT
from torch import Tensor

from hms.backbone import Backbone
from hms.electrodes import SFREQ_HZ
from hms.extractor import SpectrogramOfPairs, central, samples_of


class Stft(SpectrogramOfPairs):
    """Signals -> Features, through one image of all pairs.

    `n_fft`, `win_length` and `hop_length` are in samples of 5 ms; the image has pairs x (n_fft // 2 + 1) / `columns`
    rows and shows the central `span_s` seconds. A pair's token is the mean of the backbone's feature map over its rows.
    """

    def __init__(
        self,
        backbone: Backbone,
        n_fft: int,
        win_length: int,
        hop_length: int,
        window: Literal["hann", "cosine"],
        fmax_hz: float,
        span_s: float,
        columns: Literal[1, 2],
        trainable: bool,
        dropout: float,
    ):
        super().__init__()
        self.span = samples_of(span_s)
        self.transform = transform(n_fft, win_length, hop_length, window, fmax_hz, self.span, trainable)
        self.columns = columns
        self.read_by(backbone, dropout)

    def spectrogram(self, pairs: Float[Tensor, "batch pair time"]) -> Float[Tensor, "batch pair frequency frame"]:
        """Log-power of each pair, about -1 to 1.7."""
        return log_power(self.transform, central(pairs, self.span))


def transform(
    n_fft: int,
    win_length: int,
    hop_length: int,
    window: Literal["hann", "cosine"],
    fmax_hz: float,
    span: int,
    trainable: bool,
) -> STFT:
    """The STFT of sequences of `span` samples; the other arguments are those of `Stft`."""
    if not 1 <= win_length <= n_fft:
        raise ValueError(f"win_length: want 1 to n_fft = {n_fft}, got {win_length}")
    if not 0 < fmax_hz <= SFREQ_HZ / 2:
        raise ValueError(f"fmax_hz: want more than 0 up to {SFREQ_HZ / 2:g}, got {fmax_hz}")
    if n_fft >= span:
        raise ValueError(f"n_fft: want less than the {span} samples of span_s, got {n_fft}")
    if not 1 <= hop_length <= span - n_fft:
        raise ValueError(f"hop_length: want 1 to {span - n_fft}, for two frames in span_s, got {hop_length}")
    return STFT(
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


def log_power(transform: STFT, pairs: Float[Tensor, "batch pair time"]) -> Float[Tensor, "batch pair frequency frame"]:
    """Log-power of each pair, about -1 to 1.7."""
    with torch.autocast(pairs.device.type, enabled=False):  # nnAudio's kernels are float32
        magnitude = transform(pairs.flatten(0, 1).float())
        power = torch.log1p(magnitude.square()).clamp(0, 20)
    return ((power - 7.5) / 7.5).reshape(*pairs.shape[:2], *power.shape[1:])
