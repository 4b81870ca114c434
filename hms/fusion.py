"""Bring the features of all extractors together and predict the six classes."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from hms.batch import Features
from hms.extractor import Extractor
from hms.labels import CLASSES


class Concat(nn.Module):
    """Features by extractor -> (batch, 6) logits, by one linear layer over all their vectors side by side."""

    def __init__(self, extractors: dict[str, Extractor]):
        super().__init__()
        self.linear = nn.Linear(sum(e.out_features for e in extractors.values()), len(CLASSES))

    def forward(self, features: dict[str, Features]) -> Float[Tensor, "batch label"]:
        logits: Tensor = self.linear(torch.cat([found.vector for found in features.values()], dim=1))
        return logits
