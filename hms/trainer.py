"""Lightning's trainer as a run needs it: metrics in a file, resumable after every epoch, quiet without a terminal."""

import logging
import warnings
import zipfile
from pathlib import Path
from typing import Any

from lightning import Callback, Trainer
from lightning.pytorch.callbacks import ModelCheckpoint, TQDMProgressBar
from lightning.pytorch.loggers import Logger, WandbLogger
from rich.console import Console
from torch.utils.data import DataLoader

from hms.batch import Batch
from hms.build import build
from hms.console import say
from hms.memory import keep_freed
from hms.metrics_csv import MetricsCsv
from hms.module import Classifier


def train(
    module: Classifier,
    node: dict[str, Any],
    folder: Path,
    learn: DataLoader[Batch],
    check: DataLoader[Batch] | None,
    callbacks: list[Callback],
    loggers: list[Logger],
) -> Trainer:
    """Train `module` with the trainer that `node` describes; goes on from `folder`/last.ckpt where there is one."""
    keep_freed()
    trainer = make(node, folder, callbacks, loggers)
    trainer.fit(module, learn, check, ckpt_path=_whole_checkpoint(folder))
    return trainer


def make(
    node: dict[str, Any], folder: Path | None = None, callbacks: list[Callback] | None = None,
    loggers: list[Logger] | None = None,
) -> Trainer:  # fmt: skip
    """The trainer that `node` describes; without a folder one that writes nothing, to hear what Lightning refuses."""
    for name in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)
    warnings.filterwarnings("ignore", ".*does not have many workers.*")  # the gather needs none
    warnings.filterwarnings("ignore", ".*smaller than the logging interval.*")  # metrics are logged per epoch
    warnings.filterwarnings("ignore", ".*exists and is not empty.*")  # it holds the config, or what is to be resumed
    warnings.filterwarnings("ignore", ".*have no `val_dataloader`.*")  # fold=all
    warnings.filterwarnings("ignore", ".*LeafSpec.*")  # Lightning 2.6 under torch 2.15
    bar = Console(stderr=True).is_terminal
    callbacks = [*(callbacks or []), *([TQDMProgressBar(leave=False)] if bar else [])]
    if folder is not None:
        callbacks.append(MetricsCsv(folder / "metrics.csv"))
        callbacks.append(ModelCheckpoint(folder, "last", save_on_train_epoch_end=True, enable_version_counter=False))
    trainer: Trainer = build(
        node,
        callbacks=callbacks,
        logger=loggers or False,
        default_root_dir=folder,
        num_sanity_val_steps=0,
        enable_model_summary=False,
        enable_progress_bar=bar,
        enable_checkpointing=folder is not None,
    )
    return trainer


def make_loggers(nodes: dict[str, Any], run: Path, config: dict[str, Any]) -> list[Logger]:
    """Loggers of a fold's own, grouped by run; each gets the config."""
    name, group = f"{run.parent.name}/{run.name}", run.parent.name
    loggers: list[Logger] = [build(node, save_dir=run, name=name, group=group) for node in nodes.values()]
    for logger in loggers:
        logger.log_hyperparams(config)
    return loggers


def finish(loggers: list[Logger]) -> None:
    """End what a logger began, or the next job of a sweep would go on in this W&B run."""
    for logger in loggers:
        if isinstance(logger, WandbLogger):
            logger.experiment.finish()


def _whole_checkpoint(folder: Path) -> Path | None:
    """The state of an interrupted training, if there is one and it was written to its end."""
    last = folder / "last.ckpt"
    if not last.is_file():
        return None
    if not zipfile.is_zipfile(last):  # the index of a zip, which torch writes, stands at its end
        say(f"{last} is not whole: training starts again")
        last.unlink()
        return None
    return last
