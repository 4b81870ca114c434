"""The gated layer on a CPU: a few sequences at a time go through all of it while they are in the core's cache.

Convolutions of few channels are slow there: all gates' are one matrix product with three shifted copies of the signal.
The backward pass computes the inside again instead of fetching it from memory; nothing but the layer's input is kept.
"""

from collections.abc import Iterator
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.amp import custom_bwd, custom_fwd
from torch.autograd.function import once_differentiable

from hms.wavenet_layer.anywhere import flat

_AT_ONCE = 2**18  # numbers of a tensor that fits into a core's cache several times


class InCache(torch.autograd.Function):
    """`anywhere.layer` on matrices of channels x (samples of some sequences one after another).

    Whatever is as large as these matrices is written over as soon as it is of no more use, to stay in the cache.
    """

    @staticmethod
    @custom_fwd(device_type="cpu", cast_inputs=torch.float32)  # type: ignore[untyped-decorator]
    def forward(
        ctx: Any,
        x: Tensor,
        plus: Tensor | None,
        weight: Tensor,
        bias: Tensor,
        mix: Tensor,
        mix_bias: Tensor,
        reach: int,
        gates: int,
    ) -> Tensor:
        weight = flat(weight)
        ctx.save_for_backward(x, weight, bias, mix)
        ctx.reach, ctx.gates, ctx.adds = reach, gates, plus is not None
        made = torch.empty_like(x)
        for part in _parts(x, gates):
            opened = _opened(torch.addmm(bias[:, None], weight, _columns(x[part], reach)), gates)
            product = opened[0].mul_(opened[1])
            if gates == 3:
                product.mul_(opened[2].mul_(opened[3]))
            _put(torch.addmm(mix_bias[:, None], mix, product), made[part])
            if plus is not None:
                made[part] += plus[part]
        return made

    @staticmethod
    @custom_bwd(device_type="cpu")  # type: ignore[untyped-decorator]
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        x, weight, bias, mix = ctx.saved_tensors
        of_x, of_weight, of_mix = torch.empty_like(x), torch.zeros_like(weight), torch.zeros_like(mix)
        of_bias, of_mix_bias = torch.zeros_like(bias), torch.zeros_like(bias[: x.shape[1]])
        for part in _parts(x, ctx.gates):
            columns, above = _columns(x[part], ctx.reach), _columns(gradient[part], 0)
            opened = _opened(torch.addmm(bias[:, None], weight, columns), ctx.gates)
            of_mix_bias += above.sum(dim=1)
            of_convolved, product = _back(mix.T @ above, *opened)
            of_mix.addmm_(above, product.T)
            of_weight.addmm_(of_convolved, columns.T)
            of_bias += of_convolved.sum(dim=1)
            of_columns = weight.T @ of_convolved
            if ctx.reach:
                _put_back(of_columns, of_x[part], ctx.reach)
            else:
                _put(of_columns, of_x[part])
        of_weight = of_weight.view(len(weight), -1, x.shape[1]).transpose(1, 2)
        return of_x, gradient if ctx.adds else None, of_weight, of_bias, of_mix, of_mix_bias, None, None


def _parts(x: Float[Tensor, "sequence channel time"], gates: int) -> Iterator[slice]:
    count = max(1, _AT_ONCE // (gates * x.shape[1] * x.shape[2]))
    return (slice(first, first + count) for first in range(0, len(x), count))


def _columns(x: Float[Tensor, "sequence channel time"], reach: int) -> Float[Tensor, "tap_channel column"]:
    """The same as `anywhere.shifted`, as one matrix: the samples of all sequences are its columns."""
    x = x.transpose(0, 1)
    if not reach:
        return x.flatten(1)
    before, middle, after = made = x.new_empty(3, *x.shape)
    before[..., :reach], before[..., reach:] = 0, x[..., :-reach]
    after[..., -reach:], after[..., :-reach] = 0, x[..., reach:]
    middle.copy_(x)
    return made.view(3 * x.shape[0], -1)


def _put(columns: Float[Tensor, "channel column"], to: Float[Tensor, "sequence channel time"]) -> None:
    """The other way of `_columns` at reach 0."""
    there = to.transpose(0, 1)
    there.copy_(columns.view(there.shape))


def _put_back(
    columns: Float[Tensor, "tap_channel column"], to: Float[Tensor, "sequence channel time"], reach: int
) -> None:
    """The gradient of what `_columns` took from a signal."""
    before, middle, after = columns.view(3, to.shape[1], len(to), -1).transpose(1, 2)
    to.copy_(middle)
    to[..., :-reach] += before[..., reach:]
    to[..., reach:] += after[..., :-reach]


def _opened(convolved: Float[Tensor, "gates_channel column"], gates: int) -> list[Float[Tensor, "channel column"]]:
    """Sigmoid, tanh and, of three gates, what mish is the product of: x itself and tanh(softplus(x)); and sigmoid(-x).

    All from one sigmoid: tanh(x) = 2 sigmoid(2x) - 1 and tanh(softplus(x)) = (1 - s) / (1 + s), s = sigmoid(-x)^2.
    torch's own tanh and mish take several times as long on a CPU.
    """
    value, *scale = convolved.chunk(gates)[1:]
    given = [one.clone() for one in scale]
    value.mul_(2)
    for one in scale:
        one.neg_()
    sigmoid = convolved.sigmoid_().chunk(gates)
    value.mul_(2).sub_(1)
    if not scale:
        return [*sigmoid]
    squared = sigmoid[2].square()
    level = torch.sub(1, squared).div_(squared.add_(1))
    return [sigmoid[0], value, *given, level, sigmoid[2]]


def _back(
    gradient: Float[Tensor, "channel column"],
    opened: Float[Tensor, "channel column"],
    tanh: Float[Tensor, "channel column"],
    *mish: Float[Tensor, "channel column"],
) -> tuple[Float[Tensor, "gates_channel column"], Float[Tensor, "channel column"]]:
    """Gradient of what was convolved, from that of the gates' product; and this product."""
    made = gradient.new_empty(((3 if mish else 2) * len(gradient), gradient.shape[1]))
    of_open, of_value, *of_given = made.chunk(3 if mish else 2)
    half = opened * tanh
    product = half
    if mish:
        given, level, shut = mish
        slope = torch.addcmul(level.new_ones(()), level, level, value=-1).mul_(given)
        torch.addcmul(slope, slope, shut, value=-1, out=of_given[0]).add_(level).mul_(half).mul_(gradient)
        scale = given.mul_(level)
        gradient = gradient.mul_(scale)
        product = half.mul_(scale)
    torch.mul(gradient, opened, out=of_value)
    torch.mul(of_value, tanh, out=of_open)
    of_value.addcmul_(of_open, tanh, value=-1)
    of_open.addcmul_(of_open, opened, value=-1)
    return made, product
