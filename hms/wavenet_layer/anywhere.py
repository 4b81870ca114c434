"""The gated layer in a few operations of torch, on any device; what its faster forms must give, too.

All gates' dilated convolutions are one matrix product with what each tap meets.
"""

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F


def layer(
    x: Float[Tensor, "sequence channel time"],
    plus: Float[Tensor, "sequence channel time"] | None,
    weight: Float[Tensor, "gate_channel channel tap"],
    bias: Float[Tensor, " gate_channel"],
    mix: Float[Tensor, "channel channel"],
    mix_bias: Float[Tensor, " channel"],
    reach: int,
    gates: int,
) -> Float[Tensor, "sequence channel time"]:
    """Taps `reach` samples apart, or at reach 0 one; 2 or 3 `gates`, whose channels lie one gate after another."""
    gated = _product(pointwise(flat(weight), bias, shifted(x, reach)), gates)
    mixed = pointwise(mix, mix_bias, gated)
    return mixed if plus is None else mixed + plus


def pointwise(
    weight: Float[Tensor, "out channel"], bias: Tensor | None, x: Float[Tensor, "sequence channel time"]
) -> Float[Tensor, "sequence out time"]:
    """A 1x1 convolution."""
    assert bias is not None
    return torch.baddbmm(bias[:, None], weight.expand(x.shape[0], -1, -1), x)


def flat(weight: Float[Tensor, "gate_channel channel tap"]) -> Float[Tensor, "gate_channel tap_channel"]:
    """The matrix that meets `shifted`."""
    return weight.transpose(1, 2).flatten(1)


def shifted(x: Float[Tensor, "sequence channel time"], reach: int) -> Float[Tensor, "sequence tap_channel time"]:
    """What each tap of a dilated convolution meets; at reach 0, the one tap."""
    if not reach:
        return x
    return torch.cat([F.pad(x[..., :-reach], (reach, 0)), x, F.pad(x[..., reach:], (0, reach))], dim=1)


def _product(
    convolved: Float[Tensor, "sequence gates_channel time"], gates: int
) -> Float[Tensor, "sequence channel time"]:
    open_by, value, *scale = convolved.chunk(gates, dim=1)
    gated = torch.sigmoid(open_by) * torch.tanh(value)
    return gated * F.mish(scale[0]) if scale else gated
