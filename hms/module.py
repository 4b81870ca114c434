"""How a model learns: Lightning's view of model, augmentations, loss and optimizer."""

from collections.abc import Callable, Iterator
from typing import Any, Literal, Protocol, TypeVar, runtime_checkable

import torch
from jaxtyping import Float
from lightning import LightningModule
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler
from torch.utils._pytree import tree_map

from hms.batch import Batch, Signals
from hms.model import Model

T = TypeVar("T", Batch, Signals)


@runtime_checkable
class Augmentation(Protocol):
    """A random change of a batch: of raw electrodes before preprocessing, or of the signals after it."""

    stage: Literal["electrodes", "signals"]

    def __call__(self, batch: Any) -> Any:
        """Give a changed copy of a Batch (`electrodes`) or Signals (`signals`)."""


class Classifier(LightningModule):
    """Train `model` on batches; log `train_loss` and the competition's metric as `val_kl` once per epoch.

    `weighting` is called with the rows' weights and the epoch, `optimizer` with the parameters, `schedule` with the
    optimizer; it is stepped per epoch.
    """

    def __init__(
        self,
        model: Model,
        loss: nn.Module,
        augmentations: dict[str, Augmentation],
        weighting: Callable[[Tensor, int], Tensor],
        optimizer: Callable[[Iterator[nn.Parameter]], Optimizer],
        schedule: Callable[[Optimizer], LRScheduler],
        seed: int,
    ):
        super().__init__()
        self.model = model
        self.loss = loss
        self.augmentations = augmentations
        self.weighting = weighting
        self.optimizer, self.schedule = optimizer, schedule
        self.seed = seed

    def training_step(self, batch: Batch, index: int) -> dict[str, Float[Tensor, ""]]:
        """The batch's loss, and that of 1/6 for each class, which every training should soon be below."""
        # The step alone fixes its random numbers, so a resumed run draws what an uninterrupted one would have.
        torch.manual_seed((self.seed << 32) + self.global_step)
        batch = batch._replace(weight=self.weighting(batch.weight, self.current_epoch))
        signals = self.augment(self.model.preprocess(self.augment(batch, "electrodes")), "signals")
        logits = self.model.classify(signals)
        loss: Tensor = self.loss(logits, signals.target, signals.weight)
        uniform = tree_map(torch.zeros_like, logits)
        uniform_loss: Tensor = self.loss(uniform, signals.target, signals.weight)
        self.log("train_loss", loss, on_step=False, on_epoch=True, batch_size=len(batch.label_id))
        return {"loss": loss, "uniform_loss": uniform_loss}

    def validation_step(self, batch: Batch, index: int) -> None:
        logits = self.model(batch).float()
        kl = nn.functional.kl_div(logits.log_softmax(dim=1), batch.target, reduction="batchmean")
        self.log("val_kl", kl, batch_size=len(batch.label_id), prog_bar=True)

    def augment(self, batch: T, stage: Literal["electrodes", "signals"]) -> T:
        for augmentation in self.augmentations.values():
            if augmentation.stage == stage:
                batch = augmentation(batch)
        return batch

    def configure_optimizers(self) -> Any:
        optimizer = self.optimizer(self.parameters())
        return {"optimizer": optimizer, "lr_scheduler": self.schedule(optimizer)}
