"""Every pair as a sequence through a dilated 1-D network, all of them stacked into one image for one image network.

Source: 15th-place solution. Its block is that of WaveNet (van den Oord et al. 2016, arXiv 1609.03499) with a third gate
and the block's input added after every layer. `block="classic"` is the form that is common on Kaggle, two gates and the
sum of all layers (Han Joon Choe, "Wavenet LSTM PyTorch", ion-switching competition, 2020).

The image: time runs down; pair after pair all but the last two channels, then the last two of every pair.
"""

from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from hms.backbone import Backbone
from hms.batch import Features, Signals
from hms.electrodes import SFREQ_HZ
from hms.extractor import central
from hms.montage import Montage
from hms.timing import EEG_SAMPLES
from hms.wavenet_layer import GatedLayer, faster_form
from hms.wavenet_layer.anywhere import pointwise

_APART = 2  # channels of each pair that are stacked at the end


class Wavenet(nn.Module):
    """Signals -> Features, by one WaveNet for each group of the montage, shared by the group's pairs.

    Each of the `blocks` has more channels, up to `channels`, and fewer layers, from `layers` down to 1; layer i looks
    2^i samples to both sides. Then every `stride` samples become one. `span_s` seconds around the centre are read.
    Amplitudes beyond about `limit`, in units of `Signals.pairs`, are squeezed (null: none are), for nothing else bounds
    what an artefact of 50 SD does to the layers. A pair's token is the mean of its channels over time.
    `grad_checkpointing` computes each layer twice instead of keeping its inside for the backward pass; the faster forms
    (`hms.wavenet_layer`), on CPUs and GPUs since Ampere, do so in any case.
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
        if not 1 <= stride <= span_s * SFREQ_HZ <= EEG_SAMPLES:
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
        image = stack(found)
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
        self.layers = nn.ModuleList(GatedLayer(channels, 2**i, gates=3 if improved else 2) for i in range(layers))
        self.improved, self.grad_checkpointing = improved, grad_checkpointing

    def forward(self, x: Float[Tensor, "sequence channel_in time"]) -> Float[Tensor, "sequence channel time"]:
        start = x = pointwise(self.widen.weight[:, :, 0], self.widen.bias, x)
        total = start
        for layer in self.layers:
            again = self.grad_checkpointing and self.training and faster_form(x) is None  # which keeps little anyway
            plus = start if self.improved else None
            x = checkpoint(layer, x, plus, use_reentrant=False) if again else layer(x, plus)
            if not self.improved:
                total = total + x
        return x if self.improved else total
