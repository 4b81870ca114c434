"""Lightning's trainer as a run needs it: metrics in a file, resumable after every epoch, quiet without a terminal."""

import logging
import warnings
import zipfile
from pathlib import Path
from typing import Any

from lightning import Callback, Trainer
from lightning.pytorch.callbacks import ModelCheckpoint, TQDMProgressBar
from lightning.pytorch.loggers import Logger, WandbLogger
from lightning.pytorch.plugins.io import TorchCheckpointIO
from lightning.pytorch.strategies import DDPStrategy, ParallelStrategy
from rich.console import Console
from torch.utils.data import DataLoader

from hms.batch import Batch
from hms.checkpoint import write_checkpoint
from hms.config.build import build
from hms.console import say
from hms.errors import UserError
from hms.memory import keep_freed
from hms.metrics_csv import MetricsCsv
from hms.module import Classifier
from hms.scores import Scores

_PRECISIONS = ("32-true", "16-mixed", "bf16-mixed", "32", "16", "bf16")
"""In which weights are float32, as the loss and its targets are; the last three are other names of the first."""


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
    warnings.filterwarnings(
        "ignore", ".*`srun` command is available.*"
    )  # a node of a cluster need not be used by Slurm
    warnings.filterwarnings("ignore", ".*LeafSpec.*")  # Lightning 2.6 under torch 2.15
    bar = Console(stderr=True).is_terminal
    callbacks = [*(callbacks or []), *([TQDMProgressBar(leave=False)] if bar else [])]
    if folder is not None:
        callbacks.append(MetricsCsv(folder / "metrics.csv"))
        callbacks.append(ModelCheckpoint(folder, "last", save_on_train_epoch_end=True, enable_version_counter=False))
    ours: dict[str, Any] = {
        "callbacks": callbacks,
        "logger": loggers or False,
        "default_root_dir": folder,
        "num_sanity_val_steps": 0,
        "use_distributed_sampler": False,  # hms.processes.Batches deals the rows
        "enable_model_summary": False,
        "enable_progress_bar": bar,
        "enable_checkpointing": folder is not None,
    }
    _want_choices(node, ours)
    trainer: Trainer = build(node, **ours)
    trainer.strategy.checkpoint_io = _WholeCheckpoints()
    # Lightning's handler waits for all processes, wherever each is; hms.interrupt and hms.processes have their own.
    trainer._signal_connector.register_signal_handlers = lambda: None  # type: ignore[method-assign]
    return trainer


def _want_choices(node: dict[str, Any], ours: dict[str, Any]) -> None:
    """Raise UserError for a key that would be passed over, and for a precision in which no step can be made."""
    if taken := [key for key in node if key in ours]:
        raise UserError(f"trainer.{taken[0]}: set by hms itself; leave it out")
    precision = node.get("precision")
    if precision is not None and str(precision) not in _PRECISIONS:
        raise UserError(f"trainer.precision: want {', '.join(_PRECISIONS[:2])} or {_PRECISIONS[2]}, got {precision}")


def further(trainer: Trainer) -> int:
    """How many processes of this machine are to be started for a training; 0: this one is all, or others are there.

    Lightning would start them by running the command again, a whole sweep included. Raises UserError for a strategy
    that shares out the model, or starts its processes in another way.
    """
    strategy = trainer.strategy
    if not isinstance(strategy, DDPStrategy):
        if isinstance(strategy, ParallelStrategy):
            raise UserError(f"trainer.strategy: want ddp for several processes, got {type(strategy).__name__}")
        return 0
    if strategy._start_method != "popen":
        raise UserError(f"trainer.strategy: want ddp, got one that starts its processes by {strategy._start_method}")
    if strategy._layer_sync is not None and strategy.root_device.type == "cpu":
        raise UserError("trainer.sync_batchnorm: want false on a CPU, where batch norms cannot share statistics")
    environment = strategy.cluster_environment
    there = environment is not None and environment.creates_processes_externally  # by torchrun or srun
    if trainer.num_nodes > 1 and not there:
        raise UserError("trainer.num_nodes: want 1, or processes that torchrun or srun starts on every node")
    return trainer.num_devices if trainer.num_devices > 1 and not there else 0


def make_loggers(nodes: dict[str, Any], run: Path, config: dict[str, Any]) -> list[Logger]:
    """Loggers of a fold's own, grouped by run; each gets the config. A fold that is resumed goes on in the same."""
    name, group = f"{run.parent.name}/{run.name}", run.parent.name
    begun = sorted(run.glob("wandb/*run-*-*"))  # by an attempt that was interrupted
    same = begun[0].name.rpartition("-")[2] if begun else None
    loggers: list[Logger] = [build(node, save_dir=run, name=name, group=group, id=same) for node in nodes.values()]
    for logger in loggers:
        logger.log_hyperparams(config)
    return loggers


def of_stage(stage: str, nodes: dict[str, Any], run: Path, loggers: list[Logger]) -> list[Logger]:
    """Loggers that write where `loggers`, of the same nodes, do, with the name of a stage before each metric's."""
    both = zip(nodes.values(), loggers, strict=True)
    each = [(node, logger) for node, logger in both if isinstance(logger, WandbLogger)]
    return [build(node, save_dir=run, prefix=stage, experiment=logger.experiment) for node, logger in each]


def tell_scores(loggers: list[Logger], scores: Scores) -> None:
    """Put the scores of a fold into the summary of its W&B run, each class's KL by the class's name."""
    told = {f"oof/{key}": value for key, value in scores.items() if key != "per_class"}
    told |= {f"oof/kl_{label}": one["kl"] for label, one in scores.get("per_class", {}).items()}
    for logger in loggers:
        if isinstance(logger, WandbLogger):
            logger.experiment.summary.update(told)


def finish(loggers: list[Logger]) -> None:
    """End what a logger began, or the next job of a sweep would go on in this W&B run."""
    for logger in loggers:
        if isinstance(logger, WandbLogger):
            logger.experiment.finish()


class _WholeCheckpoints(TorchCheckpointIO):
    """Lightning's own goes through a temporary folder that may be on another disk, and leaves half of a file there."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None) -> None:
        write_checkpoint(Path(path), checkpoint)


def _whole_checkpoint(folder: Path) -> Path | None:
    """The state of an interrupted training, if there is one and it was written to its end."""
    last = folder / "last.ckpt"
    if not last.is_file():
        return None
    if not zipfile.is_zipfile(last):  # the index of a zip, which torch writes, stands at its end
        say(f"{last} is not whole: training starts again")
        last.unlink(missing_ok=True)
        return None
    return last
