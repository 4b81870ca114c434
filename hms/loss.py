"""Kullback-Leibler divergence from the experts' votes, each row weighted by how many voted.

Source: 15th-place solution; the sum of weighted divergences is divided by the batch size, not by the sum of weights.
"""

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F


class VoteWeightedKl(nn.Module):
    """Mean over the batch of weight x KL(target || softmax(logits)), in nats."""

    def forward(
        self,
        logits: Float[Tensor, "batch label"],
        target: Float[Tensor, "batch label"],
        weight: Float[Tensor, " batch"],
    ) -> Float[Tensor, ""]:
        divergence = F.kl_div(logits.log_softmax(dim=1), target, reduction="none").sum(dim=1)
        return (weight * divergence).mean()
