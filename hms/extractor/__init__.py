"""Ways to turn signals into features of each window: a module for each, and a YAML of the same name."""

from abc import ABC, abstractmethod
from typing import Literal, Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from hms.backbone import Backbone
from hms.batch import Features, Signals
from hms.electrodes import SFREQ_HZ
from hms.network.pool import cell_means
from hms.window_lengths import EEG_S


@runtime_checkable
class Extractor(Protocol):
    """What every extractor provides, besides being a torch module.

    Extractors can share a `backbone` (`model.share_backbones`); `compile=true` compiles its parts, or else those of
    `network`, or else the extractor's. In the hash of a run's name, `grad_checkpointing` does not count, and `weights`
    beside `pretrained` counts by the file's content; any other path counts by its text.
    """

    out_features: int
    """Length of `Features.vector`."""
    token_features: int
    """Width of `Features.tokens`."""
    token_kind: Literal["pair", "image"]
    """What token i stands for: the i-th pair of the montage, or the i-th of the ten spectrogram images."""
    reads_spectrogram: bool
    """Whether it reads `Signals.images`."""

    def __call__(self, signals: Signals) -> Features:
        """The features of preprocessed windows."""


def samples_of(span_s: float) -> int:
    """The number of samples in `span_s` seconds. Raises ValueError for less than one, and more than a window has."""
    if not 1 / SFREQ_HZ <= span_s <= EEG_S:
        raise ValueError(f"span_s: want {1 / SFREQ_HZ:g} to {EEG_S} seconds, got {span_s}")
    return round(span_s * SFREQ_HZ)


def central(pairs: Float[Tensor, "batch pair time"], samples: int) -> Float[Tensor, "batch pair time2"]:
    """The central `samples` of the signals, or all if there are fewer."""
    margin = max(0, pairs.shape[-1] - samples) // 2
    return pairs[..., margin : margin + samples]


def squeezed(pairs: Float[Tensor, "batch pair time"], limit: float | None) -> Float[Tensor, "batch pair time"]:
    """The signals with amplitudes squeezed towards `limit`, which none exceeds; None: as they are."""
    return pairs if limit is None else limit * torch.tanh(pairs / limit)


class ImageOfPairs(nn.Module, ABC):
    """Signals -> Features, through one image with the pairs from top to bottom; a subclass says how `image` is drawn.

    A pair's token is the mean of the backbone's feature map over its rows.
    """

    reads_spectrogram = False
    token_kind: Literal["pair"] = "pair"

    def read_by(self, backbone: Backbone, dropout: float) -> None:
        """Take a backbone, at the end of a subclass's `__init__`: `show=true` lists parts in this order."""
        self.backbone, self.dropout = backbone, nn.Dropout(dropout)
        self.out_features, self.token_features = backbone.out_features, backbone.map_features

    def forward(self, signals: Signals) -> Features:
        feature_map = self.backbone.features(self.image(signals.pairs))
        tokens = cell_means(feature_map, signals.pairs.shape[1], 1).squeeze(3).transpose(1, 2)
        return Features(self.dropout(self.backbone.pool(feature_map)), tokens)

    @abstractmethod
    def image(self, pairs: Float[Tensor, "batch pair time"]) -> Float[Tensor, "batch 1 height width"]:
        """Draw the signals."""


class SpectrogramOfPairs(ImageOfPairs):
    """An image of the pairs' spectrograms, dealt out to `columns`; a subclass says how `spectrogram` is computed."""

    columns: int

    def image(self, pairs: Float[Tensor, "batch pair time"]) -> Float[Tensor, "batch 1 height width"]:
        """Stack the spectrograms."""
        return restack(self.spectrogram(pairs), self.columns)

    @abstractmethod
    def spectrogram(self, pairs: Float[Tensor, "batch pair time"]) -> Float[Tensor, "batch pair frequency frame"]:
        """The log-power of each pair, of about unit size."""


def restack(
    spectrogram: Float[Tensor, "batch pair frequency frame"], columns: int
) -> Float[Tensor, "batch 1 height width"]:
    """Stack pair after pair, then deal the rows out to `columns` columns, because an image network prefers images to
    tall stripes (15th-place solution). With two columns:

        pair 1 row 0  | pair 1 row 1
        pair 1 row 2  | pair 1 row 3
        ...           | ...
        pair 8 row 94 | pair 8 row 95
    """
    rows = spectrogram.flatten(1, 2)
    rows = F.pad(rows, (0, 0, 0, -rows.shape[1] % columns))
    return torch.cat([rows[:, column::columns] for column in range(columns)], dim=2).unsqueeze(1)
