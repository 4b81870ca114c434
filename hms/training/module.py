"""Train a model: the Lightning module of model, augmentations, loss and optimizer."""

import random
from collections.abc import Callable, Iterable
from inspect import signature
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Float
from lightning import LightningModule
from lightning.pytorch.plugins.precision import Precision
from lightning.pytorch.utilities import GradClipAlgorithmType
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler, ReduceLROnPlateau

from hms.augmentation import Augmentation
from hms.batch import AnyBatch, Batch, Logits, in_float32, mapped
from hms.data.distributed import part_of, whole_of
from hms.model import Model
from hms.system.processes import ALONE, Process
from hms.training.learning_rates import parameter_groups, scale, scale_schedule


class Classifier(LightningModule):
    """Train `model` on batches; log `train_loss` and the competition's metric as `val_kl` once per epoch.

    `weighting` is called with the rows' weights and the epoch, `optimizer` with groups of parameters, whose learning
    rates `lr_scale` multiplies by part, and `schedule` with the optimizer; the schedule is stepped once per epoch.
    """

    def __init__(
        self,
        model: Model,
        loss: nn.Module,
        augmentations: dict[str, Augmentation],
        weighting: Callable[[Tensor, int], Tensor],
        optimizer: Callable[[list[dict[str, Any]]], Optimizer],
        schedule: Callable[[Optimizer], LRScheduler],
        lr_scale: dict[str, Any],
        seed: int,
    ):
        super().__init__()
        self.model = model
        self.loss = loss
        self.augmentations = augmentations
        self.weighting = weighting
        self.optimizer, self.schedule, self.lr_scale = optimizer, schedule, lr_scale
        self.seed = seed

    def training_step(self, batch: Batch, index: int) -> dict[str, Float[Tensor, ""]]:
        """The batch's loss, and that of predicting 1/6 for each class, which every training should soon beat."""
        # The step number alone seeds its random numbers, so a resumed run draws what an uninterrupted one would.
        number = self.trainer.fit_loop.epoch_loop.total_batch_idx  # or batch number, if gradients are accumulated
        _seed(self.seed, number)
        process, rows = self.process, self._rows(self.trainer.train_dataloader, batch, index)
        batch = self.augment(batch, "electrodes", rows)
        batch = batch._replace(weight=self.weighting(batch.weight, self.current_epoch))
        signals = self.augment(self.model.preprocess(batch), "signals", rows)
        if process.rank > 0:  # all processes draw the same augmentations, but not the same dropout
            _seed(self.seed, number, *process)
        own_rows = process.own_rows(rows)
        signals = mapped(signals, lambda tensor: tensor[: max(1, own_rows)])
        logits = self.model.classify(signals)
        share = own_rows * process.world_size / rows  # makes the mean over processes the mean over rows
        loss: Tensor = share * self.loss(logits, signals.target, signals.weight)
        with torch.no_grad():
            zeros = torch.zeros_like(logits.joint)
            uniform = Logits(zeros, dict.fromkeys(logits.by_extractor, zeros))
            uniform_loss: Tensor = share * self.loss(uniform, signals.target, signals.weight)
        self.log("train_loss", loss, on_step=False, on_epoch=True, batch_size=rows, sync_dist=True)
        return {"loss": loss, "uniform_loss": uniform_loss}

    def validation_step(self, batch: Batch, index: int) -> None:
        rows = self._rows(self.trainer.val_dataloaders, batch, index)
        own_rows = self.process.own_rows(rows)
        logits, target = self.model(batch).float()[: max(1, own_rows)], batch.target[: max(1, own_rows)]
        kl = nn.functional.kl_div(logits.log_softmax(dim=1), target, reduction="batchmean")
        kl = kl * (own_rows * self.process.world_size / rows)
        self.log("val_kl", kl, batch_size=rows, sync_dist=True)  # a progress bar would wait for the device

    @property
    def process(self) -> Process:
        """This process, one of those that train together."""
        return Process(self.trainer.global_rank, self.trainer.world_size)

    def augment(self, batch: AnyBatch, what: Literal["electrodes", "signals"], rows: int) -> AnyBatch:
        """Augment this process's part of a batch of `rows` rows as if the batch were whole."""
        chosen = [augmentation for augmentation in self.augmentations.values() if augmentation.acts_on == what]
        if not chosen:
            return batch
        if self.process == ALONE:
            return _augmented(batch, chosen)
        whole = _augmented(mapped(batch, lambda part: whole_of(part, self.process, rows)), chosen)
        return mapped(whole, lambda tensor: part_of(tensor, self.process))

    def _rows(self, loader: Any, batch: Batch, index: int) -> int:
        """Number of rows that the batch has in all processes together."""
        return len(batch.label_id) if self.process == ALONE else loader.batch_sampler.rows(index)

    def configure_gradient_clipping(
        self, optimizer: Optimizer, gradient_clip_val: float | None = None, gradient_clip_algorithm: str | None = None
    ) -> None:
        """Clip as Lightning does, but in mixed precision for fused optimizers as well.

        Lightning refuses that combination, because a fused optimizer unscales gradients itself, after they are clipped,
        unless they are unscaled before. A fused optimizer skips steps with non-finite gradients on the device; others
        wait for the device to learn of them.
        """
        if not gradient_clip_val or not getattr(optimizer, "_step_supports_amp_scaling", False):
            return super().configure_gradient_clipping(optimizer, gradient_clip_val, gradient_clip_algorithm)
        plugin: Any = self.trainer.precision_plugin
        if (scaler := getattr(plugin, "scaler", None)) is not None:
            scaler.unscale_(optimizer)
        algorithm = GradClipAlgorithmType(gradient_clip_algorithm or "norm")
        return Precision.clip_gradients(plugin, optimizer, gradient_clip_val, algorithm)

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Let the optimizer be fused on this device, whatever it was where the checkpoint was written."""
        fused = _fused_on(self.trainer.strategy.root_device, self.optimizer)
        for state in checkpoint["optimizer_states"]:
            for group in state["param_groups"]:
                group.update(fused)

    def configure_optimizers(self) -> Any:
        groups = parameter_groups(self, self.lr_scale)
        scale(optimizer := self.optimizer(groups, **_fused_on(self.device, self.optimizer)))
        scale_schedule(optimizer, schedule := self.schedule(optimizer))
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "reduce_on_plateau": False}}

    def lr_scheduler_step(self, scheduler: Any, metric: Any) -> None:
        if not isinstance(scheduler, ReduceLROnPlateau):
            super().lr_scheduler_step(scheduler, metric)

    def on_train_epoch_end(self) -> None:
        """Step a schedule that follows the validation: Lightning would only after the checkpoint of the epoch."""
        if isinstance(schedule := self.lr_schedulers(), ReduceLROnPlateau):
            schedule.step(self.trainer.callback_metrics["val_kl"])


def _fused_on(device: torch.device, optimizer: Callable[..., Optimizer]) -> dict[str, bool]:
    """The option that fuses an optimizer on an NVIDIA GPU, if it can be and says neither `fused` nor `foreach` itself.

    It updates all weights in one kernel, and in float16 no step waits for the GPU to learn that gradients are finite.
    """
    options = signature(optimizer).parameters
    untold = all(option in options and options[option].default is None for option in ("fused", "foreach"))
    return {"fused": True} if device.type == "cuda" and untold else {}


def _seed(*key: int) -> None:
    """Seed torch by several numbers at once: of a single large one, its generator for the CPU reads 32 bits.

    Python and NumPy are seeded, too, for what a user's own code draws.
    """
    value = int(np.random.SeedSequence(key).generate_state(1)[0])
    torch.manual_seed(value)
    np.random.seed(value)  # noqa: NPY002
    random.seed(value)


def _augmented(batch: AnyBatch, augmentations: Iterable[Augmentation]) -> AnyBatch:
    if isinstance(batch, Batch):
        batch = in_float32(batch)
    for augmentation in augmentations:
        batch = augmentation(batch)
    return batch
