"""A one-dimensional EfficientNet on the signal of every pair, with the same weights for all pairs.

Source: 4th place of the competition, where bilzard read the central 12.8 s at 40 Hz with 0.9 M parameters and compared
the hemispheres. There, max-pooling halves time, blocks squeeze and excite at their end, and recurrent layers read the
pairs one after the other. Here, blocks are those of EfficientNet (Tan and Le 2019, arXiv 1905.11946), and mean and
maximum pool the pairs.
"""

from itertools import pairwise
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from hms.batch import Features, Signals
from hms.electrodes import LEFT_RIGHT
from hms.extractor import central, samples_of, squeezed
from hms.montage import Montage
from hms.network.checkpointing import in_sequence
from hms.ranges import want_at_least


class EfficientNet1d(nn.Module):
    """Signals -> Features, by means and maxima over the pairs, whose number and order therefore do not matter.

    `span_s` seconds around the centre are read, every `every` samples averaged, and amplitudes beyond about `limit`, in
    units of `Signals.pairs`, squeezed (null: none are). The stem has `channels[0]` channels and moves by `stem_stride`
    points; stage i has `channels[i + 1]` and `depths[i]` blocks with kernels of `kernels[i]` points, the first of which
    halves time. A block widens its channels `expand` times. From the first block to the last, the probability that one
    is skipped in training rises to `drop_path_rate`. A pair's token is the mean of its channels over time.

    With `compare_sides`, not pairs are pooled but couples of a pair and its mirror image: mean and absolute difference
    of their tokens, and cosine similarity over time. A mirrored head has the same vector.
    `grad_checkpointing` recomputes the activations of each block in the backward pass instead of keeping them.
    """

    reads_spectrogram = False
    token_kind: Literal["pair"] = "pair"

    def __init__(
        self,
        montage: Montage,
        span_s: float,
        every: int,
        limit: float | None,
        stem_stride: int,
        channels: list[int],
        depths: list[int],
        kernels: list[int],
        expand: int,
        drop_path_rate: float,
        compare_sides: bool,
        dropout: float,
        grad_checkpointing: bool,
    ):
        super().__init__()
        self.span, self.every, self.limit = samples_of(span_s), every, limit
        if not 1 <= every <= self.span:
            raise ValueError(f"every: want 1 up to the {self.span} samples of span_s, got {every}")
        if limit is not None and not limit > 0:
            raise ValueError(f"limit: want more than 0, or null, got {limit}")
        if not len(channels) - 1 == len(depths) == len(kernels) >= 1:
            sizes = f"{len(channels)}, {len(depths)} and {len(kernels)}"
            raise ValueError(f"channels, depths, kernels: want n + 1, n and n values, n at least 1, got {sizes}")
        want_at_least(1, stem_stride=stem_stride, expand=expand, channels=min(channels), depths=min(depths))
        if any(kernel < 1 or kernel % 2 == 0 for kernel in kernels):
            raise ValueError(f"kernels: want odd numbers, got {kernels}")
        if not 0 <= drop_path_rate < 1:
            raise ValueError(f"drop_path_rate: want 0 up to less than 1, got {drop_path_rate}")
        self.network = _Network(
            stem_stride=stem_stride,
            channels=channels,
            depths=depths,
            kernels=kernels,
            expand=expand,
            drop_path_rate=drop_path_rate,
            grad_checkpointing=grad_checkpointing,
        )
        self.sides = _Sides(montage) if compare_sides else None
        self.dropout = nn.Dropout(dropout)
        self.token_features = channels[-1]
        self.out_features = 2 * (2 * channels[-1] + 1 if compare_sides else channels[-1])

    def forward(self, signals: Signals) -> Features:
        points = squeezed(F.avg_pool1d(central(signals.pairs, self.span), self.every), self.limit)
        if self.sides is not None:
            points = self.sides.complete(points)
        maps = self.network(points)
        tokens = maps.mean(dim=3)[:, : signals.pairs.shape[1]]
        compared = tokens if self.sides is None else self.sides(maps)
        return Features(self.dropout(torch.cat([compared.mean(dim=1), compared.amax(dim=1)], dim=1)), tokens)


class _Sides(nn.Module):
    """Compare each pair with its mirror image, in terms that do not tell which of them is on the left."""

    left: Tensor
    right: Tensor
    backwards: Tensor

    def __init__(self, montage: Montage):
        super().__init__()
        couples = [(i, j, sign) for i, (j, sign) in enumerate(montage.counterparts(LEFT_RIGHT)) if i <= j]
        backwards = [j for _, j, sign in couples if sign < 0]
        right = [j if sign > 0 else len(montage.pairs) + backwards.index(j) for _, j, sign in couples]
        for name, places in (("left", [i for i, _, _ in couples]), ("right", right), ("backwards", backwards)):
            self.register_buffer(name, torch.tensor(places, dtype=torch.long), persistent=False)

    def complete(self, points: Float[Tensor, "batch pair time"]) -> Float[Tensor, "batch pair2 time"]:
        """The pairs, followed by those that a mirrored head would show with the other sign, as P3-P4."""
        return torch.cat([points, -points[:, self.backwards]], dim=1) if len(self.backwards) else points

    def forward(self, maps: Float[Tensor, "batch pair channel time"]) -> Float[Tensor, "batch couple feature"]:
        one, other = maps[:, self.left], maps[:, self.right]
        similarity = F.cosine_similarity(one, other, dim=2).mean(dim=2, keepdim=True)
        one, other = one.mean(dim=3), other.mean(dim=3)
        return torch.cat([(one + other) / 2, (one - other).abs(), similarity], dim=2)


class _Network(nn.Module):
    """(batch, pair, time) -> (batch, pair, channel, time2), for each pair independently."""

    def __init__(
        self,
        stem_stride: int,
        channels: list[int],
        depths: list[int],
        kernels: list[int],
        expand: int,
        drop_path_rate: float,
        grad_checkpointing: bool,
    ):
        super().__init__()
        self.stem = _convolution(1, channels[0], 2 * stem_stride + 1, stem_stride, 1)
        sizes = [
            (before if first else after, after, kernel, 2 if first else 1)
            for (before, after), depth, kernel in zip(pairwise(channels), depths, kernels, strict=True)
            for first in (True, *[False] * (depth - 1))
        ]
        rates = [drop_path_rate * i / max(len(sizes) - 1, 1) for i in range(len(sizes))]
        blocks = (_Block(*size, expand, rate) for size, rate in zip(sizes, rates, strict=True))
        self.blocks = in_sequence(blocks, grad_checkpointing)
        self.to(memory_format=torch.channels_last)

    def forward(self, points: Float[Tensor, "batch pair time"]) -> Float[Tensor, "batch pair channel time2"]:
        sequences = points.flatten(0, 1)[:, None, :, None].permute(0, 3, 1, 2)  # channels-last, like the weights
        x: Tensor = self.blocks(self.stem(sequences))
        return x.squeeze(2).reshape(*points.shape[:2], *x.shape[1::2])


class _Block(nn.Module):
    """Widen, convolve each channel, weight the channels by squeeze and excitation (Hu et al. 2018), narrow, add."""

    def __init__(self, channels: int, out_channels: int, kernel: int, stride: int, expand: int, drop_path_rate: float):
        super().__init__()
        wide, squeezed = expand * channels, max(channels // 4, 1)
        self.widen = _convolution(channels, wide, 1, 1, 1)
        self.convolve = _convolution(wide, wide, kernel, stride, wide)
        self.excite = nn.Sequential(nn.Linear(wide, squeezed), nn.SiLU(), nn.Linear(squeezed, wide), nn.Sigmoid())
        self.narrow = nn.Sequential(nn.Conv2d(wide, out_channels, 1, bias=False), nn.BatchNorm2d(out_channels))
        self.residual, self.kept = stride == 1 and channels == out_channels, 1 - drop_path_rate

    def forward(self, x: Float[Tensor, "sequence channel 1 time"]) -> Float[Tensor, "sequence out 1 time2"]:
        y = self.convolve(self.widen(x))
        y = self.narrow(y * self.excite(y.mean(dim=(2, 3)))[:, :, None, None])
        if self.residual and self.training and self.kept < 1:
            y = y * y.new_empty(len(y), 1, 1, 1).bernoulli_(self.kept) / self.kept
        return x + y if self.residual else y


def _convolution(channels: int, out_channels: int, kernel: int, stride: int, groups: int) -> nn.Sequential:
    """Along time. A 2-D convolution on maps of height 1, because channels-last is faster and torch has it for these."""
    return nn.Sequential(
        nn.Conv2d(channels, out_channels, (1, kernel), (1, stride), (0, kernel // 2), groups=groups, bias=False),
        nn.BatchNorm2d(out_channels),
        nn.SiLU(),
    )
