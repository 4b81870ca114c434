"""Adapt models to the EEG that they are to predict, through their batch norms alone and without labels.

A batch norm's mean and variance come from the training. They differ with another hospital's amplifiers, noise and
patients, or between simulated and real EEG, and part of the loss in accuracy there is due to nothing else. The windows
must come from several patients and classes: if all of them show one pattern, that pattern would be normalised away.

Source: Schneider et al. 2020, arXiv 2006.16971, whose weight of the new statistics is `share` here; Li et al. 2016,
arXiv 1603.04779. Changed: a norm takes its share of a batch's statistics before that batch passes it, so that one pass
settles all norms, however deep the network; and each batch is a mixture of all windows.
"""

import copy
from collections.abc import Iterable, Iterator
from operator import itemgetter

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from hms.batch import Batch, joined, mapped, on_device
from hms.electrodes import FLIPS
from hms.errors import UserError
from hms.model import Model
from hms.prediction.inference import Compute
from hms.prediction.views import views_by_model
from hms.system.device import autocast, enough_memory

_MOST = 512
"""Windows that are adapted to: those of a day of EEG would not make the statistics more certain. Even."""

_TOGETHER = 64
"""Views in a batch: up to so many have the very statistics with which the norms end.

Not `batch_size`, on which results would then depend.
"""


def adapt_models(models: Iterable[Model], windows: Iterable[Batch], share: float, compute: Compute) -> list[Model]:
    """Copy the models, with batch norms that take `share` of their statistics from the windows, the rest from training.

    Of many windows an evenly spread part is used, whatever their batches; with flips they are seen in four views.
    Raises UserError, before any window is read, if no model has a batch norm, or if extractors share one.
    """
    members = [model.eval().to(compute.device) for model in copy.deepcopy([*models])]  # what they share stays shared
    parts = [part for model in members for _, part in model.named_modules(remove_duplicate=False)]
    norms = [part for part in parts if isinstance(part, _BatchNorm)]
    if not norms:
        raise UserError(f"adapt: want 0, as no model has a batch norm, got {share:g}")
    if len({*norms}) < len(norms):
        raise UserError(f"adapt: want 0 with model.share_backbones=true, where norms meet two inputs, got {share:g}")
    adapters = [_Adapter(norm, share) for norm in norms]
    with torch.inference_mode(), enough_memory("flips=false or precision=16-mixed"):
        for batch in _mixtures(_spread(windows), _TOGETHER // (len(FLIPS) if compute.flips else 1)):
            with autocast(compute.device, compute.precision):
                for model, views in views_by_model(members, on_device(batch, compute.device), compute.flips):
                    model.classify(joined(views))
    for adapter in adapters:
        adapter.end()
    return members


def _spread(batches: Iterable[Batch]) -> list[Batch]:
    """Every window, or of more than `_MOST` every second, fourth, ..., as batches of one."""
    kept: list[Batch] = []
    every = 1
    windows = ((batch, row) for batch in batches for row in range(len(batch.label_id)))
    for number, (batch, row) in enumerate(windows):
        if number % every == 0 and len(kept) == _MOST:
            kept, every = kept[::2], 2 * every
        if number % every == 0:
            kept.append(mapped(batch, itemgetter([row])))
    return kept


def _mixtures(windows: list[Batch], size: int) -> Iterator[Batch]:
    """Deal the windows out to batches of at most `size`, because neighbours are of one patient."""
    count = -(-len(windows) // size)
    for first in range(count):
        yield joined(windows[first::count])


class _Adapter:
    """Gives a batch norm its share of each batch's statistics before the batch, and of all batches' at the end."""

    def __init__(self, norm: _BatchNorm, share: float):
        assert norm.running_mean is not None
        assert norm.running_var is not None
        self._mean, self._var, self._share = norm.running_mean, norm.running_var, share
        self._trained = self._mean.clone(), self._var.clone()
        self._count, self._seen_mean, self._seen_var = 0, torch.zeros_like(self._mean), torch.zeros_like(self._var)
        self._hook = norm.register_forward_pre_hook(self)

    def __call__(self, norm: nn.Module, inputs: tuple[Tensor]) -> None:
        (x,) = inputs
        var, mean = torch.var_mean(x.float(), [0, *range(2, x.ndim)], correction=0)
        self._take(mean, var)
        count = x.numel() // x.shape[1]
        self._count += count
        weight, shift = count / self._count, mean - self._seen_mean
        self._seen_mean += weight * shift
        self._seen_var += weight * (var - self._seen_var) + weight * (1 - weight) * shift**2

    def end(self) -> None:
        """Leave the norm with the statistics of all batches; one that met none stays as it was."""
        self._hook.remove()
        if self._count:
            self._take(self._seen_mean, self._seen_var)

    def _take(self, mean: Tensor, var: Tensor) -> None:
        self._mean.copy_(self._trained[0].lerp(mean, self._share))
        self._var.copy_(self._trained[1].lerp(var, self._share))
