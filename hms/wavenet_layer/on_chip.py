"""The gated layer on a GPU: convolutions, gates and their product of a stretch of the signal stay on the chip.

A layer computes little there; what takes time is memory. One kernel reads the signal and writes the layer's output,
and nothing but the layer's input is kept. Backward a second one computes the inside again and writes the gates' product
and the gradient of what was convolved, a third one takes that back to the input; the weights' gradients are matrix
products of torch.
"""

from typing import Any

import torch
import triton
from jaxtyping import Float
from torch import Tensor
from torch.amp import custom_bwd, custom_fwd

from hms.wavenet_layer import kernels
from hms.wavenet_layer.anywhere import shifted

_BLOCK, _WARPS = 64, 4
"""Samples that a program makes, and its threads by the 32: all it works on then fits into its registers."""


class OnChip(torch.autograd.Function):
    """`anywhere.layer` by `kernels`, of up to 32 channels."""

    @staticmethod
    @custom_fwd(device_type="cuda")  # type: ignore[untyped-decorator]
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
        made = torch.empty_like(x)
        added = None if plus is None else plus.contiguous()
        grid, options = compiled_for(x, weight, gates)
        with torch.cuda.device_of(x):  # type: ignore[no-untyped-call]
            kernels.forward[grid](x, added, weight, bias, mix, mix_bias, made, x.shape[2], reach, **options)
        return made

    @staticmethod
    @custom_bwd(device_type="cuda")  # type: ignore[untyped-decorator]
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        x, weight, bias, mix = ctx.saved_tensors
        above, samples = gradient.contiguous(), x.shape[2]
        product, of_x = torch.empty_like(x), torch.empty_like(x)
        of_convolved = x.new_empty(len(x), len(weight), samples)
        grid, options = compiled_for(x, weight, ctx.gates)
        with torch.cuda.device_of(x):  # type: ignore[no-untyped-call]
            kernels.inside[grid](
                x, above, weight, bias, mix, product, of_convolved, samples, ctx.reach, **options
            )  # fmt: skip
            kernels.of_x[grid](of_convolved, weight, of_x, samples, ctx.reach, **options)
        of_mix = _over_time(above, product)
        of_weight = _over_time(of_convolved, shifted(x, ctx.reach))
        of_bias, of_mix_bias = (one.sum(dim=(0, 2), dtype=torch.float32) for one in (of_convolved, above))
        return of_x, gradient if ctx.adds else None, of_weight, of_bias, of_mix, of_mix_bias, None, None


def _over_time(
    one: Float[Tensor, "sequence row time"], other: Float[Tensor, "sequence column time"]
) -> Float[Tensor, "row column"]:
    return torch.bmm(one, other.mT).sum(dim=0, dtype=torch.float32)


def compiled_for(x: Tensor, weight: Tensor, gates: int) -> tuple[tuple[int], dict[str, Any]]:
    """How many programs share the work, and what their kernels are compiled for.

    Products of float32 are as exact as torch's own are asked to be: three of a GPU's tensor cores make one.
    """
    channels, samples = x.shape[1:]
    exact = torch.get_float32_matmul_precision() == "highest"
    return (len(x) * triton.cdiv(samples, _BLOCK),), {
        "CHANNELS": channels,
        "TAPS": weight.shape[1] // channels,
        "GATES": gates,
        "WIDE": max(16, triton.next_power_of_2(channels)),
        "BLOCK": _BLOCK,
        "PRECISION": "tf32x3" if exact else "tf32",
        "num_warps": _WARPS,
        "enable_fp_fusion": True,
    }
