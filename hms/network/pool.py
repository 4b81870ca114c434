"""Pool a feature map to the means of its cells, and the images of a window to one vector by learned attention.

`extractor.spectrogram` uses attention: a pattern shows in some regions and differences only, so a mean would hide it.
Source: Lin et al. 2017, arXiv 1703.03130, with one attention row; dropout on the weights from the 15th-place solution.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from hms.cached_tensor import cached_tensor
from hms.ranges import want_at_least


def cell_means(
    feature_map: Float[Tensor, "batch channel height width"], rows: int, columns: int
) -> Float[Tensor, "batch channel row column"]:
    """Means over a grid of cells, as in `nn.AdaptiveAvgPool2d`: cells overlap if the grid does not divide the map.

    `trainer.deterministic=true` refuses that function's backward pass on a GPU; there we use matrix products.
    """
    if feature_map.device.type == "cpu":
        return F.adaptive_avg_pool2d(feature_map, (rows, columns))
    return _by_products(feature_map, rows, columns)


def _by_products(
    feature_map: Float[Tensor, "batch channel height width"], rows: int, columns: int
) -> Float[Tensor, "batch channel row column"]:
    """The same as two matrix products."""
    by_row, by_column = (
        _shares(size, count, feature_map.dtype, feature_map.device)
        for size, count in zip(feature_map.shape[2:], (rows, columns), strict=True)
    )
    return by_row @ feature_map @ by_column.mT


@cached_tensor
def _shares(size: int, count: int, dtype: torch.dtype, device: torch.device) -> Float[Tensor, "cell size"]:
    """Weight of each of `size` rows (or columns) of a map in the mean of each of `count` cells."""
    cell, at = torch.arange(count, device=device)[:, None], torch.arange(size, device=device)
    inside = (at >= cell * size // count) & (at < ((cell + 1) * size + count - 1) // count)
    return inside.to(dtype) / inside.sum(dim=1, keepdim=True).to(dtype)


class AttentionPool(nn.Module):
    """(batch, image, feature) -> one weight per image -> (batch, feature)

    In training each weight is zeroed with probability `dropout`, so that no single image decides.
    """

    def __init__(self, features: int, hidden: int, dropout: float):
        super().__init__()
        want_at_least(1, hidden=hidden)
        self.score = nn.Sequential(
            nn.Linear(features, hidden),
            nn.Tanh(),
            nn.Linear(hidden, 1, bias=False),  # softmax would cancel a bias
        )
        self.dropout = nn.Dropout(dropout)
        self.out_features = features

    def forward(self, x: Float[Tensor, "batch image feature"]) -> Float[Tensor, "batch feature"]:
        pooled: Tensor = (self.dropout(self.weights(x)) * x).sum(dim=1)
        return pooled

    def weights(self, x: Float[Tensor, "batch image feature"]) -> Float[Tensor, "batch image 1"]:
        """Weight of each image; they sum to 1."""
        weights: Tensor = self.score(x).softmax(dim=1)
        return weights
