"""Ways to turn signals into features of each window; each is a module here and a YAML of the same name."""

from typing import Literal, Protocol, runtime_checkable

from jaxtyping import Float
from torch import Tensor, nn

from hms.backbone import Backbone
from hms.batch import Features, Signals
from hms.pool import cells


@runtime_checkable
class Extractor(Protocol):
    """What every extractor is, besides a torch module."""

    out_features: int
    """Length of `Features.vector`."""
    token_features: int
    """Width of `Features.tokens`."""
    token_kind: Literal["pair", "region"]
    """What token i stands for: the i-th pair of the montage, or the i-th of the ten spectrogram images."""
    reads_spectrogram: bool

    def __call__(self, signals: Signals) -> Features:
        """Give the features of preprocessed windows."""


def central(pairs: Float[Tensor, "batch pair time"], samples: int) -> Float[Tensor, "batch pair time2"]:
    """The central `samples` of the signals, or all where there are fewer."""
    aside = max(0, pairs.shape[-1] - samples) // 2
    return pairs[..., aside : pairs.shape[-1] - aside]


def features_of_pairs(
    backbone: Backbone, dropout: nn.Module, image: Float[Tensor, "batch 1 height width"], pairs: int
) -> Features:
    """Features by one image in which the pairs lie from top to bottom: a token is the mean of the map over a pair's
    rows."""
    found = backbone.features(image)
    tokens = cells(found, pairs, 1).squeeze(3).transpose(1, 2)
    return Features(dropout(backbone.pool(found)), tokens)
