"""One gated layer of a WaveNet, in which a WaveNet spends most of its time.

Source: van den Oord et al. 2016, arXiv 1609.03499; the third gate is the 15th-place solution's. `anywhere` is the
reference; CPUs and GPUs have fast implementations, which keep only the layer's input for the backward pass.
"""

from collections.abc import Callable
from functools import cache
from importlib.util import find_spec

import torch
from jaxtyping import Float
from torch import Tensor, nn

from hms.network.wavenet_layer import anywhere
from hms.network.wavenet_layer.in_cache import InCache
from hms.system.console import say

_MOST_CHANNELS_ON_CHIP = 32  # wider tiles do not fit into a program's registers
_TYPES_ON_CHIP = (torch.float16, torch.bfloat16, torch.float32)


class GatedLayer(nn.Module):
    """A dilated convolution for each of 2 or 3 gates, the product of the gates, a 1x1 convolution, and an `addend`.

    The gates are sigmoid, tanh and, if there is a third, mish. If the dilation exceeds the signal, only the middle tap
    meets it; the others, whose gradients are zero, stay in the weights for longer signals.
    """

    def __init__(self, channels: int, dilation: int, gates: int):
        super().__init__()
        self.dilation, self.gates = dilation, gates
        self.dilated = nn.Conv1d(channels, gates * channels, 3, dilation=dilation)
        self.mix = nn.Conv1d(channels, channels, 1)

    def forward(
        self, x: Float[Tensor, "sequence channel time"], addend: Float[Tensor, "sequence channel time"] | None
    ) -> Float[Tensor, "sequence channel time"]:
        reach, weight = self.dilation, self.dilated.weight
        if reach >= x.shape[-1]:
            reach, weight = 0, weight[:, :, 1:2]
        fast = fast_implementation(x)
        layer: Callable[..., Tensor] = anywhere.layer if fast is None else fast.apply
        mix, mix_bias = self.mix.weight.squeeze(2), self.mix.bias
        return layer(x, addend, weight, self.dilated.bias, mix, mix_bias, reach, self.gates)


def fast_implementation(x: Float[Tensor, "sequence channel time"]) -> type[torch.autograd.Function] | None:
    """The implementation that keeps only a layer's input, if there is one for `x`: on CPUs, and GPUs since Ampere."""
    if torch.compiler.is_compiling():
        return None
    if x.device.type == "cpu":
        return InCache
    if x.device.type == "cuda" and x.dtype in _TYPES_ON_CHIP and x.shape[1] <= _MOST_CHANNELS_ON_CHIP:
        return _on_chip(x.device, x.dtype)
    return None


@cache
def _on_chip(device: torch.device, dtype: torch.dtype) -> type[torch.autograd.Function] | None:
    """The implementation in Triton, if its kernels compile and run: tried once, on the widest layer of the default."""
    if torch.version.hip or not find_spec("triton") or torch.cuda.get_device_capability(device) < (8, 0):
        return None
    from hms.network.wavenet_layer.on_chip import OnChip

    shapes = [(1, 24, 64), (72, 24, 3), (72,), (24, 24), (24,)]
    try:
        with torch.inference_mode(False), torch.enable_grad():
            x, *weights = (torch.zeros(shape, device=device, requires_grad=True) for shape in shapes)
            OnChip.apply(x.to(dtype), x.to(dtype), *weights, 1, 3).sum().backward()
    except Exception as error:
        say(f"WaveNets are slower: Triton, which needs a C compiler and Python's headers, cannot run here\n{error}")
        return None
    return OnChip
