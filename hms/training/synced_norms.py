"""Batch norms that share their statistics among the processes of one training.

Lightning makes plain batch norms of all, and so leaves out the activations that those of timm (`BatchNormAct2d`)
contain: an EfficientNetV2 would train, and be saved, as a network that it is not.
"""

from lightning.pytorch.plugins import LayerSync
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm


class SyncedNorms(LayerSync):
    """Replace a model's batch norms for the training, and put its own back afterwards, with what they learned."""

    def __init__(self) -> None:
        self._own: dict[str, _BatchNorm] = {}

    def apply(self, model: nn.Module) -> nn.Module:
        from timm.layers.norm_act import convert_sync_batchnorm

        self._own = {name: norm for name, norm in model.named_modules() if isinstance(norm, _BatchNorm)}
        for name, norm in self._own.items():  # not the model at once: what is shared in it would be converted twice
            model.set_submodule(name, convert_sync_batchnorm(norm))  # type: ignore[no-untyped-call]
        return model

    def revert(self, model: nn.Module) -> nn.Module:
        for name, norm in self._own.items():
            synced = model.get_submodule(name)
            norm._parameters.update(synced._parameters)
            norm._buffers.update(synced._buffers)
            model.set_submodule(name, norm.train(synced.training))
        return model
