"""Average the weights over training steps: the mean of many late models is often better than the last one.

Both methods validate, and end the training, with the averaged weights as soon as there are any. Running statistics of
batch norms are averaged as well.
"""

from functools import partial
from typing import Any

import torch
from lightning import LightningModule, Trainer
from lightning.pytorch.callbacks import WeightAveraging
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from hms.system.console import say


class _Averaging(WeightAveraging):
    """Lightning's callback, but with the average on the training's device, and at the end even if no epoch was left."""

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        self._device = trainer.strategy.root_device  # the model moves there only later
        if stage == "fit":
            self._average_model = _Average(pl_module, self._device, use_buffers=self._use_buffers, **self._kwargs)

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.on_train_end(trainer, pl_module)  # which Lightning skips if all epochs were done before


class _Average(AveragedModel):
    """PyTorch's AveragedModel with its counter on the CPU: each step reads it and must not wait for the device."""

    def __init__(self, model: nn.Module, device: torch.device, **options: Any):
        super().__init__(model, device, **options)
        self.n_averaged = torch.tensor(0)

    def update_parameters(self, model: nn.Module) -> None:
        if self.multi_avg_fn is None or self.n_averaged == 0:
            super().update_parameters(model)
            return
        pairs = [*zip(_tensors(self.module), _tensors(model), strict=True)]
        for dtype in {average.dtype for average, _ in pairs}:
            averages, current = map(list, zip(*(pair for pair in pairs if pair[0].dtype == dtype), strict=True))
            self.multi_avg_fn(averages, current, self.n_averaged)  # PyTorch would copy the counter to the device
        self.n_averaged += 1


def _tensors(model: nn.Module) -> list[Tensor]:
    return [tensor.detach() for tensor in (*model.parameters(), *model.buffers())]


class Ema(_Averaging):
    """Exponential moving average: after each step `decay` of the average plus `1 - decay` of the current weights.

    After n steps the decay is at most (1 + n) / (10 + n), as in TensorFlow's ExponentialMovingAverage: otherwise the
    average of a short training would still contain its random initial weights.
    """

    def __init__(self, decay: float):
        if not 0 <= decay < 1:
            raise ValueError(f"decay: want 0 up to less than 1, got {decay}")
        super().__init__(multi_avg_fn=partial(moving_average, decay))

    def should_update(self, step_idx: int | None = None, epoch_idx: int | None = None) -> bool:
        return step_idx is not None


def moving_average(decay: float, averages: list[Tensor], current: list[Tensor], steps: Tensor) -> None:
    """Update `averages`, tensors of one dtype, after `steps` steps; values that do not change stay the same to the bit.

    All tensors take a few operations together: on a GPU each operation costs a launch, and a model has hundreds of
    tensors.
    """
    done = int(steps)  # is on the CPU, so nothing waits for it
    share = 1 - min(decay, (1 + done) / (10 + done))
    if averages[0].is_floating_point():
        torch._foreach_lerp_(averages, current, share)  # buffers, such as filters, as well
    else:
        torch._foreach_copy_(averages, current)  # a batch norm's count of batches, an index


class Swa(_Averaging):
    """Stochastic weight averaging (Izmailov et al. 2018, arXiv 1803.05407): the mean of the weights at the end of each
    epoch in the last `share` of the `epochs`, which is at least one epoch.

    Changed: the learning rate follows the schedule; use `schedule=constant` for the paper's. Statistics of batch norms
    are computed anew for the averaged weights at the end only (`hms.training.measure_norms`); until then, they are
    averaged, too. Until the first epoch is averaged, the current weights are used: the average would be the random
    initial ones.
    """

    def __init__(self, epochs: int, share: float):
        if not 0 < share <= 1:
            raise ValueError(f"share: want more than 0 up to 1, got {share}")
        super().__init__()
        self.start_epoch = epochs - max(1, round(share * epochs))

    def should_update(self, step_idx: int | None = None, epoch_idx: int | None = None) -> bool:
        return epoch_idx is not None and epoch_idx >= self.start_epoch

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Average an epoch before it is validated; later, Lightning finds it done unless training ended within it."""
        if trainer.is_last_batch:
            self.on_train_epoch_end(trainer, pl_module)

    def on_validation_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if self._has_average():
            super().on_validation_epoch_start(trainer, pl_module)

    def on_validation_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if self._has_average():
            super().on_validation_epoch_end(trainer, pl_module)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if self._has_average():
            super().on_train_end(trainer, pl_module)

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        super().on_fit_end(trainer, pl_module)
        if not self._has_average() and trainer.is_global_zero:
            say(f"averaging: training ended before epoch {self.start_epoch + 1}, the first to be averaged")

    def _has_average(self) -> bool:
        average: Any = self._average_model
        return average is not None and bool(average.n_averaged > 0)
