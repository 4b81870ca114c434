"""Set up Lightning's trainer for a run: metrics in a file, resumable after every epoch, quiet without a terminal."""

import logging
import traceback
import warnings
import zipfile
from pathlib import Path
from typing import Any

import torch
from lightning import Callback, Trainer
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch.callbacks import ModelCheckpoint, TQDMProgressBar
from lightning.pytorch.loggers import Logger
from lightning.pytorch.plugins.io import TorchCheckpointIO
from lightning.pytorch.strategies import DDPStrategy, ParallelStrategy, Strategy
from rich.console import Console
from torch.utils.data import DataLoader

from hms.batch import Batch
from hms.config.build import build
from hms.errors import UserError, first_line
from hms.runs.checkpoint import write_checkpoint
from hms.system.memory import keep_freed
from hms.training.callbacks import EarlyEnd
from hms.training.lacking import gpu_lacking
from hms.training.metrics_csv import MetricsCsv
from hms.training.module import Classifier
from hms.training.synced_norms import SyncedNorms

_PRECISIONS = ("32-true", "16-mixed", "bf16-mixed", "32", "16", "bf16")
"""Those that keep weights in float32, like the loss and its targets; the last three are aliases of the first three."""


def train(
    module: Classifier,
    node: dict[str, Any],
    folder: Path,
    training: DataLoader[Batch],
    validation: DataLoader[Batch] | None,
    callbacks: list[Callback],
    loggers: list[Logger],
) -> Trainer:
    """Train `module` with the trainer that `node` describes; resume from `folder`/last.ckpt if that is complete."""
    keep_freed()
    trainer, last = make(node, folder, callbacks, loggers), folder / "last.ckpt"
    try:
        trainer.fit(module, training, validation, ckpt_path=last if is_complete(last) else None)
    except torch.OutOfMemoryError as error:
        raise UserError(
            f"a step needs more memory than the GPU has ({first_line(error)}); try backbone.grad_checkpointing=true, "
            "data.resident=false or a smaller batch_size"
        ) from None
    except (MisconfigurationException, RuntimeError, ValueError) as error:
        if "without overflow" in str(error):  # a rate is a float, but a step is computed in float32
            raise UserError(f"optimizer: {first_line(error)}; try a smaller optimizer.lr") from None
        if not _raised_by_lightning(error):
            raise
        raise UserError(f"schedule, callbacks or trainer: {first_line(error)}") from None
    return trainer


def _raised_by_lightning(error: Exception) -> bool:
    *_, (frame, _) = traceback.walk_tb(error.__traceback__)
    return str(frame.f_globals.get("__name__")).startswith("lightning.")


def make(
    node: dict[str, Any], folder: Path | None = None, callbacks: list[Callback] | None = None,
    loggers: list[Logger] | None = None,
) -> Trainer:  # fmt: skip
    """Build the trainer that `node` describes; without `folder` it writes nothing and serves to check the settings."""
    for name in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)
    warnings.filterwarnings("ignore", ".*does not have many workers.*")  # gathering a batch needs none
    warnings.filterwarnings("ignore", ".*smaller than the logging interval.*")  # metrics are logged per epoch
    warnings.filterwarnings("ignore", ".*exists and is not empty.*")  # it holds the config, and a state to resume from
    warnings.filterwarnings("ignore", ".*have no `val_dataloader`.*")  # fold=all
    warnings.filterwarnings("ignore", ".*`srun` command is available.*")  # not every node is used through Slurm
    warnings.filterwarnings("ignore", ".*LeafSpec.*")  # Lightning 2.6 under torch 2.15
    warnings.filterwarnings("ignore", ".*is using 'interval': 'epoch'.*")  # as all schedules are
    bar = Console(stderr=True).is_terminal
    callbacks = [*(callbacks or []), *([TQDMProgressBar(leave=False)] if bar else [])]
    if folder is not None:
        callbacks += [MetricsCsv(folder / "metrics.csv"), EarlyEnd()]
        callbacks.append(ModelCheckpoint(folder, "last", save_on_train_epoch_end=True, enable_version_counter=False))
    ours: dict[str, Any] = {
        "callbacks": callbacks,
        "logger": loggers or False,
        "default_root_dir": folder,
        "num_sanity_val_steps": 0,
        "use_distributed_sampler": False,  # hms.data.distributed distributes the rows
        "enable_model_summary": False,
        "enable_progress_bar": bar,
        "enable_checkpointing": folder is not None,
        "barebones": False,
    }
    _want_supported(node, ours)
    try:
        trainer: Trainer = build(node, **ours)
    except RuntimeError as error:  # such as two callbacks that would keep their states under one name
        raise UserError(f"callbacks or trainer: {first_line(error)}") from None
    trainer.strategy.checkpoint_io = _AtomicCheckpoints()
    if isinstance(trainer.strategy, ParallelStrategy) and trainer.strategy._layer_sync:
        trainer.strategy._layer_sync = SyncedNorms()
    _want_sync_stated(trainer, node)
    _want_known_strategy(trainer.strategy)
    # Lightning's handlers wait for all processes, wherever they are; interrupt and processes in hms.system have others.
    trainer._signal_connector.register_signal_handlers = lambda: None  # type: ignore[method-assign]
    return trainer


def _want_supported(node: dict[str, Any], ours: dict[str, Any]) -> None:
    """Raise UserError for a key that would be ignored, a precision in which no step is possible, and a missing GPU."""
    if reserved := [key for key in node if key in ours]:
        raise UserError(f"trainer.{reserved[0]}: set by hms itself; leave it out")
    precision = node.get("precision")
    if precision is not None and str(precision) not in _PRECISIONS:
        raise UserError(f"trainer.precision: want {', '.join(_PRECISIONS[:2])} or {_PRECISIONS[2]}, got {precision}")
    if line := gpu_lacking(node):
        raise UserError(line)


def _want_sync_stated(trainer: Trainer, node: dict[str, Any]) -> None:
    """Raise UserError for several processes unless the config says whether they share batch statistics.

    The answer is part of the run's hash; without one, the run would have the name of a run of one process.
    """
    if trainer.world_size > 1 and "sync_batchnorm" not in node:
        of_cpu, several = trainer.strategy.root_device.type == "cpu", "for several processes"
        other = f"trainer.sync_batchnorm=false {several}" if of_cpu else f"trainer=ddp {several}"
        if of_cpu and node.get("accelerator", "auto") == "auto":
            other += " on this CPU, or trainer=ddp on GPUs, also for show=true here"
        key = "num_nodes" if trainer.num_nodes > 1 else "devices"
        raise UserError(f"trainer.{key}: want 1, or {other}, got {node.get(key)}")


def _want_known_strategy(strategy: Strategy) -> None:
    """Raise UserError for one that splits the model across processes, or starts these in another way than ours."""
    if isinstance(strategy, ParallelStrategy) and not isinstance(strategy, DDPStrategy):
        raise UserError(f"trainer.strategy: want ddp for several processes, got {type(strategy).__name__}")
    if isinstance(strategy, DDPStrategy) and strategy._start_method != "popen":
        raise UserError(f"trainer.strategy: want ddp, got one that starts its processes by {strategy._start_method}")
    if isinstance(strategy, DDPStrategy) and strategy._layer_sync is not None and strategy.root_device.type == "cpu":
        raise UserError("trainer.sync_batchnorm: want false on a CPU, where batch norms cannot share statistics")


def processes_to_start(trainer: Trainer) -> int:
    """How many processes to start on this machine; 0 if this one suffices, or all of them run already.

    Lightning would start them by running the command again, even that of a whole sweep.
    """
    if not isinstance(trainer.strategy, DDPStrategy):
        return 0
    environment = trainer.strategy.cluster_environment
    running = environment is not None and environment.creates_processes_externally  # by torchrun or srun
    if trainer.num_nodes > 1 and not running:
        raise UserError("trainer.num_nodes: want 1, or processes that torchrun or srun starts on every node")
    return trainer.num_devices if trainer.num_devices > 1 and not running else 0


class _AtomicCheckpoints(TorchCheckpointIO):
    """Write checkpoints atomically; Lightning's temporary folder may be on another disk and keep half-written files."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None) -> None:
        write_checkpoint(Path(path), checkpoint)


def is_complete(checkpoint: Path) -> bool:
    """Whether there is a checkpoint, and all of it: torch writes a zip file, whose index comes last."""
    return zipfile.is_zipfile(checkpoint)
