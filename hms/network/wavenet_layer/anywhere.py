"""The gated layer in a few PyTorch operations, on any device; the reference for its fast implementations.

The dilated convolutions of all gates are one matrix product with the samples that the taps meet.
"""

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F


def layer(
    x: Float[Tensor, "sequence channel time"],
    addend: Float[Tensor, "sequence channel time"] | None,
    weight: Float[Tensor, "gate_channel channel tap"],
    bias: Float[Tensor, " gate_channel"],
    mix: Float[Tensor, "channel channel"],
    mix_bias: Float[Tensor, " channel"],
    reach: int,
    gates: int,
) -> Float[Tensor, "sequence channel time"]:
    """Three taps `reach` samples apart, or a single one if `reach` is 0; 2 or 3 `gates`, stored one after another."""
    gated = _product(pointwise(flat(weight), bias, shifted(x, reach)), gates)
    mixed = pointwise(mix, mix_bias, gated)
    return mixed if addend is None else mixed + addend


def pointwise(
    weight: Float[Tensor, "out channel"], bias: Tensor | None, x: Float[Tensor, "sequence channel time"]
) -> Float[Tensor, "sequence out time"]:
    """A 1x1 convolution."""
    assert bias is not None
    return torch.baddbmm(bias[:, None], weight.expand(x.shape[0], -1, -1), x)


def flat(weight: Float[Tensor, "gate_channel channel tap"]) -> Float[Tensor, "gate_channel tap_channel"]:
    """The convolution's weights as a matrix to multiply by `shifted`."""
    return weight.transpose(1, 2).flatten(1)


def shifted(x: Float[Tensor, "sequence channel time"], reach: int) -> Float[Tensor, "sequence tap_channel time"]:
    """The samples that each tap of a dilated convolution meets; just the signal if `reach` is 0."""
    if not reach:
        return x
    return torch.cat([F.pad(x[..., :-reach], (reach, 0)), x, F.pad(x[..., reach:], (0, reach))], dim=1)


def _product(
    convolved: Float[Tensor, "sequence gates_channel time"], gates: int
) -> Float[Tensor, "sequence channel time"]:
    sigmoid_in, tanh_in, *mish_in = convolved.chunk(gates, dim=1)
    gated = torch.sigmoid(sigmoid_in) * torch.tanh(tanh_in)
    return gated * F.mish(mish_in[0]) if mish_in else gated
