"""Classes of Lightning's, torch's and timm's that a training cannot have, and why."""

from collections.abc import Iterator
from importlib.util import find_spec
from typing import Any

from hms.errors import did_you_mean

_SAVED = "hms saves every epoch to resume from, and keeps the last: the best one would flatter the score"
_SHOWN = "hms shows its own progress"
_CALLBACKS = {
    "ModelCheckpoint": _SAVED,
    "OnExceptionCheckpoint": _SAVED,
    "TQDMProgressBar": _SHOWN,
    "RichProgressBar": _SHOWN,
    "StochasticWeightAveraging": "it trains for an epoch more, by a schedule of its own; want averaging=swa",
    "WeightAveraging": "it may lose the average if the training is interrupted; want averaging=ema or swa",
    "EMAWeightAveraging": "it may lose the average if the training is interrupted; want averaging=ema",
    "LearningRateFinder": "it trains before the training; sweep optimizer.lr instead",
    "BatchSizeFinder": "it trains before the training; show=true estimates the memory of a batch_size",
    "BaseFinetuning": "it is abstract; want a class of your own derived from it",
    "BackboneFinetuning": "it wants a model with one `backbone`; want lr_scale.extractor.<name>.backbone=0",
    "Timer": "epochs says how long to train; a fold that it cuts short would count as trained",
    "ModelPruning": "it cannot prune weights that are channels-last",
}
"""Callbacks of Lightning's that a training cannot have, and why."""

_NEED_LOGGER = ("LearningRateMonitor", "DeviceStatsMonitor")
"""Callbacks of Lightning's that only write to a logger."""

_ACCUMULATES = "GradientAccumulationScheduler"

_OPTIMIZERS = {
    "LBFGS": "it computes several losses for a step",
    "Adahessian": "it needs gradients of gradients",
    "SparseAdam": "it takes sparse gradients only",
}
"""Optimizers of torch's or timm's that a training cannot have, and why."""

_PACKAGES = {
    "CometLogger": ["comet_ml"],
    "LitLogger": ["litlogger"],
    "MLFlowLogger": ["mlflow"],
    "TensorBoardLogger": ["tensorboard", "tensorboardX"],
    "WandbLogger": ["wandb"],
}
"""The packages any one of which each logger needs."""


def unsuitable_callbacks(config: dict[str, Any], no_validation: str | None) -> Iterator[str]:
    """Yield a line for each callback of Lightning's that does not fit a training or waits for a metric in vain."""
    callbacks, unsuitable = config["callbacks"], dict(_CALLBACKS)
    if not config["logger"]:
        unsuitable |= dict.fromkeys(_NEED_LOGGER, "it needs a logger; want one as well, such as logger=wandb")
    if (batches := config["trainer"].get("accumulate_grad_batches", 1)) != 1:
        unsuitable[_ACCUMULATES] = f"it needs trainer.accumulate_grad_batches=1, got {batches}"
    for name, node in callbacks.items():
        if why := unsuitable.get(kind := _of_lightning(node)):
            yield f"callbacks.{name}: want no {kind}: {why}"
    known = ["train_loss"] if no_validation else ["train_loss", "val_kl"]
    wish = f"train_loss with {no_validation}, which validates on none" if no_validation else "train_loss or val_kl"
    if all(_of_lightning(node) for node in callbacks.values() if isinstance(node, dict)):  # others may log more
        for name, node in callbacks.items():
            monitor = node.get("monitor") if isinstance(node, dict) else None
            if isinstance(monitor, str) and monitor not in known:
                yield f"callbacks.{name}.monitor: want {wish}, got '{monitor}'{did_you_mean(monitor, known)}"


def unsuitable_optimizer(place: str, stage: dict[str, Any]) -> Iterator[str]:
    """Yield a line if the optimizer of a stage, whose keys stand at `place`, is one that its steps do not suit."""
    optimizer = stage.get("optimizer")
    kind = str(optimizer.get("_target_")).rpartition(".")[2] if isinstance(optimizer, dict) else ""
    if why := _OPTIMIZERS.get(kind):
        yield f"{place}optimizer: want no {kind}: {why}"


def without_package(loggers: dict[str, Any]) -> Iterator[str]:
    """Yield a line for each logger that would end the training, as the package that it writes by is not installed."""
    for name, node in loggers.items():
        packages = _PACKAGES.get(kind := _of_lightning(node), [])
        if packages and not any(map(find_spec, packages)):
            yield f"logger.{name}: {kind} needs the package {' or '.join(packages)}, which is not installed"


def _of_lightning(node: Any) -> str:
    """The name of the class of a callback or a logger if it is one of Lightning's, else nothing."""
    target = str(node.get("_target_")) if isinstance(node, dict) else ""
    return target.rpartition(".")[2] if target.startswith("lightning.") else ""
