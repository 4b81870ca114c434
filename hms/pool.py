"""Pool a map to the means of its cells, and the images of one window to one vector with learned attention.

Attention is used by `extractor.spectrogram`: a pattern shows in some regions and differences only, so a mean hides it.
Source: Lin et al. 2017, arXiv 1703.03130, with one attention row; dropout on the weights from the 15th-place solution.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from hms.constant import constant


def cells(
    found: Float[Tensor, "batch channel height width"], rows: int, columns: int
) -> Float[Tensor, "batch channel row column"]:
    """Means of the cells of a grid, as `nn.AdaptiveAvgPool2d` cuts it: cells overlap where the grid does not divide.

    That has a backward pass on a GPU which `trainer.deterministic=true` refuses; there they are matrix products.
    """
    if found.device.type == "cpu":
        return F.adaptive_avg_pool2d(found, (rows, columns))
    by_row, by_column = (
        _shares(size, count, found.dtype, found.device)
        for size, count in zip(found.shape[2:], (rows, columns), strict=True)
    )
    return by_row @ found @ by_column.mT


@constant
def _shares(size: int, count: int, dtype: torch.dtype, device: torch.device) -> Float[Tensor, "cell size"]:
    """How much each of `size` rows or columns of a map counts in the mean of each of `count` cells."""
    cell, at = torch.arange(count, device=device)[:, None], torch.arange(size, device=device)
    inside = (at >= cell * size // count) & (at < ((cell + 1) * size + count - 1) // count)
    return inside.to(dtype) / inside.sum(dim=1, keepdim=True).to(dtype)


class AttentionPool(nn.Module):
    """(batch, image, feature) -> one weight per image -> (batch, feature)

    In training each weight is zero with probability `dropout`, so that no image alone decides.
    """

    def __init__(self, features: int, hidden: int, dropout: float):
        super().__init__()
        if hidden < 1:
            raise ValueError(f"hidden: want at least 1, got {hidden}")
        self.score = nn.Sequential(
            nn.Linear(features, hidden),
            nn.Tanh(),
            nn.Linear(hidden, 1, bias=False),  # what is added to every score, softmax takes out again
        )
        self.dropout = nn.Dropout(dropout)
        self.out_features = features

    def forward(self, x: Float[Tensor, "batch image feature"]) -> Float[Tensor, "batch feature"]:
        pooled: Tensor = (self.dropout(self.weights(x)) * x).sum(dim=1)
        return pooled

    def weights(self, x: Float[Tensor, "batch image feature"]) -> Float[Tensor, "batch image 1"]:
        """How much each image counts; sums to 1 over the images."""
        weights: Tensor = self.score(x).softmax(dim=1)
        return weights
