"""metrics.csv: one row per epoch, complete after every epoch and continued without a gap when a training resumes.

Lightning's CSVLogger deletes the rows of an interrupted training; this callback keeps them in the checkpoint.
"""

import time
from pathlib import Path
from typing import Any

import polars as pl
from lightning import Callback, LightningModule, Trainer

from hms.system.atomic import write_table
from hms.system.console import say


class MetricsCsv(Callback):
    """Write each epoch's logged metrics to `path` and print them in one line."""

    def __init__(self, path: Path):
        self.path = path
        self.rows: list[dict[str, float]] = []
        self._began_s = self._rate = 0.0
        self._validated = False

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._began_s, self._validated = time.monotonic(), False
        self._rate = trainer.optimizers[0].param_groups[0]["lr"]  # by its end it is the next epoch's

    def on_validation_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._validated = True

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        metrics = {name: float(value) for name, value in trainer.callback_metrics.items()}
        if not self._validated:  # Lightning still holds those of an earlier epoch
            metrics = {name: value for name, value in metrics.items() if not name.startswith("val_")}
        seconds = round(time.monotonic() - self._began_s, 2)
        self.rows.append({"epoch": trainer.current_epoch, **metrics, "learning_rate": self._rate, "seconds": seconds})
        if not trainer.is_global_zero:
            return
        write_table(self.path, pl.DataFrame(self.rows, infer_schema_length=None))
        shown = "  ".join(f"{name} {value:.4f}" for name, value in metrics.items())
        stage = "pretrain " if self.path.parent.name == "pretrain" else ""  # the folder of the first of two stages
        say(f"{stage}epoch {trainer.current_epoch + 1}/{trainer.max_epochs}  {shown}  {seconds:.0f} s")

    def state_dict(self) -> dict[str, Any]:
        return {"rows": self.rows}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.rows = list(state_dict["rows"])


def seconds_of_epochs(fold: Path) -> float:
    """The seconds that the epochs of all stages of a fold have taken, those of interrupted attempts included."""
    curves = [path for path in (fold / "pretrain/metrics.csv", fold / "metrics.csv") if path.is_file()]
    return sum(float(pl.read_csv(path, glob=False)["seconds"].sum()) for path in curves)
