"""The gated layer on a GPU: convolutions, gates and their product of a stretch of the signal stay on the chip.

One kernel reads the signal and writes the layer's output, and nothing but the layer's input is kept. Backward a second
one computes the inside again and writes the gates' product and the gradient of what was convolved; a third one takes
that back to the input, a fourth one to all weights.
"""

from functools import cache
from typing import Any

import torch
import triton
from torch import Tensor
from torch.autograd.function import once_differentiable

from hms.wavenet_layer import kernels

TILES = {
    "forward": {16: (64, 2), 32: (64, 2)},
    "inside": {16: (64, 2), 32: (32, 2)},
    "of_x": {16: (64, 2), 32: (64, 2)},
    "of_weights": {16: (64, 1), 32: (32, 2)},
}
"""Samples that a program of a kernel makes of tiles so wide, half of them in float32, and its threads by the 32.

Of 16 rows the fastest of those tried, or near it, with fewer than 4 x 32 threads; of 32 rows by a count of what is
issued (EXPERIMENTS.md, "On a GPU"). With more threads Triton takes a Hopper's own products, which were wrong there.
"""

_SUMS = 1024  # programs that share out the samples which weights are summed over: some for each multiprocessor


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
        with torch.cuda.device_of(x):  # type: ignore[no-untyped-call]
            _run("forward", x, weight, ctx, (x, added, weight, bias, mix, mix_bias, made))
        return made

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        x, weight, bias, mix = ctx.saved_tensors
        above, product, of_x = gradient.contiguous(), torch.empty_like(x), torch.empty_like(x)
        of_convolved = x.new_empty(len(x), len(weight), x.shape[2])
        sizes = [weight.numel(), bias.numel(), mix.numel(), x.shape[1]]
        options, programs = _plan("of_weights", x, weight, ctx.reach, ctx.gates)
        parts = x.new_empty(programs * options["PACK"], sum(sizes), dtype=torch.float32)
        with torch.cuda.device_of(x):  # type: ignore[no-untyped-call]
            _run("inside", x, weight, ctx, (x, above, weight, bias, mix, product, of_convolved))
            _run("of_x", x, weight, ctx, (of_convolved, weight, of_x))
            _run("of_weights", x, weight, ctx, (of_convolved, x, above, product, parts))
        of_weight, of_bias, of_mix, of_mix_bias = parts.sum(dim=0).split(sizes)
        made = of_weight.view_as(weight), of_bias, of_mix.view_as(mix), of_mix_bias
        return of_x, gradient if ctx.adds else None, *made, None, None


def _run(name: str, x: Tensor, weight: Tensor, ctx: Any, tensors: tuple[Tensor | None, ...]) -> None:
    """Start a kernel for a layer with such an input: a program for each tile, unless tiles are summed."""
    sequences, channels, samples = x.shape
    options, programs = _plan(name, x, weight, ctx.reach, ctx.gates)
    getattr(kernels, name)[(programs,)](*tensors, sequences * channels, samples, ctx.reach, **options)


def _plan(name: str, x: Tensor, weight: Tensor, reach: int, gates: int) -> tuple[dict[str, Any], int]:
    """What a kernel is compiled for, and how many programs it has."""
    precision = getattr(torch.backends.cuda.matmul, "fp32_precision", "ieee")  # torch 2.9
    options = compiled_for(name, x.shape[1], weight.shape[2], gates, reach % 16 == 0, x.element_size(), precision)
    tiles = triton.cdiv(len(x), options["PACK"]) * triton.cdiv(x.shape[2], options["BLOCK"])
    return options, min(tiles, _SUMS) if name == "of_weights" else tiles


@cache
def compiled_for(
    name: str, channels: int, taps: int, gates: int, aligned: bool, bytes_each: int, precision: str
) -> dict[str, Any]:
    """Constants of a kernel. Products of float32 are as exact as torch's own: unless "tf32" will do, by three of these.

    A tile of 16 rows has as many sequences as fit into it: exponentials of empty rows would take as long.
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
        "enable_fp_fusion": True,  # the default of Triton up to 3.9, which warns that it will change
    }
