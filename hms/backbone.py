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
from hms.norms import Recomputed, UpdateOnce, mixed_norm
from hms.pool import cell_means
from hms.pretrained import hub_reachable, weights_file

_LAYOUT = torch.channels_last
"""Memory format of the weights: that of the feature maps, or each step would convert weights and gradients."""


@runtime_checkable
class Backbone(Protocol):
    """What every backbone provides, besides being a torch module."""

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
        if stem_stride is not None and (len(stem_stride) != 2 or min(stem_stride) < 1):
            raise ValueError(f"stem_stride: want rows and columns, at least 1 each, got {stem_stride}")
        import timm  # imports torchvision, which takes seconds that a tiny backbone need not wait
        from huggingface_hub import constants

        offline = constants.HF_HUB_OFFLINE
        if pretrained and not weights and not hub_reachable():
            constants.HF_HUB_OFFLINE = True  # cached weights still load; others fail at once, not after minutes

        overlay = {"file": str(weights_file(weights, name))} if pretrained and weights else None
        try:
            options = {"pretrained": pretrained, "pretrained_cfg_overlay": overlay, "in_chans": 1, "num_classes": 0}
            self.network: Any = _created(name, drop_path_rate, options)
        except Exception as error:
            if _takes_no_drop_path(error):
                raise ValueError(f"drop_path_rate: want 0 for '{name}', which has none, got {drop_path_rate}") from None
            if not pretrained or not timm.is_model(name.split(".")[0]):
                raise ValueError(f"name: timm cannot build '{name}' ({first_line(error)})") from None
            raise UserError(
                f"backbone: no pretrained weights for '{name}' from {weights or 'the hub'} ({first_line(error)}); "
                "give a file or folder with backbone.weights=/path, or start from random with backbone.pretrained=false"
            ) from None
        finally:
            constants.HF_HUB_OFFLINE = offline
        if stem_stride:
            stem = next(part for part in self.network.modules() if isinstance(part, nn.Conv2d))
            stem.stride = (stem_stride[0], stem_stride[1])
        self.network.eval()
        self._update_once = UpdateOnce() if grad_checkpointing else None
        try:
            self.network.set_grad_checkpointing(grad_checkpointing)  # type: ignore[operator]
            with torch.no_grad():  # timm's num_features is not the pooled width for every model: measure it
                feature_map = self.features(torch.zeros(1, 1, 64, 64))
                self.map_features, self.out_features = feature_map.shape[1], self.pool(feature_map).shape[1]
        except AssertionError as error:  # timm raises it for a model without checkpointing, or with a fixed image size
            raise ValueError(f"name: '{name}' cannot serve here ({first_line(error)})") from None
        self.network.train().to(memory_format=_LAYOUT)
        self.name = name

    def extra_repr(self) -> str:
        return f"name='{self.name}'"  # with the data that it was pretrained on, which no layer tells

    def forward(self, image: Float[Tensor, "batch 1 height width"]) -> Float[Tensor, "batch feature"]:
        return self.pool(self.features(image))

    def features(self, image: Float[Tensor, "batch 1 height width"]) -> Float[Tensor, "batch channel height2 width2"]:
        with self._norms_updated_once():
            feature_map: Tensor = self.network.forward_features(_channels_last(image))
        return feature_map

    def pool(self, feature_map: Float[Tensor, "batch channel height2 width2"]) -> Float[Tensor, "batch feature"]:
        with self._norms_updated_once():
            vector: Tensor = self.network.forward_head(feature_map, pre_logits=True)
        return vector

    def _norms_updated_once(self) -> AbstractContextManager[None]:
        return self._update_once.first_pass(self.network) if self._update_once and self.training else nullcontext()


def _created(name: str, drop_path_rate: float, options: dict[str, Any]) -> nn.Module:
    """Create a timm model; a rate of 0 is given as well, because the default of some is higher, if it takes one."""
    import timm

    try:
        return timm.create_model(name, drop_path_rate=drop_path_rate, **options)
    except TypeError as error:
        if drop_path_rate or not _takes_no_drop_path(error):
            raise
        return timm.create_model(name, **options)


def _takes_no_drop_path(error: Exception) -> bool:
    return isinstance(error, TypeError) and "argument 'drop_path_rate'" in str(error)


class TinyBackbone(nn.Module):
    """A residual network that trains in minutes on two CPU cores.

    The first layer cuts the image into 4x4 patches, because on a CPU most time goes into the large early maps; one
    residual block follows for each further entry of `channels`, and each halves the image. Features are averaged in
    `grid` (rows, columns) cells, not over the whole image: pairs are stacked, so the row tells the side of the head. A
    share `instance` of the channels, except in the last stage, has not batch norms but instance norms, which remove
    differences in brightness and contrast between images (IBN-Net, Pan et al. 2018, arXiv 1807.09441).
    `grad_checkpointing` recomputes the activations of each block in the backward pass instead of keeping them.
    """

    def __init__(self, channels: list[int], grid: list[int], instance: float, grad_checkpointing: bool):
        super().__init__()
        if len(channels) < 2:
            raise ValueError(f"channels: want at least two stages, got {channels}")
        if min(channels) < 1:
            raise ValueError(f"channels: want at least 1 in each stage, got {channels}")
        if len(grid) != 2 or min(grid) < 1:
            raise ValueError(f"grid: want rows and columns, got {grid}")
        if not 0 <= instance <= 1:
            raise ValueError(f"instance: want a share, 0 to 1, got {instance}")
        self.stem = nn.Sequential(nn.Conv2d(1, channels[0], 4, 4), mixed_norm(channels[0], instance), nn.ReLU())
        shares = [instance] * (len(channels) - 2) + [0.0]
        stages = zip(pairwise(channels), shares, strict=True)
        in_sequence = Recomputed if grad_checkpointing else nn.Sequential
        self.blocks = in_sequence(*(_Residual(i, o, share) for (i, o), share in stages))
        self.rows, self.columns = grid
        self.map_features, self.out_features = channels[-1], channels[-1] * grid[0] * grid[1]
        self.to(memory_format=_LAYOUT)

    def extra_repr(self) -> str:
        return f"grid={[self.rows, self.columns]}"

    def forward(self, image: Float[Tensor, "batch 1 height width"]) -> Float[Tensor, "batch feature"]:
        return self.pool(self.features(image))

    def features(self, image: Float[Tensor, "batch 1 height width"]) -> Float[Tensor, "batch channel height2 width2"]:
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
