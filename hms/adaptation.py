"""Models fitted to the EEG that they are to predict, by their batch norms alone, and without any label.

What a batch norm takes for mean and variance comes from the training. The amplifiers, noise and patients of another
hospital, or real EEG after simulated, have others, and a part of what goes wrong there is no more than that. Windows
must be of several patients and classes: where all of them hold one pattern, the pattern is what would be taken out.

Source: Schneider et al. 2020, arXiv 2006.16971, whose weight of the new statistics is `share` here; Li et al. 2016,
arXiv 1603.04779. Changed: statistics are those of all windows together, so that neither batches nor their order matter.
"""

import copy
from collections.abc import Callable, Iterable
from itertools import chain

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from hms.batch import Batch
from hms.ensemble.choices import Precision
from hms.errors import UserError
from hms.inference import mixed, views
from hms.model import Model

_SETTLED = 1e-3  # of a standard deviation, or of a variance


def adapted(
    models: Iterable[Model],
    windows: Callable[[], Iterable[Batch]],
    share: float,
    device: str | torch.device,
    flips: bool,
    precision: Precision = "32-true",
) -> list[Model]:
    """Copies of the models whose batch norms take `share` of their statistics from the windows, the rest from training.

    `windows` gives all windows anew at each call, seen with `flips` in four views. What a norm gets depends on those
    before it: each pass settles the next ones, until nothing changes any more. Raises UserError for models none of
    which has a batch norm.
    """
    members = [copy.deepcopy(model).eval().to(device) for model in models]
    met = [[_Met(part, share) for part in model.modules() if isinstance(part, _BatchNorm)] for model in members]
    if not any(met):
        raise UserError("adapt: want a model with batch norms, got none that has any; or adapt=0")
    unsettled = [*zip(members, met, strict=True)]
    with torch.inference_mode():
        for _ in range(max(map(len, met))):  # by then the last norm is settled, too
            for batch in windows():
                for view in views(batch, device, flips):
                    for model, _ in unsettled:
                        with mixed(device, precision):
                            model(view)
            unsettled = [
                (model, norms)
                for model, norms in unsettled
                if max([norm.settle() for norm in norms], default=0) > _SETTLED
            ]
            if not unsettled:
                break
    for norm in chain.from_iterable(met):
        norm.hook.remove()
    return members


class _Met:
    """Mean and variance of what a batch norm gets in a pass over all windows."""

    def __init__(self, norm: _BatchNorm, share: float):
        assert norm.running_mean is not None
        assert norm.running_var is not None
        self._mean, self._var = norm.running_mean, norm.running_var  # what the norm works by
        self._trained = self._mean.clone(), self._var.clone()
        self._share, self._eps = share, norm.eps
        self._clear()
        self.hook = norm.register_forward_pre_hook(self)

    def __call__(self, norm: nn.Module, inputs: tuple[Tensor]) -> None:
        (x,) = inputs
        var, mean = torch.var_mean(x.float(), [0, *range(2, x.ndim)], correction=0)
        new = x.numel() // x.shape[1]
        self._values += new
        weight, shift = new / self._values, mean - self._met_mean
        self._met_mean += weight * shift
        self._met_var += weight * (var - self._met_var) + weight * (1 - weight) * shift**2

    def settle(self) -> float:
        """Let the norm work by what it got, if anything; tell how much that changes, and begin anew."""
        if not self._values:
            return 0.0
        mean, var = (
            self._trained[0].lerp(self._met_mean, self._share),
            self._trained[1].lerp(self._met_var, self._share),
        )
        least = self._var + self._eps  # a channel that never changes has no variance
        change = torch.maximum((mean - self._mean).abs() / least.sqrt(), (var - self._var).abs() / least)
        self._mean.copy_(mean)
        self._var.copy_(var)
        self._clear()
        return float(change.max())

    def _clear(self) -> None:
        self._values, self._met_mean, self._met_var = 0, torch.zeros_like(self._mean), torch.zeros_like(self._var)
