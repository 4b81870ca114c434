"""Bring the features of all extractors together and predict the six classes."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from hms.labels import CLASSES


class Concat(nn.Module):
    """Feature vectors by extractor -> (batch, 6) logits, by one linear layer over all of them side by side."""

    def __init__(self, out_features: dict[str, int]):
        super().__init__()
        self.linear = nn.Linear(sum(out_features.values()), len(CLASSES))

    def forward(self, features: dict[str, Float[Tensor, "batch feature_i"]]) -> Float[Tensor, "batch label"]:
        logits: Tensor = self.linear(torch.cat(list(features.values()), dim=1))
        return logits
