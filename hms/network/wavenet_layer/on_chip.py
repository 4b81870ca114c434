"""The gated layer on a GPU: for each stretch of the signal, convolutions, gates and their product stay on the chip.

One kernel reads the signal and writes the layer's output; only the layer's input is kept. In the backward pass a second
kernel recomputes the activations and writes the gates' product and the gradient of the convolutions' output; a third
one propagates that to the input, a fourth to all weights.
"""

from functools import cache
from typing import Any

import torch
import triton
from torch import Tensor
from torch.autograd.function import once_differentiable

from hms.network.wavenet_layer import kernels

TILES = {
    "forward": {16: (64, 2), 32: (64, 2)},
    "backward_gates": {16: (64, 2), 32: (32, 2)},
    "backward_input": {16: (64, 2), 32: (64, 2)},
    "backward_weights": {16: (64, 1), 32: (32, 2)},
}
"""By kernel and width of a tile: samples per program (half of them in float32), and warps of 32 threads.

For 16 rows the fastest of those tried, or close to it, with fewer than 4 warps; for 32 rows by the number of issued
instructions (docs/speed.md, "Tiles"). With more warps Triton uses Hopper's own matrix products, which were wrong.
"""

_SUMMING_PROGRAMS = 1024  # that share the sum over samples for the weights: several for each multiprocessor


class OnChip(torch.autograd.Function):
    """`anywhere.layer` by `kernels`, for up to 32 channels."""

    @staticmethod
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
        x, weight, mix = x.contiguous(), weight.contiguous(), mix.contiguous()
        ctx.save_for_backward(x, weight, bias, mix)
        ctx.reach, ctx.gates, ctx.has_addend = reach, gates, addend is not None
        output, addend = torch.empty_like(x), None if addend is None else addend.contiguous()
        with torch.cuda.device_of(x):  # type: ignore[no-untyped-call]
            _run("forward", x, weight, ctx, (x, addend, weight, bias, mix, mix_bias, output))
        return output

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        x, weight, bias, mix = ctx.saved_tensors
        grad_output, product, grad_x = gradient.contiguous(), torch.empty_like(x), torch.empty_like(x)
        grad_convolved = x.new_empty(len(x), len(weight), x.shape[2])
        sizes = [weight.numel(), bias.numel(), mix.numel(), x.shape[1]]
        options, programs = _plan("backward_weights", x, weight, ctx.reach, ctx.gates)
        parts = x.new_empty(programs * options["PACK"], sum(sizes), dtype=torch.float32)
        with torch.cuda.device_of(x):  # type: ignore[no-untyped-call]
            _run("backward_gates", x, weight, ctx, (x, grad_output, weight, bias, mix, product, grad_convolved))
            _run("backward_input", x, weight, ctx, (grad_convolved, weight, grad_x))
            _run("backward_weights", x, weight, ctx, (grad_convolved, x, grad_output, product, parts))
        grad_weight, grad_bias, grad_mix, grad_mix_bias = parts.sum(dim=0).split(sizes)
        grad_weights = grad_weight.view_as(weight), grad_bias, grad_mix.view_as(mix), grad_mix_bias
        return grad_x, gradient if ctx.has_addend else None, *grad_weights, None, None


def _run(name: str, x: Tensor, weight: Tensor, ctx: Any, tensors: tuple[Tensor | None, ...]) -> None:
    """Launch a kernel for a layer with input `x`: a program for each tile, or fewer if tiles are summed."""
    sequences, channels, samples = x.shape
    options, programs = _plan(name, x, weight, ctx.reach, ctx.gates)
    getattr(kernels, name)[(programs,)](*tensors, sequences * channels, samples, ctx.reach, **options)


def _plan(name: str, x: Tensor, weight: Tensor, reach: int, gates: int) -> tuple[dict[str, Any], int]:
    """A kernel's compile-time options, and its number of programs."""
    precision = getattr(torch.backends.cuda.matmul, "fp32_precision", "ieee")  # torch 2.9
    options = kernel_options(name, x.shape[1], weight.shape[2], gates, reach % 16 == 0, x.element_size(), precision)
    tiles = triton.cdiv(len(x), options["PACK"]) * triton.cdiv(x.shape[2], options["BLOCK"])
    return options, min(tiles, _SUMMING_PROGRAMS) if name == "backward_weights" else tiles


@cache
def kernel_options(
    name: str, channels: int, taps: int, gates: int, aligned: bool, bytes_each: int, precision: str
) -> dict[str, Any]:
    """Compile-time options of a kernel. Products of float32 are as exact as PyTorch's own: three TF32 products, unless
    its `precision` is "tf32".

    A tile of 16 rows holds as many sequences as fit: exponentials of empty rows would take just as long.
    """
    pack = max(1, 16 // channels)
    wide = max(16, triton.next_power_of_2(pack * channels))
    block, warps = TILES[name][wide]
    return {
        "ALIGNED": aligned,
        "GATES": gates,
        "CHANNELS": channels,
        "TAPS": taps,
        "PACK": pack,
        "WIDE": wide,
        "BLOCK": block if bytes_each == 2 else block // 2,
        "PRECISION": "tf32" if precision == "tf32" else "tf32x3",
        "num_warps": warps,
        "enable_fp_fusion": True,  # the default up to Triton 3.9, which warns that it will change
    }
