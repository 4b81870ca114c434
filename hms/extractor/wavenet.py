"""Every pair as a sequence through a dilated 1-D network, all of them stacked into one image for one image network.

Source: 15th-place solution. Its block is that of WaveNet (van den Oord et al. 2016, arXiv 1609.03499) with a third gate
and the block's input added after every layer. `block="classic"` is the form that is common on Kaggle, two gates and the
sum of all layers (Han Joon Choe, "Wavenet LSTM PyTorch", ion-switching competition, 2020).

The image: time runs down; pair after pair all but the last two channels, then the last two of every pair.
"""

from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from hms.backbone import Backbone
from hms.batch import Features, Signals
from hms.corpus import EEG_WINDOW
from hms.electrodes import SFREQ_HZ
from hms.extractor import central
from hms.montage import Montage

_APART = 2  # channels of each pair that are stacked at the end


class Wavenet(nn.Module):
    """Signals -> Features, by one WaveNet for each group of the montage, shared by the group's pairs.

    Each of the `blocks` has more channels, up to `channels`, and fewer layers, from `layers` down to 1; layer i looks
    2^i samples to both sides. Then every `stride` samples become one. `span_s` seconds around the centre are read.
    Amplitudes beyond about `limit`, in units of `Signals.pairs`, are squeezed (null: none are), for nothing else bounds
    what an artefact of 50 SD does to the layers. A pair's token is the mean of its channels over time.
    `grad_checkpointing` computes each layer twice instead of keeping its inside for the backward pass.
    """

    reads_spectrogram = False
    token_kind: Literal["pair"] = "pair"

    def __init__(
        self,
        montage: Montage,
        backbone: Backbone,
        blocks: int,
        channels: int,
        layers: int,
        block: Literal["improved", "classic"],
        stride: int,
        span_s: float,
        limit: float | None,
        dropout: float,
        grad_checkpointing: bool,
    ):
        super().__init__()
        if blocks < 1 or layers < 1:
            raise ValueError(f"blocks, layers: want at least 1, got {blocks}, {layers}")
        if channels <= _APART:
            raise ValueError(f"channels: want at least {_APART + 1}, got {channels}")
        if not 1 <= stride <= span_s * SFREQ_HZ <= EEG_WINDOW:
            raise ValueError(f"stride, span_s: want 1 <= stride <= 200 span_s <= 10000, got {stride}, {span_s}")
        if limit is not None and limit <= 0:
            raise ValueError(f"limit: want more than 0, or null, got {limit}")
        self.span, self.limit = round(span_s * SFREQ_HZ), limit
        self.sizes = [len(pairs) for pairs in montage.groups.values()]
        self.networks = nn.ModuleDict(
            {
                group: _Network(_sizes(blocks, channels, layers), block == "improved", stride, grad_checkpointing)
                for group in montage.groups
            }
        )
        self.backbone = backbone
        self.dropout = nn.Dropout(dropout)
        self.out_features, self.token_features = backbone.out_features, channels

    def forward(self, signals: Signals) -> Features:
        pairs = central(signals.pairs, self.span)
        if self.limit is not None:
            pairs = self.limit * torch.tanh(pairs / self.limit)
        groups = torch.split(pairs, self.sizes, dim=1)
        found = torch.cat([network(pairs) for network, pairs in zip(self.networks.values(), groups, strict=True)], 1)
        image = stack(found).contiguous(memory_format=torch.channels_last)
        return Features(self.dropout(self.backbone.pool(self.backbone.features(image))), found.mean(dim=3))


def stack(found: Float[Tensor, "batch pair channel time"]) -> Float[Tensor, "batch 1 time width"]:
    """One image of all pairs: most channels of each pair side by side, then the last two of each."""
    columns = torch.cat([found[:, :, :-_APART].flatten(1, 2), found[:, :, -_APART:].flatten(1, 2)], dim=1)
    return columns.transpose(1, 2).unsqueeze(1)


def _sizes(blocks: int, channels: int, layers: int) -> list[tuple[int, int, int]]:
    """Channels in, channels out and number of layers of each block: evenly spaced, rounded down."""
    steps = max(blocks - 1, 1)
    edges = [*((steps + (channels - 1) * i) // steps for i in range(blocks)), channels]
    return [(edges[i], edges[i + 1], (layers * steps - (layers - 1) * i) // steps) for i in range(blocks)]


class _Network(nn.Module):
    """(batch, pair, time) -> (batch, pair, channel, time / stride), every pair by itself."""

    def __init__(self, sizes: list[tuple[int, int, int]], improved: bool, stride: int, grad_checkpointing: bool):
        super().__init__()
        self.blocks = nn.Sequential(*(_Block(*size, improved, grad_checkpointing) for size in sizes))
        self.down = nn.Conv1d(sizes[-1][1], sizes[-1][1], stride, stride)

    def forward(self, pairs: Float[Tensor, "batch pair time"]) -> Float[Tensor, "batch pair channel time2"]:
        found: Tensor = self.down(self.blocks(pairs.flatten(0, 1).unsqueeze(1)))
        return found.reshape(*pairs.shape[:2], *found.shape[1:])


class _Block(nn.Module):
    """A change of channels, then gated layers whose reach doubles from one to the next."""

    def __init__(self, channels_in: int, channels: int, layers: int, improved: bool, grad_checkpointing: bool):
        super().__init__()
        self.widen = nn.Conv1d(channels_in, channels, 1)
        self.layers = nn.ModuleList(_Layer(channels, 2**i, gates=3 if improved else 2) for i in range(layers))
        self.improved, self.grad_checkpointing = improved, grad_checkpointing

    def forward(self, x: Float[Tensor, "sequence channel_in time"]) -> Float[Tensor, "sequence channel time"]:
        start = x = _pointwise(self.widen.weight[:, :, 0], self.widen.bias, x)
        total = start
        for layer in self.layers:
            again = self.grad_checkpointing and self.training
            x = checkpoint(layer, x, use_reentrant=False) if again else layer(x)
            if self.improved:
                x = x + start
            else:
                total = total + x
        return x if self.improved else total


class _Layer(nn.Module):
    """A dilated convolution for each gate, the product of the gates, a 1x1 convolution.

    All gates' convolutions are one, and it is a matrix product with three shifted copies of the signal, because
    convolutions of few channels are slow. Where the dilation is beyond the signal's ends, only the middle tap meets it;
    the others, which get zeros for gradients, stay in the weights for longer signals.
    """

    def __init__(self, channels: int, dilation: int, gates: int):
        super().__init__()
        self.dilation, self.gates = dilation, gates
        self.dilated = nn.Conv1d(channels, gates * channels, 3, dilation=dilation)
        self.mix = nn.Conv1d(channels, channels, 1)

    def forward(self, x: Float[Tensor, "sequence channel time"]) -> Float[Tensor, "sequence channel time"]:
        reach, weight = self.dilation, self.dilated.weight
        if reach < x.shape[-1]:
            before, after = F.pad(x[..., :-reach], (reach, 0)), F.pad(x[..., reach:], (0, reach))
            x = torch.cat([before, x, after], dim=1)
            weight = weight.transpose(1, 2).flatten(1)
        else:
            weight = weight[:, :, 1]
        open_by, value, *scale = _pointwise(weight, self.dilated.bias, x).chunk(self.gates, dim=1)
        gated = torch.sigmoid(open_by) * torch.tanh(value)
        if scale:
            gated = gated * _mish(scale[0])
        return _pointwise(self.mix.weight[:, :, 0], self.mix.bias, gated)


def _pointwise(
    weight: Float[Tensor, "out channel"], bias: Tensor | None, x: Float[Tensor, "sequence channel time"]
) -> Float[Tensor, "sequence out time"]:
    """A 1x1 convolution."""
    assert bias is not None
    return torch.baddbmm(bias[:, None], weight.expand(x.shape[0], -1, -1), x)


def _mish(x: Float[Tensor, "sequence channel time"]) -> Float[Tensor, "sequence channel time"]:
    """x tanh(softplus(x)), which is slow in torch on a CPU."""
    if x.device.type != "cpu":
        return F.mish(x)
    return _Mish.apply(x) if x.requires_grad else x * _tanh_softplus(x)


class _Mish(torch.autograd.Function):
    """Mish that keeps nothing but its input for the backward pass: on a CPU, fresh memory costs as much as the sums."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return x * _tanh_softplus(x)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors
        level = _tanh_softplus(x)
        return gradient * torch.addcmul(level, x * torch.sigmoid(x), 1 - level.square())


def _tanh_softplus(x: Float[Tensor, "sequence channel time"]) -> Float[Tensor, "sequence channel time"]:
    squared = torch.sigmoid(-x).square()  # the only exponential; torch's tanh alone takes three times as long
    return (1 - squared) / (1 + squared)
