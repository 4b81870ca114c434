"""The ten spectrogram images of a window, all through one image network and pooled by attention.

Source: 15th-place solution. Ten minutes of four regions and their differences show what fifty seconds cannot: how a
pattern comes, goes and changes.
"""

from typing import Literal

from torch import nn

from hms.backbone import Backbone
from hms.batch import Features, Signals
from hms.network.pool import AttentionPool
from hms.spectrogram_recipe import STEP_S
from hms.window_lengths import SPECTROGRAM_ROWS, SPECTROGRAM_S


class Spectrogram(nn.Module):
    """Signals -> Features, through images of time x frequency.

    `span_min` minutes around the centre are read: a shorter span looks more closely at what the experts labelled.
    `dropout` applies to each image's vector; `attention_hidden` and `attention_dropout` are those of the pool. An
    image's token is its vector.
    """

    reads_spectrogram = True
    token_kind: Literal["image"] = "image"

    def __init__(
        self, backbone: Backbone, span_min: float, dropout: float, attention_hidden: int, attention_dropout: float
    ):
        super().__init__()
        self.rows = round(span_min * 60 / STEP_S)
        if not 1 <= self.rows <= SPECTROGRAM_ROWS:
            raise ValueError(f"span_min: want more than 0 up to {SPECTROGRAM_S / 60:g}, got {span_min}")
        self.backbone = backbone
        self.dropout = nn.Dropout(dropout)
        self.pool = AttentionPool(backbone.out_features, attention_hidden, attention_dropout)
        self.out_features = self.token_features = backbone.out_features

    def forward(self, signals: Signals) -> Features:
        if signals.images is None:
            raise ValueError("images: want the ten images of a spectrogram, got none")
        windows, images, rows = signals.images.shape[:3]
        margin = max(0, rows - self.rows) // 2
        spans = signals.images[:, :, margin : rows - margin].flatten(0, 1).unsqueeze(1)
        tokens = self.backbone.pool(self.backbone.features(spans)).reshape(windows, images, -1)
        return Features(self.pool(self.dropout(tokens)), tokens)
