"""What augmentations share: the check of a probability, and windows put together from two."""

from collections.abc import Callable

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.distributions import Gamma

from hms.batch import Signals
from hms.constant import constant


def want_probability(**options: float) -> None:
    """Raise ValueError for an option that is no probability."""
    for name, p in options.items():
        if not 0 <= p <= 1:
            raise ValueError(f"{name}: want a probability, got {p}")


def draw_partner(signals: Signals) -> Int[Tensor, " batch"]:
    """Index of another window for each: the batch, already shuffled, turned by one random step, so that no window is
    its own partner (unless it is alone) and each is the partner of one."""
    size, device = len(signals.pairs), signals.pairs.device
    step = torch.randint(1, max(size, 2), (1,), device=device)
    return (places(size, device) + step) % size


@constant
def places(count: int, device: torch.device) -> Int[Tensor, " place"]:
    """0 up to `count`."""
    return torch.arange(count, device=device)


def want_alpha(alpha: float) -> None:
    """Raise ValueError for an `alpha` of which there is no Beta(`alpha`, `alpha`)."""
    if alpha <= 0:
        raise ValueError(f"alpha: want more than 0, got {alpha}")


def draw_share(marked: Bool[Tensor, " batch"], alpha: float) -> Float[Tensor, " batch"]:
    """What a partner gives to each window that is marked: Beta(`alpha`, `alpha`); to the others nothing."""
    rate = torch.ones(2, len(marked), device=marked.device)
    # A gamma variable over the sum of two is Beta, which torch itself cannot trace. Validation would read values.
    one, other = Gamma(torch.full_like(rate, alpha), rate, validate_args=False).sample()
    return torch.where(marked, one / (one + other), 0.0)


def mix(
    signals: Signals,
    partner: Int[Tensor, " batch"],
    share: Float[Tensor, " batch"],
    taken: Callable[[int], Bool[Tensor, "batch time"]],
) -> Signals:
    """Take the points of time that `taken(time)` marks from the partner, and `share` of its target and weight."""

    def joined(x: Tensor) -> Tensor:  # time is the third dimension of pairs and of images
        from_partner = taken(x.shape[2])[:, None, :]
        return torch.where(from_partner if x.ndim == 3 else from_partner[..., None], x[partner], x)

    joint = signals._replace(
        pairs=joined(signals.pairs), images=None if signals.images is None else joined(signals.images)
    )
    return with_targets(joint, partner, share)


def with_targets(signals: Signals, partner: Int[Tensor, " batch"], share: Float[Tensor, " batch"]) -> Signals:
    """Take `share` of each target and weight from the partner's."""
    return signals._replace(
        target=signals.target.lerp(signals.target[partner], share[:, None].to(signals.target.dtype)),
        weight=signals.weight.lerp(signals.weight[partner], share.to(signals.weight.dtype)),
    )
