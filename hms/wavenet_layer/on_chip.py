"""The gated layer on a GPU: convolutions, gates and their product of a stretch of the signal stay on the chip.

One kernel reads the signal and writes the layer's output, and nothing but the layer's input is kept. Backward a second
one computes the inside again and writes the gates' product and the gradient of what was convolved; a third one takes
that back to the input, a fourth one to the weights.
"""

from typing import Any

import torch
import triton
from torch import Tensor
from torch.autograd.function import once_differentiable

from hms.wavenet_layer import kernels

_BLOCK, _WARPS = 64, 4
"""Samples that a program makes, and its threads by the 32: what it works on then all but fits into its registers."""

_SUMS = 256  # programs that share out the samples which a gate's weights are summed over: some for each multiprocessor


class OnChip(torch.autograd.Function):
    """`anywhere.layer` by `kernels`, of up to 32 channels."""

    @staticmethod
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
        x, weight, mix = x.contiguous(), weight.contiguous(), mix.contiguous()
        ctx.save_for_backward(x, weight, bias, mix)
        ctx.reach, ctx.gates, ctx.adds = reach, gates, plus is not None
        made, added = torch.empty_like(x), None if plus is None else plus.contiguous()
        options = compiled_for(x, weight)
        with torch.cuda.device_of(x):  # type: ignore[no-untyped-call]
            kernels.forward[_tiles(x)](
                x, added, weight, bias, mix, mix_bias, made, x.shape[2], reach, GATES=gates, **options
            )  # fmt: skip
        return made

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        x, weight, bias, mix = ctx.saved_tensors
        above, samples = gradient.contiguous(), x.shape[2]
        product, of_x = torch.empty_like(x), torch.empty_like(x)
        of_convolved = x.new_empty(len(x), len(weight), samples)
        options = compiled_for(x, weight)
        with torch.cuda.device_of(x):  # type: ignore[no-untyped-call]
            kernels.inside[_tiles(x)](
                x, above, weight, bias, mix, product, of_convolved, samples, ctx.reach, GATES=ctx.gates, **options
            )  # fmt: skip
            kernels.of_x[_tiles(x)](of_convolved, weight, of_x, samples, ctx.reach, GATES=ctx.gates, **options)
            of_weight, of_bias = _of_weights(of_convolved, x, weight, ctx.reach)
            of_mix, of_mix_bias = _of_weights(above, product, mix, 0)
        return of_x, gradient if ctx.adds else None, of_weight, of_bias, of_mix, of_mix_bias, None, None


def compiled_for(x: Tensor, weight: Tensor) -> dict[str, Any]:
    """What kernels are compiled for.

    Few channels go through one product with what all taps meet, more through one with each tap's. Products of float32
    are as exact as torch's own are asked to be: three in TF32 make one.
    """
    channels = x.shape[1]
    taps = weight.shape[1] // channels
    each = taps if taps * channels <= 32 else 1
    precision = getattr(torch.backends.cuda.matmul, "fp32_precision", "ieee")  # torch 2.9
    return {
        "CHANNELS": channels,
        "TAPS": taps,
        "EACH": each,
        "WIDE": max(16, triton.next_power_of_2(channels)),
        "DEEP": max(16, triton.next_power_of_2(each * channels)),
        "BLOCK": _BLOCK,
        "PRECISION": "tf32" if precision == "tf32" else "tf32x3",
        "num_warps": _WARPS,
        "enable_fp_fusion": True,  # the default of Triton up to 3.9, which warns that it will change
    }


def _tiles(x: Tensor) -> tuple[int]:
    return (len(x) * triton.cdiv(x.shape[2], _BLOCK),)


def _of_weights(above: Tensor, x: Tensor, weight: Tensor, reach: int) -> tuple[Tensor, Tensor]:
    """Gradients of weights and bias: each program sums some tiles, in the same order every time."""
    gates, programs = len(weight) // x.shape[1], min(_SUMS, *_tiles(x))
    of_weight, of_bias = (
        x.new_empty(programs, *size, dtype=torch.float32) for size in (weight.shape, weight.shape[:1])
    )
    kernels.of_weights[programs, gates](
        above, x, of_weight, of_bias, len(x), x.shape[2], reach, GATES=gates, **compiled_for(x, weight)
    )  # fmt: skip
    return of_weight.sum(dim=0), of_bias.sum(dim=0)
