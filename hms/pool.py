"""Pool the images of one window to one vector with learned attention.

Used by `extractor.spectrogram`: a pattern shows in some regions and differences only, so a mean hides it.
Source: Lin et al. 2017, arXiv 1703.03130, with one attention row; dropout on the weights from the 15th-place solution.
"""

from jaxtyping import Float
from torch import Tensor, nn


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
