"""Every pair as a sequence through a dilated 1-D network; the outputs are stacked into one image for an image network.

Source: 15th-place solution. Its block is that of WaveNet (van den Oord et al. 2016, arXiv 1609.03499) with a third
gate, and with the block's input added after every layer. `block="classic"` is the form common on Kaggle: two gates, and
the sum of all layers (Han Joon Choe, "Wavenet LSTM PyTorch", ion-switching competition, 2020).

In the image, time runs down. Across are all but the last two channels of each pair, then the last two of every pair.
"""

from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from hms.backbone import Backbone
from hms.batch import Features, Signals
from hms.extractor import central, samples_of, squeezed
from hms.montage import Montage
from hms.network.wavenet_layer import GatedLayer, fast_implementation
from hms.network.wavenet_layer.anywhere import pointwise
from hms.ranges import want_at_least

_LAST = 2  # channels of each pair that are stacked at the end


class Wavenet(nn.Module):
    """Signals -> Features, by one WaveNet for each group of the montage, shared by the group's pairs.

    Over the `blocks`, channels increase up to `channels` and layers decrease from `layers` to 1; layer i looks 2^i
    samples to each side. Then every `stride` samples become one. `span_s` seconds around the centre are read.
    Amplitudes beyond about `limit`, in units of `Signals.pairs`, are squeezed (null: none are), because nothing else
    bounds the effect of an artefact of 50 SD on the layers. A pair's token is the mean of its channels over time.
    `grad_checkpointing` recomputes each layer in the backward pass instead of keeping its activations; the fast
    implementations (`hms.network.wavenet_layer`), on CPUs and on GPUs since Ampere, do so in any case.
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
        want_at_least(1, blocks=blocks, layers=layers)
        want_at_least(_LAST + 1, channels=channels)
        self.span, self.limit = samples_of(span_s), limit
        if not 1 <= stride <= self.span:
            raise ValueError(f"stride: want 1 up to the {self.span} samples of span_s, got {stride}")
        if limit is not None and not limit > 0:
            raise ValueError(f"limit: want more than 0, or null, got {limit}")
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
        pairs = squeezed(central(signals.pairs, self.span), self.limit)
        groups = torch.split(pairs, self.sizes, dim=1)
        outputs = torch.cat([network(pairs) for network, pairs in zip(self.networks.values(), groups, strict=True)], 1)
        image = stack(outputs)
        return Features(self.dropout(self.backbone.pool(self.backbone.features(image))), outputs.mean(dim=3))


def stack(outputs: Float[Tensor, "batch pair channel time"]) -> Float[Tensor, "batch 1 time width"]:
    """One image of all pairs: all but the last two channels of each, then the last two of each."""
    columns = torch.cat([outputs[:, :, :-_LAST].flatten(1, 2), outputs[:, :, -_LAST:].flatten(1, 2)], dim=1)
    return columns.transpose(1, 2).unsqueeze(1)


def _sizes(blocks: int, channels: int, layers: int) -> list[tuple[int, int, int]]:
    """Channels in, channels out and number of layers of each block: evenly spaced, rounded down."""
    steps = max(blocks - 1, 1)
    edges = [*((steps + (channels - 1) * i) // steps for i in range(blocks)), channels]
    return [(edges[i], edges[i + 1], (layers * steps - (layers - 1) * i) // steps) for i in range(blocks)]


class _Network(nn.Module):
    """(batch, pair, time) -> (batch, pair, channel, time / stride), for each pair independently."""

    def __init__(self, sizes: list[tuple[int, int, int]], improved: bool, stride: int, grad_checkpointing: bool):
        super().__init__()
        self.blocks = nn.Sequential(*(_Block(*size, improved, grad_checkpointing) for size in sizes))
        self.down = nn.Conv1d(sizes[-1][1], sizes[-1][1], stride, stride)

    def forward(self, pairs: Float[Tensor, "batch pair time"]) -> Float[Tensor, "batch pair channel time2"]:
        output: Tensor = self.down(self.blocks(pairs.flatten(0, 1).unsqueeze(1)))
        return output.reshape(*pairs.shape[:2], *output.shape[1:])


class _Block(nn.Module):
    """A change of channels, then gated layers whose dilation doubles from one to the next."""

    def __init__(self, channels_in: int, channels: int, layers: int, improved: bool, grad_checkpointing: bool):
        super().__init__()
        self.widen = nn.Conv1d(channels_in, channels, 1)
        self.layers = nn.ModuleList(GatedLayer(channels, 2**i, gates=3 if improved else 2) for i in range(layers))
        self.improved, self.grad_checkpointing = improved, grad_checkpointing

    def forward(self, x: Float[Tensor, "sequence channel_in time"]) -> Float[Tensor, "sequence channel time"]:
        start = x = pointwise(self.widen.weight[:, :, 0], self.widen.bias, x)
        total = start
        for layer in self.layers:
            # The fast implementations keep only a layer's input anyway.
            recompute = self.grad_checkpointing and self.training and fast_implementation(x) is None
            addend = start if self.improved else None
            x = checkpoint(layer, x, addend, use_reentrant=False) if recompute else layer(x, addend)
            if not self.improved:
                total = total + x
        return x if self.improved else total
