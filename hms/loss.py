"""Kullback-Leibler divergence from the experts' votes, each row weighted by its number of votes.

Source: 15th-place solution: the sum of weighted divergences is divided by the batch size, not by the sum of weights,
and each extractor's own prediction counts a little, besides the joint one.
"""

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from hms.batch import Logits
from hms.ranges import want_above_0, want_at_least


class VoteWeightedKl(nn.Module):
    """Mean over the batch of weight x KL(target || softmax(logits)), in nats.

    It is averaged over predictions: the joint one with weight `joint`, and that of each auxiliary head with weight
    `auxiliary`, or the weight that `auxiliary_of` gives for its extractor.
    """

    def __init__(self, joint: float, auxiliary: float, auxiliary_of: dict[str, float]):
        super().__init__()
        want_above_0(joint=joint)
        want_at_least(0, auxiliary=auxiliary, **{f"auxiliary_of.{name}": share for name, share in auxiliary_of.items()})
        self.joint, self.auxiliary, self.auxiliary_of = joint, auxiliary, auxiliary_of

    def forward(
        self, logits: Logits, target: Float[Tensor, "batch class"], weight: Float[Tensor, " batch"]
    ) -> Float[Tensor, ""]:
        share = {name: self.auxiliary_of.get(name, self.auxiliary) for name in logits.by_extractor}
        loss = self.joint * _divergence(logits.joint, target, weight)
        for name, auxiliary in logits.by_extractor.items():
            loss = loss + share[name] * _divergence(auxiliary, target, weight)
        return loss / (self.joint + sum(share.values()))


def _divergence(
    logits: Float[Tensor, "batch class"], target: Float[Tensor, "batch class"], weight: Float[Tensor, " batch"]
) -> Float[Tensor, ""]:
    return (weight * F.kl_div(logits.log_softmax(dim=1), target, reduction="none").sum(dim=1)).mean()
