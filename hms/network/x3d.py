"""X3D, a convolutional network for videos, over the spectrograms of all pairs: a pair takes the place of a frame.

Source: Feichtenhofer 2020, arXiv 2004.04730. Layers and names of weights are those of `create_x3d` in pytorchvideo
0.1.5, so that its weights from Kinetics can be loaded. Changed: one input channel instead of three colours, no
classifier, and the last norm of a block starts at 1, not 0. As there, no layer has a stride along the frames.
"""

import math
from collections import OrderedDict
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor, nn

from hms.errors import UserError, first_line
from hms.network.checkpointing import in_sequence
from hms.network.pretrained import weights_file
from hms.ranges import want_above_0, want_at_least

_WIDTHS, _DEPTHS = (12, 12, 24, 48, 96), (1, 2, 5, 3)
"""Channels of the stem and of the stages, and blocks of the stages, at a factor of 1."""

_STEM, _CLASSIFIER = "blocks.0.conv.conv_t.weight", "blocks.5.proj."


class X3d(nn.Module):
    """(batch, pair, frequency, time) -> a vector per pair (batch, pair, token_features) and one (batch, features).

    The factors multiply the channels, the blocks of each stage, and the channels within a block; X3D-S and X3D-M have
    2, 2.2 and 2.25, X3D-L has 2, 5 and 2.25, all of them 2,048 `features`. Frequency and time are halved five times.
    A pair's vector is the mean of the last map; that of all is computed from the mean over pairs. `weights` is a file
    of such a network's weights, or of pytorchvideo's (X3D_L.pyth); it is used only if `pretrained`, and null starts
    from random ones. Raises UserError if they do not fit. `grad_checkpointing` recomputes the activations of each
    block in the backward pass instead of keeping them.
    """

    def __init__(
        self,
        width_factor: float,
        depth_factor: float,
        bottleneck_factor: float,
        features: int,
        pretrained: bool,
        weights: str | None,
        grad_checkpointing: bool,
    ):
        super().__init__()
        want_above_0(width_factor=width_factor, depth_factor=depth_factor, bottleneck_factor=bottleneck_factor)
        want_at_least(1, features=features)
        widths = [_to_eights(width_factor * width) for width in _WIDTHS]
        depths = [math.ceil(depth_factor * depth) for depth in _DEPTHS]
        inner = [max(1, int(bottleneck_factor * width)) for width in widths[1:]]
        sizes = zip(pairwise(widths), inner, depths, strict=True)
        stages = [_Stage(*both, wide, depth, grad_checkpointing) for both, wide, depth in sizes]
        self.blocks = nn.Sequential(_Stem(widths[0]), *stages, _Head(widths[-1], inner[-1], features))
        self.token_features, self.out_features = inner[-1], features
        if pretrained and weights:
            self._load(weights)
        self.to(memory_format=torch.channels_last_3d)  # on a CPU, depthwise convolutions take 2.5 times as long without

    def forward(
        self, spectrogram: Float[Tensor, "batch pair frequency time"]
    ) -> tuple[Float[Tensor, "batch pair token"], Float[Tensor, "batch feature"]]:
        frames = spectrogram.contiguous()[..., None].permute(0, 4, 1, 2, 3)  # channels-last, like the weights
        both: tuple[Tensor, Tensor] = self.blocks(frames)
        return both

    def _load(self, path: str) -> None:
        file = weights_file(path, None)
        try:
            content = torch.load(file, map_location="cpu", weights_only=True)
            state = content.get("model_state", content)
            state = {name: value for name, value in state.items() if not name.startswith(_CLASSIFIER)}
            state[_STEM] = state[_STEM].sum(dim=1, keepdim=True)  # a grey picture has three equal colours
            self.load_state_dict(state)
        except Exception as error:
            wish = "weights: want a file of those of an X3D with these factors and features"
            raise UserError(f"{wish}, got '{path}' ({first_line(error)})") from None


def _to_eights(width: float) -> int:
    """The nearest multiple of 8, at least 8; the next one if it is more than a tenth below."""
    rounded = max(8, int(width + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * width else rounded


def _convolution(channels: int, out: int, kernel: tuple[int, int, int], stride: int, groups: int) -> nn.Conv3d:
    padding = (kernel[0] // 2, kernel[1] // 2, kernel[2] // 2)
    return nn.Conv3d(channels, out, kernel, (1, stride, stride), padding, groups=groups, bias=False)


def _pointwise(channels: int, out: int, stride: int = 1) -> nn.Conv3d:
    return _convolution(channels, out, (1, 1, 1), stride, 1)


class _Stem(nn.Module):
    """Convolve along frequency and time, then each channel along the pairs.

    pytorchvideo calls the first `conv_t` and the second `conv_xy`; kept so that its weights load.
    """

    def __init__(self, channels: int):
        super().__init__()
        within = _convolution(1, channels, (1, 3, 3), 2, 1)
        along = _convolution(channels, channels, (5, 1, 1), 1, channels)
        self.conv = nn.Sequential(OrderedDict(conv_t=within, conv_xy=along))
        self.norm = nn.BatchNorm3d(channels)

    def forward(
        self, x: Float[Tensor, "batch 1 pair frequency time"]
    ) -> Float[Tensor, "batch channel pair frequency2 time2"]:
        return torch.relu(self.norm(self.conv(x)))


class _Stage(nn.Module):
    """Blocks, the first of which halves frequency and time; every other one squeezes and excites."""

    def __init__(self, channels: int, out: int, inner: int, depth: int, grad_checkpointing: bool):
        super().__init__()
        more = [_Block(out, out, inner, stride=1, excite=number % 2 == 0) for number in range(1, depth)]
        first = _Block(channels, out, inner, stride=2, excite=True)
        self.res_blocks = in_sequence([first, *more], grad_checkpointing)

    def forward(
        self, x: Float[Tensor, "batch channel pair frequency time"]
    ) -> Float[Tensor, "batch out pair frequency2 time2"]:
        y: Tensor = self.res_blocks(x)
        return y


class _Block(nn.Module):
    """Widen, convolve each channel with its own 3x3x3 kernel, narrow, add the input or a projection of it."""

    def __init__(self, channels: int, out: int, inner: int, stride: int, excite: bool):
        super().__init__()
        same = channels == out
        self.branch1_conv = nn.Identity() if same and stride == 1 else _pointwise(channels, out, stride)
        self.branch1_norm = nn.Identity() if same else nn.BatchNorm3d(out)
        self.branch2 = nn.Sequential(
            OrderedDict(
                conv_a=_pointwise(channels, inner),
                norm_a=nn.BatchNorm3d(inner),
                act_a=nn.ReLU(),
                conv_b=_convolution(inner, inner, (3, 3, 3), stride, inner),
                norm_b=nn.Sequential(nn.BatchNorm3d(inner), _Excite(inner) if excite else nn.Identity()),
                act_b=nn.SiLU(),
                conv_c=_pointwise(inner, out),
                norm_c=nn.BatchNorm3d(out),
            )
        )

    def forward(
        self, x: Float[Tensor, "batch channel pair frequency time"]
    ) -> Float[Tensor, "batch out pair frequency2 time2"]:
        return torch.relu(self.branch1_norm(self.branch1_conv(x)) + self.branch2(x))


class _Excite(nn.Module):
    """Weight each channel by a function of the means of all (squeeze and excitation, Hu et al. 2018)."""

    def __init__(self, channels: int):
        super().__init__()
        squeezed = _to_eights(channels / 16)
        self.block = nn.Sequential(
            nn.Conv3d(channels, squeezed, 1), nn.ReLU(), nn.Conv3d(squeezed, channels, 1), nn.Sigmoid()
        )

    def forward(
        self, x: Float[Tensor, "batch channel pair frequency time"]
    ) -> Float[Tensor, "batch channel pair frequency time"]:
        weighted: Tensor = x * self.block(x.mean(dim=(2, 3, 4), keepdim=True))
        return weighted


class _Head(nn.Module):
    """Widen, average over frequency and time; the means over pairs go through one layer."""

    def __init__(self, channels: int, inner: int, features: int):
        super().__init__()
        before, after = _pointwise(channels, inner), _pointwise(inner, features)
        self.pool = nn.ModuleDict({"pre_conv": before, "pre_norm": nn.BatchNorm3d(inner), "post_conv": after})

    def forward(
        self, x: Float[Tensor, "batch channel pair frequency time"]
    ) -> tuple[Float[Tensor, "batch pair token"], Float[Tensor, "batch feature"]]:
        last = torch.relu(self.pool["pre_norm"](self.pool["pre_conv"](x)))
        tokens = last.mean(dim=(3, 4), keepdim=True)
        vector = torch.relu(self.pool["post_conv"](tokens.mean(dim=2, keepdim=True)))
        return tokens.flatten(2).transpose(1, 2), vector.flatten(1)
