"""Watch the training loss: end the training if it is NaN or infinite, warn if it diverges.

Checking every step would wait for the device. Losses are therefore checked every 50 steps (on a CPU, every step) and
before an epoch's checkpoint is saved, so that no training resumes from non-finite weights.
"""

import json
import math
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

import torch
from jaxtyping import Float, Int
from lightning import Callback, LightningModule, Trainer
from torch import Tensor

from hms.batch import Batch
from hms.errors import UserError
from hms.system.atomic import write_text
from hms.system.console import say
from hms.system.processes import Process, gather

_EVERY = 50
"""Steps between two checks of a device's losses."""

_WORSE = 1.25
"""An epoch diverges if its loss exceeds this many times that of 1/6 for each class, near which a training begins."""

_SOON = 10
"""Steps within which a training may be that far above, by the chance of its initial weights."""


class _Step(NamedTuple):
    number: int
    loss: Float[Tensor, ""]
    uniform_loss: Float[Tensor, ""]
    label_id: Int[Tensor, " batch"]


class LossGuard(Callback):
    """End a training at its first NaN or infinite loss, and write the circumstances to `path`.

    `diverged` lists the epochs, numbered as in metrics.csv, whose mean loss was far above that of 1/6 for each class.
    """

    def __init__(self, path: Path):
        self.path = path
        self.diverged: list[int] = []
        self._steps: list[_Step] = []
        self._checked = 0  # number of steps checked so far
        self._settings: dict[str, Any] = {}

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._steps, self._checked = [], 0
        rate = trainer.optimizers[0].param_groups[0]["lr"]  # by its end it is the next epoch's
        self._settings = {"learning_rate": rate, "precision": trainer.precision}

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Batch, batch_idx: int
    ) -> None:
        step = _Step(trainer.global_step, outputs["loss"], outputs["uniform_loss"], batch.label_id)
        self._steps.append(step)
        if pl_module.device.type == "cpu" or len(self._steps) - self._checked == _EVERY:
            self._check(trainer)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._check(trainer)
        if not all(bool(weight.isfinite().all()) for weight in pl_module.parameters()):
            self._end(trainer, (len(self._steps) - 1, "a weight that is not finite"))  # in all processes
        # Lightning divides the loss by the number of batches whose gradients it accumulates.
        losses = torch.stack(
            [torch.stack([step.loss * trainer.accumulate_grad_batches, step.uniform_loss]) for step in self._steps]
        )
        loss, uniform = trainer.strategy.reduce(losses.mean(dim=0), reduce_op="mean")
        if trainer.global_step >= _SOON and loss > _WORSE * uniform:
            if not self.diverged and trainer.is_global_zero:
                say(
                    f"training diverges in epoch {trainer.current_epoch + 1}: its loss {loss:.3g} is far above "
                    f"{uniform:.3g}, that of 1/6 for each class; {_in_words(self._settings)} may be to blame"
                )
            self.diverged.append(trainer.current_epoch)

    def state_dict(self) -> dict[str, Any]:
        return {"diverged": self.diverged}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.diverged = [*state_dict["diverged"]]

    def _check(self, trainer: Trainer) -> None:
        new = self._steps[self._checked :]
        losses = torch.stack([step.loss for step in new]).tolist() if new else []
        bad = next((i for i, loss in enumerate(losses) if not math.isfinite(loss)), None)
        if not trainer.strategy.reduce_boolean_decision(bad is None):  # all processes end together
            self._end(trainer, None if bad is None else (self._checked + bad, f"a loss of {losses[bad]}"))
        self._checked = len(self._steps)

    def _end(self, trainer: Trainer, found: tuple[int, str] | None) -> NoReturn:
        """Raise the same UserError in all processes: that of the lowest rank that `found` a fault, (step, what)."""
        process = Process(trainer.global_rank, trainer.world_size)
        messages = gather(found and self._message(trainer, *found), process)
        first = next(rank for rank, message in enumerate(messages) if message)
        if found and process.rank == first:
            self._write(trainer, *found)
        trainer.strategy.barrier()  # once one process ends, the others are stopped
        raise UserError(messages[first])

    def _message(self, trainer: Trainer, which: int, what: str) -> str:
        step = self._steps[which]
        if math.isfinite(float(step.uniform_loss)):
            whole = str(self._settings["precision"]).startswith("32")
            advice = f"try a smaller optimizer.lr{'' if whole else ', or trainer.precision=32-true'}"
        else:
            advice = "a target or weight of that batch is not finite: see augmentation, weighting and loss"
        return (
            f"training ends: {what} at step {step.number} (epoch {trainer.current_epoch + 1}, "
            f"{_in_words(self._settings)}); the label ids of its batch are in {self.path}; {advice}"
        )

    def _write(self, trainer: Trainer, which: int, what: str) -> None:
        """Write down the batch and the one before it, whose gradient may be the cause."""
        step, *before = self._steps[which::-1]
        report = {
            "found": what,
            "step": step.number,
            "epoch": trainer.current_epoch,
            **self._settings,
            "label_ids": step.label_id.tolist(),
            "label_ids_before": before[0].label_id.tolist() if before else [],
        }
        self.path.parent.mkdir(parents=True, exist_ok=True)
        write_text(self.path, json.dumps(report, indent=1))


def _in_words(settings: dict[str, Any]) -> str:
    return f"learning rate {settings['learning_rate']:.3g}, precision {settings['precision']}"
