"""The gated layer on a CPU: a few sequences at a time go through the whole layer while they are in a core's cache.

Convolutions of few channels are slow on a CPU, so those of all gates are one matrix product with three shifted copies
of the signal. The backward pass recomputes activations, which is faster than reading them from memory; only the
layer's input is kept.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor
from torch.amp import custom_bwd, custom_fwd
from torch.autograd.function import once_differentiable

from hms.network.wavenet_layer.anywhere import flat

_CHUNK = 2**18  # elements of a tensor of which several fit into a core's cache


class InCache(torch.autograd.Function):
    """`anywhere.layer` on matrices of channels x samples, those of several sequences one after another.

    Every tensor as large as these matrices is overwritten as soon as it is no longer needed, to stay in the cache.
    """

    @staticmethod
    @custom_fwd(device_type="cpu", cast_inputs=torch.float32)  # type: ignore[untyped-decorator]
    def forward(
        ctx: Any,
        x: Tensor,
        addend: Tensor | None,
        weight: Tensor,
        bias: Tensor,
        mix: Tensor,
        mix_bias: Tensor,
        reach: int,
        gates: int,
    ) -> Tensor:
        weight = flat(weight)
        ctx.save_for_backward(x, weight, bias, mix)
        ctx.reach, ctx.gates, ctx.has_addend = reach, gates, addend is not None
        output = torch.empty_like(x)
        for chunk in _chunks(x, gates):
            sigmoid, tanh, mish = _activations(torch.addmm(bias[:, None], weight, _columns(x[chunk], reach)), gates)
            product = sigmoid.mul_(tanh)
            if mish:
                product.mul_(mish.input.mul_(mish.tanh_softplus))
            _write(torch.addmm(mix_bias[:, None], mix, product), output[chunk])
            if addend is not None:
                output[chunk] += addend[chunk]
        return output

    @staticmethod
    @custom_bwd(device_type="cpu")  # type: ignore[untyped-decorator]
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        x, weight, bias, mix = ctx.saved_tensors
        grad_x, grad_weight, grad_mix = torch.empty_like(x), torch.zeros_like(weight), torch.zeros_like(mix)
        grad_bias, grad_mix_bias = torch.zeros_like(bias), torch.zeros_like(bias[: x.shape[1]])
        for chunk in _chunks(x, ctx.gates):
            columns, grad_output = _columns(x[chunk], ctx.reach), _columns(gradient[chunk], 0)
            activations = _activations(torch.addmm(bias[:, None], weight, columns), ctx.gates)
            grad_mix_bias += grad_output.sum(dim=1)
            grad_convolved, product = _product_backward(mix.T @ grad_output, activations)
            grad_mix.addmm_(grad_output, product.T)
            grad_weight.addmm_(grad_convolved, columns.T)
            grad_bias += grad_convolved.sum(dim=1)
            grad_columns = weight.T @ grad_convolved
            if ctx.reach:
                _write_gradient(grad_columns, grad_x[chunk], ctx.reach)
            else:
                _write(grad_columns, grad_x[chunk])
        grad_weight = grad_weight.view(len(weight), -1, x.shape[1]).transpose(1, 2)
        return grad_x, gradient if ctx.has_addend else None, grad_weight, grad_bias, grad_mix, grad_mix_bias, None, None


def _chunks(x: Float[Tensor, "sequence channel time"], gates: int) -> Iterator[slice]:
    fitting = max(1, _CHUNK // (gates * x.shape[1] * x.shape[2]))
    count = fitting if type(x) is Tensor else len(x)  # fake tensors, as of a summary, have no data to be in a cache
    return (slice(first, first + count) for first in range(0, len(x), count))


def _columns(x: Float[Tensor, "sequence channel time"], reach: int) -> Float[Tensor, "tap_channel column"]:
    """`anywhere.shifted` as one matrix, whose columns are the samples of all sequences."""
    x = x.transpose(0, 1)
    if not reach:
        return x.flatten(1)
    before, middle, after = taps = x.new_empty(3, *x.shape)
    before[..., :reach], before[..., reach:] = 0, x[..., :-reach]
    after[..., -reach:], after[..., :-reach] = 0, x[..., reach:]
    middle.copy_(x)
    return taps.view(3 * x.shape[0], -1)


def _write(columns: Float[Tensor, "channel column"], to: Float[Tensor, "sequence channel time"]) -> None:
    """Write columns back to a signal: the inverse of `_columns` at reach 0."""
    target = to.transpose(0, 1)
    target.copy_(columns.view(target.shape))


def _write_gradient(
    columns: Float[Tensor, "tap_channel column"], to: Float[Tensor, "sequence channel time"], reach: int
) -> None:
    """Write the gradient of a signal, given that of its `_columns`."""
    before, middle, after = columns.view(3, to.shape[1], len(to), -1).transpose(1, 2)
    to.copy_(middle)
    to[..., :-reach] += before[..., reach:]
    to[..., reach:] += after[..., :-reach]


class _Mish(NamedTuple):
    """mish(x) = x tanh(softplus(x)) by its factors, and what else its slope needs."""

    input: Float[Tensor, "channel column"]
    tanh_softplus: Float[Tensor, "channel column"]
    opposite: Float[Tensor, "channel column"]
    """sigmoid(-x)"""


class _Activations(NamedTuple):
    """The activations of the gates, whose product is the layer's before it is mixed."""

    sigmoid: Float[Tensor, "channel column"]
    tanh: Float[Tensor, "channel column"]
    mish: _Mish | None
    """Of the third gate, if there is one."""


def _activations(convolved: Float[Tensor, "gates_channel column"], gates: int) -> _Activations:
    """Overwrite the convolutions' output by its activations.

    All from one sigmoid: tanh(x) = 2 sigmoid(2x) - 1 and tanh(softplus(x)) = (1 - s) / (1 + s), s = sigmoid(-x)^2.
    PyTorch's own tanh and mish take several times as long on a CPU.
    """
    tanh, *mish = convolved.chunk(gates)[1:]
    mish_in = [x.clone() for x in mish]
    tanh.mul_(2)
    for x in mish:
        x.neg_()
    sigmoid, _, *opposite = convolved.sigmoid_().chunk(gates)
    tanh.mul_(2).sub_(1)
    if not mish:
        return _Activations(sigmoid, tanh, None)
    squared = opposite[0].square()
    tanh_softplus = torch.sub(1, squared).div_(squared.add_(1))
    return _Activations(sigmoid, tanh, _Mish(mish_in[0], tanh_softplus, opposite[0]))


def _product_backward(
    gradient: Float[Tensor, "channel column"], activations: _Activations
) -> tuple[Float[Tensor, "gates_channel column"], Float[Tensor, "channel column"]]:
    """Gradient of the convolutions' output, given that of the gates' product; and the product itself.

    Overwrites `gradient` and the activations of mish. In the comments, g is the gradient of the product, s the sigmoid,
    t the tanh, x the input of mish and u its tanh(softplus(x)).
    """
    sigmoid, tanh, mish = activations
    grad_convolved = gradient.new_empty(((3 if mish else 2) * len(gradient), gradient.shape[1]))
    grad_sigmoid_in, grad_tanh_in, *grad_mish_in = grad_convolved.chunk(3 if mish else 2)
    product = sigmoid * tanh
    if mish:
        one = mish.tanh_softplus.new_ones(())
        # x (1 - u^2)
        slope = torch.addcmul(one, mish.tanh_softplus, mish.tanh_softplus, value=-1).mul_(mish.input)
        # x (1 - u^2) sigmoid(x), as sigmoid(x) = 1 - sigmoid(-x): the part of mish's slope due to that of u
        grad = torch.addcmul(slope, slope, mish.opposite, value=-1, out=grad_mish_in[0])
        # mish'(x), then s t mish'(x), then g s t mish'(x)
        grad.add_(mish.tanh_softplus).mul_(product).mul_(gradient)
        # mish(x) = x u
        scale = mish.input.mul_(mish.tanh_softplus)
        # g mish(x): the gradient of s t
        gradient = gradient.mul_(scale)
        # s t mish(x)
        product.mul_(scale)
    # From here on g is the gradient of s t.
    torch.mul(gradient, sigmoid, out=grad_tanh_in)  # g s
    torch.mul(grad_tanh_in, tanh, out=grad_sigmoid_in)  # g s t
    grad_tanh_in.addcmul_(grad_sigmoid_in, tanh, value=-1)  # g s (1 - t^2)
    grad_sigmoid_in.addcmul_(grad_sigmoid_in, sigmoid, value=-1)  # g s t (1 - s) = g t s'
    return grad_convolved, product
