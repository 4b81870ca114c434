"""Average the weights over training steps: the mean of many late models is often better than the last of them.

Both are validated, and end, with the averaged weights, once there are any; running statistics of batch norms are
averaged, too.
"""

from functools import partial
from typing import Any

import torch
from lightning import LightningModule, Trainer
from lightning.pytorch.callbacks import WeightAveraging
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel


class _Averaging(WeightAveraging):
    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        self._device = trainer.strategy.root_device  # the model is moved there only later
        if stage == "fit":
            self._average_model = _Average(pl_module, self._device, use_buffers=self._use_buffers, **self._kwargs)

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.on_train_end(trainer, pl_module)  # which Lightning leaves out where all epochs were done before


class _Average(AveragedModel):
    """Torch's, with how many were averaged on the CPU: it asks in each step, and that must not wait for the device."""

    def __init__(self, model: nn.Module, device: torch.device, **options: Any):
        super().__init__(model, device, **options)
        self.n_averaged = torch.tensor(0)

    def update_parameters(self, model: nn.Module) -> None:
        if self.multi_avg_fn is None or self.n_averaged == 0:
            super().update_parameters(model)
            return
        pairs = [*zip(_tensors(self.module), _tensors(model), strict=True)]
        for dtype in {average.dtype for average, _ in pairs}:
            averages, presents = map(list, zip(*(pair for pair in pairs if pair[0].dtype == dtype), strict=True))
            self.multi_avg_fn(averages, presents, self.n_averaged)  # torch would copy the number to the device
        self.n_averaged += 1


def _tensors(model: nn.Module) -> list[Tensor]:
    return [tensor.detach() for tensor in (*model.parameters(), *model.buffers())]


class Ema(_Averaging):
    """Exponential moving average: after each step, `decay` of the average and the rest of the present weights.

    After n steps the decay is at most (1 + n) / (10 + n), as in TensorFlow's ExponentialMovingAverage: a short training
    would end with an average of the random weights that it began with.
    """

    def __init__(self, decay: float):
        if not 0 <= decay < 1:
            raise ValueError(f"decay: want 0 up to 1, got {decay}")
        super().__init__(multi_avg_fn=partial(moving_average, decay))

    def should_update(self, step_idx: int | None = None, epoch_idx: int | None = None) -> bool:
        return step_idx is not None


def moving_average(decay: float, averages: list[Tensor], presents: list[Tensor], steps: Tensor) -> None:
    """Make averages, tensors of one type, the next ones after so many steps; what does not change stays to the bit.

    All tensors of a model in a few operations: on a GPU each costs a launch, and a model has hundreds of tensors.
    """
    share = (1 - ((1 + steps) / (10 + steps)).clamp(max=decay)).item()
    if not averages[0].is_floating_point():  # how many batches a norm has seen
        average, present = (torch.cat([one.flatten() for one in each]) for each in (averages, presents))
        moved = (average + share * (present - average)).to(average.dtype)
        parts = torch.split(moved, [one.numel() for one in averages])
        torch._foreach_copy_(averages, [part.view_as(one) for part, one in zip(parts, averages, strict=True)])
        return
    changes = torch._foreach_sub(presents, averages)
    torch._foreach_mul_(changes, share)
    torch._foreach_add_(averages, changes)  # buffers are averaged, too, filters among them


class Swa(_Averaging):
    """Stochastic weight averaging (Izmailov et al. 2018, arXiv 1803.05407): the mean of the weights at the ends of the
    last `share` of the `epochs`, of one epoch at least.

    Changed: the learning rate stays that of the schedule; use `schedule=constant` for the paper's. Until the first
    epoch is taken in, the average would be the random weights that training began with: the present ones count.
    """

    def __init__(self, epochs: int, share: float):
        if not 0 < share <= 1:
            raise ValueError(f"share: want more than 0 up to 1, got {share}")
        super().__init__()
        self.start_epoch = epochs - max(1, round(share * epochs))

    def should_update(self, step_idx: int | None = None, epoch_idx: int | None = None) -> bool:
        return epoch_idx is not None and epoch_idx >= self.start_epoch

    def on_validation_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if self._holds_any():
            super().on_validation_epoch_start(trainer, pl_module)

    def on_validation_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if self._holds_any():
            super().on_validation_epoch_end(trainer, pl_module)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if self._holds_any():
            super().on_train_end(trainer, pl_module)

    def _holds_any(self) -> bool:
        average: Any = self._average_model
        return average is not None and bool(average.n_averaged > 0)
