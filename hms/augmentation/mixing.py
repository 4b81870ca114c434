"""Windows mixed from two, for the augmentations that do so."""

from collections.abc import Callable

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.distributions import Gamma

from hms.batch import Signals
from hms.cached_tensor import indices

LEAST_ALPHA = 0.05
"""Of Beta: with less, both gamma variables are often too small for float32, and each window would be half another."""


def draw_partner(signals: Signals) -> Int[Tensor, " batch"]:
    """Index of a partner for each window: the batch, already shuffled, rotated by a random step. No window is its own
    partner (unless it is alone), and each is the partner of exactly one."""
    size, device = len(signals.pairs), signals.pairs.device
    step = torch.randint(1, max(size, 2), (1,), device=device)
    return (indices(size, device) + step) % size


def draw_share(marked: Bool[Tensor, " batch"], alpha: float) -> Float[Tensor, " batch"]:
    """Share of a partner in each marked window, from Beta(`alpha`, `alpha`); 0 in the others."""
    rate = torch.ones(2, len(marked), device=marked.device)
    # One gamma variable over the sum of two is Beta; PyTorch's own Beta cannot be traced. Validation would read values.
    one, other = Gamma(torch.full_like(rate, alpha), rate, validate_args=False).sample()
    return torch.where(marked, one / (one + other), 0.0)


def mix(
    signals: Signals,
    partner: Int[Tensor, " batch"],
    share: Float[Tensor, " batch"],
    taken: Callable[[int], Bool[Tensor, "batch time"]],
) -> Signals:
    """Take the time points that `taken(time)` marks from the partner, and `share` of its target and weight."""

    def joined(x: Tensor) -> Tensor:  # time is the third dimension of pairs and of images
        from_partner = taken(x.shape[2])[:, None, :]
        return torch.where(from_partner if x.ndim == 3 else from_partner[..., None], x[partner], x)

    joint = signals._replace(
        pairs=joined(signals.pairs), images=None if signals.images is None else joined(signals.images)
    )
    return with_targets(joint, partner, share)


def with_targets(signals: Signals, partner: Int[Tensor, " batch"], share: Float[Tensor, " batch"]) -> Signals:
    """Mix `share` of the partner's target and weight into each window's."""
    return signals._replace(
        target=signals.target.lerp(signals.target[partner], share[:, None].to(signals.target.dtype)),
        weight=signals.weight.lerp(signals.weight[partner], share.to(signals.weight.dtype)),
    )
