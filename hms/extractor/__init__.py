"""Ways to turn signals into features of each window: a module for each, and a YAML of the same name."""

from typing import Literal, Protocol, runtime_checkable

from jaxtyping import Float
from torch import Tensor, nn

from hms.backbone import Backbone
from hms.batch import Features, Signals
from hms.pool import cell_means


@runtime_checkable
class Extractor(Protocol):
    """What every extractor provides, besides being a torch module."""

    out_features: int
    """Length of `Features.vector`."""
    token_features: int
    """Width of `Features.tokens`."""
    token_kind: Literal["pair", "image"]
    """What token i stands for: the i-th pair of the montage, or the i-th of the ten spectrogram images."""
    reads_spectrogram: bool

    def __call__(self, signals: Signals) -> Features:
        """The features of preprocessed windows."""


def central(pairs: Float[Tensor, "batch pair time"], samples: int) -> Float[Tensor, "batch pair time2"]:
    """The central `samples` of the signals, or all if there are fewer."""
    margin = max(0, pairs.shape[-1] - samples) // 2
    return pairs[..., margin : pairs.shape[-1] - margin]


def features_of_pairs(
    backbone: Backbone, dropout: nn.Module, image: Float[Tensor, "batch 1 height width"], pairs: int
) -> Features:
    """Features from one image with the pairs from top to bottom; a token is the mean of the feature map over a pair's
    rows."""
    feature_map = backbone.features(image)
    tokens = cell_means(feature_map, pairs, 1).squeeze(3).transpose(1, 2)
    return Features(dropout(backbone.pool(feature_map)), tokens)
