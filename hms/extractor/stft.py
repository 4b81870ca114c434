"""A spectrogram of every pair by a trainable STFT, stacked into one image for one image network.

Source: 15th-place solution.
"""

from typing import Literal

from jaxtyping import Float
from torch import Tensor

from hms.backbone import Backbone
from hms.extractor import SpectrogramOfPairs, central, samples_of
from hms.network.log_stft import LogStft


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
        self.transform = LogStft(
            n_fft=n_fft,
            win_length=win_length,
            hop_length=hop_length,
            window=window,
            fmax_hz=fmax_hz,
            span=self.span,
            trainable=trainable,
        )
        self.columns = columns
        self.read_by(backbone, dropout)

    def spectrogram(self, pairs: Float[Tensor, "batch pair time"]) -> Float[Tensor, "batch pair frequency frame"]:
        """Log-power of each pair, about -1 to 1.7."""
        return self.transform(central(pairs, self.span))
