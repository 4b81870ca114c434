"""Models fitted to the EEG that they are to predict, by their batch norms alone, and without any label.

What a batch norm takes for mean and variance comes from the training. The amplifiers, noise and patients of another
hospital, or real EEG after simulated, have others, and a part of what goes wrong there is no more than that.

Source: Schneider et al. 2020, arXiv 2006.16971, whose weight of the new statistics is `share` here; Li et al. 2016,
arXiv 1603.04779. Changed: statistics are gathered over all windows before any is predicted, so that a prediction does
not depend on which windows share its batch.
"""

import copy
from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from hms.batch import Batch
from hms.errors import UserError
from hms.inference import views
from hms.model import Model


def adapted(
    models: Iterable[Model], batches: Iterable[Batch], share: float, device: str | torch.device, flips: bool
) -> list[Model]:
    """Copies of the models; `share` of their batch norms' statistics is that of the batches, the rest the training's.

    With `flips`, of the batches in their four views. Raises UserError for models none of which has a batch norm.
    """
    members = [copy.deepcopy(model).eval().to(device) for model in models]
    norms = [part for model in members for part in model.modules() if isinstance(part, _BatchNorm)]
    if not norms:
        raise UserError("adapt: want a model with batch norms, got none that has any; or adapt=0")
    found = [_Found(norm, share) for norm in norms]
    hooks = [norm.register_forward_pre_hook(one) for norm, one in zip(norms, found, strict=True)]
    with torch.inference_mode():
        for batch in batches:
            for view in views(batch, device, flips):
                for model in members:
                    model(view)
    for one, hook in zip(found, hooks, strict=True):
        hook.remove()
        one.blend()
    return members


class _Found:
    """What a batch norm met, which meanwhile works by the blend of the training's statistics and the batch's own."""

    def __init__(self, norm: _BatchNorm, share: float):
        self._running = _running(norm)
        self._trained = [one.clone() for one in self._running]
        self._share, self._values = share, 0
        self._mean, self._var = (torch.zeros_like(one) for one in self._running)

    def __call__(self, norm: nn.Module, inputs: tuple[Tensor]) -> None:
        (x,) = inputs
        var, mean = torch.var_mean(x.float(), [0, *range(2, x.ndim)], correction=0)
        new = x.numel() // x.shape[1]
        self._values += new
        weight, shift = new / self._values, mean - self._mean
        self._mean += weight * shift
        self._var += weight * (var - self._var) + weight * (1 - weight) * shift**2
        self._blend(mean, var)

    def blend(self) -> None:
        """Let the norm work by what was met in all batches."""
        self._blend(self._mean, self._var)

    def _blend(self, *found: Tensor) -> None:
        for running, trained, new in zip(self._running, self._trained, found, strict=True):
            running.copy_(trained.lerp(new, self._share))


def _running(norm: _BatchNorm) -> tuple[Tensor, Tensor]:
    assert norm.running_mean is not None
    assert norm.running_var is not None
    return norm.running_mean, norm.running_var
