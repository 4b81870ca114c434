"""Image networks: any timm model by name, with or without pretrained weights, or a small one for CPUs.

A backbone turns one-channel images of any size into feature maps, and each feature map into one vector.
"""

from contextlib import AbstractContextManager, nullcontext
from itertools import pairwise
from typing import Any, Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor, nn

from hms.errors import UserError, first_line
from hms.network.checkpointing import UpdateOnce, in_sequence
from hms.network.norms import mixed_norm
from hms.network.pool import cell_means
from hms.network.timm_network import timm_network
from hms.ranges import want_at_least

_LAYOUT = torch.channels_last
"""Memory format of the weights: that of the feature maps, or each step would convert weights and gradients."""

_PROBES = ((97, 131), (131, 163))
"""Sizes of images that every network must take: images have odd sizes, and sizes differ between extractors."""

_PATCH = 4
"""Height and width of the patches of `TinyBackbone`, in pixels."""


@runtime_checkable
class Backbone(Protocol):
    """What every backbone provides, besides being a torch module. Extractors call nothing else of it.

    With `model.share_backbones`, networks with the same `repr` are taken to be the same.
    """

    out_features: int
    """Length of the vector that `pool` returns."""
    map_features: int
    """Channels of the map that `features` returns."""

    def features(self, image: Float[Tensor, "batch 1 height width"]) -> Float[Tensor, "batch channel height2 width2"]:
        """The feature map, which keeps the position of each feature."""

    def pool(self, feature_map: Float[Tensor, "batch channel height2 width2"]) -> Float[Tensor, "batch feature"]:
        """One vector for the whole feature map."""


class TimmBackbone(nn.Module):
    """(batch, 1, height, width) -> (batch, out_features), by the timm model `name`.

    `weights` is a file of the model's weights, or a folder that holds `<name>.safetensors` (or .pth, .bin), for
    machines that cannot reach the hub; it is used only if `pretrained`. Raises UserError if no weights are found.
    `stem_stride` (rows, columns) replaces the first convolution's stride; null keeps it. `grad_checkpointing`
    recomputes the activations of each stage in the backward pass instead of keeping them.
    """

    def __init__(
        self,
        name: str,
        pretrained: bool,
        weights: str | None,
        drop_path_rate: float,
        stem_stride: list[int] | None,
        grad_checkpointing: bool,
    ):
        super().__init__()
        if not 0 <= drop_path_rate < 1:
            raise ValueError(f"drop_path_rate: want 0 up to less than 1, got {drop_path_rate}")
        if stem_stride is not None and (len(stem_stride) != 2 or min(stem_stride) < 1):
            raise ValueError(f"stem_stride: want rows and columns, at least 1 each, got {stem_stride}")
        self.network: Any = timm_network(name, pretrained, weights, drop_path_rate)
        if stem_stride:
            stem = next(part for part in self.network.modules() if isinstance(part, nn.Conv2d))
            stem.stride = (stem_stride[0], stem_stride[1])
        self._as_it_is = any(_corrupts_memory(part) for part in self.network.modules())
        self.network.eval()
        self._update_once = UpdateOnce() if grad_checkpointing else None
        try:
            self.network.set_grad_checkpointing(grad_checkpointing)
            self.map_features, self.out_features = self._measured()
        except Exception as error:  # of any kind, if it has no checkpointing, or does not take images of any size
            raise ValueError(f"name: want a network that can serve here ({first_line(error)}), got '{name}'") from None
        self.network.train().to(memory_format=_LAYOUT)
        self.name = name

    def extra_repr(self) -> str:
        return f"name='{self.name}'"  # with the data that it was pretrained on, which no layer tells

    def forward(self, image: Float[Tensor, "batch 1 height width"]) -> Float[Tensor, "batch feature"]:
        return self.pool(self.features(image))

    def features(self, image: Float[Tensor, "batch 1 height width"]) -> Float[Tensor, "batch channel height2 width2"]:
        with self._norms_updated_once():
            feature_map: Tensor = self.network.forward_features(image if self._as_it_is else _channels_last(image))
        return feature_map

    def pool(self, feature_map: Float[Tensor, "batch channel height2 width2"]) -> Float[Tensor, "batch feature"]:
        with self._norms_updated_once():
            vector: Tensor = self.network.forward_head(feature_map, pre_logits=True)
        return vector

    @torch.no_grad()
    def _measured(self) -> tuple[int, int]:
        """The channels of a feature map and the length of its vector: timm's num_features is neither for all models."""
        maps = [self.features(torch.zeros(1, 1, *size)) for size in _PROBES]
        channels = {feature_map.shape[1] for feature_map in maps}
        if len(channels) > 1 or maps[0].ndim != 4:
            raise ValueError(f"want feature maps of batch, channel, height, width, got {[*maps[0].shape]}")
        return channels.pop(), self.pool(maps[0]).shape[1]

    def _norms_updated_once(self) -> AbstractContextManager[None]:
        return self._update_once.first_pass(self.network) if self._update_once and self.training else nullcontext()


def _corrupts_memory(part: nn.Module) -> bool:
    """Whether torch (2.15) corrupts memory when it trains this convolution of `_channels_last` images on a CPU."""
    return isinstance(part, nn.Conv2d) and part.in_channels == 1 == part.kernel_size[0] and max(part.stride) > 1


class TinyBackbone(nn.Module):
    """A residual network that trains in minutes on two CPU cores.

    The first layer cuts the image into 4x4 patches, because on a CPU most time goes into the large early maps; one
    residual block follows for each further entry of `channels`, and each halves the image. Features are averaged in
    `grid` (rows, columns) cells, not over the whole image: pairs are stacked, so the row tells the side of the head. A
    share `instance` of the channels, except in the last stage, has not batch norms but instance norms, which remove
    differences in brightness and contrast between images (IBN-Net, Pan et al. 2018, arXiv 1807.09441).
    `grad_checkpointing` recomputes the activations of each block in the backward pass instead of keeping them. Raises
    UserError for an image smaller than a patch.
    """

    def __init__(self, channels: list[int], grid: list[int], instance: float, grad_checkpointing: bool):
        super().__init__()
        if len(channels) < 2:
            raise ValueError(f"channels: want at least two stages, got {channels}")
        want_at_least(1, channels=min(channels))
        if len(grid) != 2 or min(grid) < 1:
            raise ValueError(f"grid: want rows and columns, got {grid}")
        if not 0 <= instance <= 1:
            raise ValueError(f"instance: want a share, 0 to 1, got {instance}")
        self.stem = nn.Sequential(
            nn.Conv2d(1, channels[0], _PATCH, _PATCH), mixed_norm(channels[0], instance), nn.ReLU()
        )
        shares = [instance] * (len(channels) - 2) + [0.0]
        stages = zip(pairwise(channels), shares, strict=True)
        self.blocks = in_sequence((_Residual(i, o, share) for (i, o), share in stages), grad_checkpointing)
        self.rows, self.columns = grid
        self.map_features, self.out_features = channels[-1], channels[-1] * grid[0] * grid[1]
        self.to(memory_format=_LAYOUT)

    def extra_repr(self) -> str:
        return f"grid={[self.rows, self.columns]}"

    def forward(self, image: Float[Tensor, "batch 1 height width"]) -> Float[Tensor, "batch feature"]:
        return self.pool(self.features(image))

    def features(self, image: Float[Tensor, "batch 1 height width"]) -> Float[Tensor, "batch channel height2 width2"]:
        height, width = image.shape[2:]
        if height < _PATCH or width < _PATCH:  # known only here: each extractor draws images of its own size
            wish = f"backbone: want images of at least {_PATCH} x {_PATCH} pixels, got {height} x {width}"
            raise UserError(f"{wish}; give the extractor a longer span, or a smaller stride if it has one")
        feature_map: Tensor = self.blocks(self.stem(_channels_last(image)))
        return feature_map

    def pool(self, feature_map: Float[Tensor, "batch channel height2 width2"]) -> Float[Tensor, "batch feature"]:
        return cell_means(feature_map, self.rows, self.columns).flatten(1)


def _channels_last(image: Float[Tensor, "batch 1 height width"]) -> Float[Tensor, "batch 1 height width"]:
    """The image in the memory format in which convolutions are fastest; all its feature maps inherit it.

    `contiguous(memory_format=...)` would do nothing: an image of one channel is in both formats.
    """
    return image[:, 0].contiguous()[..., None].permute(0, 3, 1, 2)


class _Residual(nn.Module):
    """Two 3x3 convolutions at half the resolution plus a 1x1 shortcut (He et al. 2016, arXiv 1512.03385)."""

    def __init__(self, channels: int, out_channels: int, instance: float):
        super().__init__()
        self.convolutions = nn.Sequential(
            nn.Conv2d(channels, out_channels, 3, 2, 1, bias=False),
            mixed_norm(out_channels, instance),
            nn.ReLU(),
            nn.Conv2d(out_channels, out_channels, 3, 1, 1, bias=False),
            nn.BatchNorm2d(out_channels),
        )
        # Nothing is padded, but with count_include_pad torch.compile's gradient is wrong at odd sizes (pytorch#198119).
        halve = nn.AvgPool2d(2, ceil_mode=True, count_include_pad=False)
        self.shortcut = nn.Sequential(halve, nn.Conv2d(channels, out_channels, 1))

    def forward(self, x: Float[Tensor, "batch channel height width"]) -> Float[Tensor, "batch out height2 width2"]:
        return torch.relu(self.convolutions(x) + self.shortcut(x))
