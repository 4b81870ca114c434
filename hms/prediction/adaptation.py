"""Adapt models to the EEG that they are to predict, through their batch norms alone and without labels.

A batch norm's mean and variance come from the training. They differ with another hospital's amplifiers, noise and
patients, or between simulated and real EEG, and part of the loss in accuracy there is due to nothing else. The windows
must come from several patients and classes: if all of them show one pattern, that pattern would be normalised away.

Source: Schneider et al. 2020, arXiv 2006.16971, whose weight of the new statistics is `share` here; Li et al. 2016,
arXiv 1603.04779. Changed: statistics are those of all windows together, so that neither batch size nor order matters.
"""

import copy
from collections.abc import Callable, Iterable
from itertools import chain

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from hms.batch import Batch
from hms.errors import UserError
from hms.model import Model
from hms.prediction.inference import Compute, autocast, on_device
from hms.prediction.views import views_by_model

_TOLERANCE = 1e-3  # relative to the standard deviation, or to the variance


def adapt_models(
    models: Iterable[Model], windows: Callable[[], Iterable[Batch]], share: float, compute: Compute
) -> list[Model]:
    """Copy the models, with batch norms that take `share` of their statistics from the windows, the rest from training.

    Each call of `windows` yields all windows again; with flips they are seen in four views. The input of a norm
    depends on the norms before it, so passes are repeated until no statistics change any more. Raises UserError if no
    model has a batch norm.
    """
    members = [model.eval().to(compute.device) for model in copy.deepcopy([*models])]  # what they share stays shared
    adapters = [
        [_Adapter(norm, share) for norm in model.modules() if isinstance(norm, _BatchNorm)] for model in members
    ]
    if not any(adapters):
        raise UserError(f"adapt: want 0, as no model has a batch norm, got {share:g}")
    unsettled = [*zip(members, adapters, strict=True)]
    with torch.inference_mode():
        for _ in range(max(map(len, adapters))):  # enough to settle even the last norm
            for batch in windows():
                with autocast(compute.device, compute.precision):
                    seen = views_by_model(
                        (model for model, _ in unsettled), on_device(batch, compute.device), compute.flips
                    )
                    for model, views in seen:
                        for view in views:
                            model.classify(view)
            unsettled = [
                (model, norms)
                for model, norms in unsettled
                if max([norm.update() for norm in norms], default=0) > _TOLERANCE
            ]
            if not unsettled:
                break
    for adapter in chain.from_iterable(adapters):
        adapter.hook.remove()
    return members


class _Adapter:
    """Collects mean and variance of a batch norm's input over a pass, then updates the norm with them."""

    def __init__(self, norm: _BatchNorm, share: float):
        assert norm.running_mean is not None
        assert norm.running_var is not None
        self._mean, self._var = norm.running_mean, norm.running_var  # the norm's own tensors
        self._trained = self._mean.clone(), self._var.clone()
        self._share, self._eps = share, norm.eps
        self._clear()
        self.hook = norm.register_forward_pre_hook(self)

    def __call__(self, norm: nn.Module, inputs: tuple[Tensor]) -> None:
        (x,) = inputs
        var, mean = torch.var_mean(x.float(), [0, *range(2, x.ndim)], correction=0)
        count = x.numel() // x.shape[1]
        self._count += count
        weight, shift = count / self._count, mean - self._seen_mean
        self._seen_mean += weight * shift
        self._seen_var += weight * (var - self._seen_var) + weight * (1 - weight) * shift**2

    def update(self) -> float:
        """Give the norm the statistics of the pass, if it had any input; return the largest change and start afresh."""
        if not self._count:
            return 0.0
        mean, var = (
            self._trained[0].lerp(self._seen_mean, self._share),
            self._trained[1].lerp(self._seen_var, self._share),
        )
        scale = self._var + self._eps  # a constant channel has no variance
        change = torch.maximum((mean - self._mean).abs() / scale.sqrt(), (var - self._var).abs() / scale)
        self._mean.copy_(mean)
        self._var.copy_(var)
        self._clear()
        return float(change.max())

    def _clear(self) -> None:
        self._count, self._seen_mean, self._seen_var = 0, torch.zeros_like(self._mean), torch.zeros_like(self._var)
