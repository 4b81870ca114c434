"""The Lightning callbacks of the group `callbacks`, and what makes one that ends a training early safe to interrupt."""

from typing import Any

from lightning import Callback, LightningModule, Trainer
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch.callbacks import EarlyStopping

from hms.config.build import build
from hms.errors import UserError, first_line
from hms.system.console import say


def build_callbacks(nodes: dict[str, Any]) -> list[Callback]:
    """Build the callbacks that nodes describe. Raises UserError for what cannot be built, or is none."""
    callbacks = []
    for name, node in nodes.items():
        try:
            callback = build(node | {"_partial_": True})()  # Hydra would wrap Lightning's own error
        except (ValueError, TypeError, MisconfigurationException) as error:
            raise UserError(f"callbacks.{name}: {first_line(error)}") from None
        if not isinstance(callback, Callback):
            raise UserError(f"callbacks.{name}: want a Lightning callback, got {type(callback).__name__}")
        if isinstance(callback, EarlyStopping) and callback.monitor == "train_loss":
            callback._check_on_train_epoch_end = True  # Lightning may look before it is known, or never
        callbacks.append(callback)
    return callbacks


class EarlyEnd(Callback):
    """Keep in the checkpoint that a callback has ended the training, and say so at the end.

    Lightning forgets it: a training that is interrupted between that epoch and its end would go on for one more.
    """

    def on_save_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        checkpoint["should_stop"] = trainer.should_stop

    def on_load_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        trainer.should_stop = checkpoint.get("should_stop", False)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.should_stop and trainer.is_global_zero and trainer.current_epoch != trainer.max_epochs:
            early = [callback for callback in trainer.callbacks if isinstance(callback, EarlyStopping)]  # type: ignore[attr-defined]
            why = next(filter(None, (callback.stopping_reason_message for callback in early)), None)
            why = f": {why.removesuffix(' Signaling Trainer to stop.')}" if why else ", as a callback wants it"
            say(f"training ends early, after epoch {trainer.current_epoch}{why}")
