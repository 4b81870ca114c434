"""What a config of `hms.train` may not combine, found out before torch and Lightning are imported."""

from collections.abc import Iterator
from importlib.util import find_spec
from typing import Any

from hms.config.command import CONF
from hms.config.keys import out_of_range
from hms.errors import UserError, did_you_mean
from hms.folder_names import want_teachers
from hms.runs.settings import TEACHER, start_folds
from hms.training.keys import Pretrain

_SAVED = "hms saves every epoch to resume from, and keeps the last: the best one would flatter the score"
_SHOWN = "hms shows its own progress"
_UNSUITABLE = {
    "ModelCheckpoint": _SAVED,
    "OnExceptionCheckpoint": _SAVED,
    "TQDMProgressBar": _SHOWN,
    "RichProgressBar": _SHOWN,
    "StochasticWeightAveraging": "it trains for an epoch more, by a schedule of its own; want averaging=swa",
    "LearningRateFinder": "it trains before the training; sweep optimizer.lr instead",
    "BatchSizeFinder": "it trains before the training; show=true estimates the memory of a batch_size",
    "BackboneFinetuning": "it wants a model with one `backbone`; here each extractor has its own",
    "ModelPruning": "it cannot prune weights that are channels-last",
}
"""Callbacks of Lightning's that a training cannot have, and why."""

_TEACH = "train the teacher first, as make teacher does"

_PACKAGES = {
    "CometLogger": ["comet_ml"],
    "LitLogger": ["litlogger"],
    "MLFlowLogger": ["mlflow"],
    "TensorBoardLogger": ["tensorboard", "tensorboardX"],
    "WandbLogger": ["wandb"],
}
"""The packages any one of which each logger needs."""


def mistakes_in_values(config: dict[str, Any]) -> Iterator[str]:
    """Yield a line for each value that conflicts with another, and for what is out of range in the first stage."""
    yield from out_of_range(config["pretrain"], "pretrain.")
    if (until := config["trainer"].get("max_epochs", config["epochs"])) != config["epochs"]:
        yield f"trainer.max_epochs: want epochs = {config['epochs']}, which schedule and averaging follow, got {until}"
    for key in ("max_steps", "limit_train_batches"):
        if (limit := config["trainer"].get(key)) == 0:  # Lightning would leave the model as it began
            yield f"trainer.{key}: want more than 0, or nothing would be trained, got {limit}"
    if (every := config["trainer"].get("check_val_every_n_epoch")) == 0:
        yield f"trainer.check_val_every_n_epoch: want 1 or more, or null, got {every}"
    if config["trainer"].get("overfit_batches"):
        yield "trainer.overfit_batches: want 0: each epoch draws other rows, so it would not see the same batch again"
    if config["trainer"].get("fast_dev_run"):
        yield "trainer.fast_dev_run: want false, or the fold would count as trained; use experiment=smoke or show=true"
    if (name := config["name"]) and "/" in name:
        yield f"name: want the name of a folder in {config['runs']}, without '/', got '{name}'"
    given = [key for key in config["pretrain"] if key in Pretrain.__annotations__]  # others have been reported
    if given and (missing := [key for key in Pretrain.__annotations__ if key not in given]):
        yield f"pretrain: want {', '.join(missing)} as well, as in pretrain=low_votes, got {', '.join(given)}"
    fold, folds = config["fold"], config["folds"]
    if fold != "all" and not 0 <= fold < max(2, folds):
        yield f"fold: want 0 to {folds - 1} (folds={folds}) or all, got {fold}"
    elif config["live"] and fold not in (0, "all"):
        yield f"fold: want 0 or all with live, which learns from no fold, got {fold}; vary seed"
    if config["live"] and config["pretrain"]:
        yield "pretrain: want none with live, whose windows have no subset; got both"
    parts = {"backbone": config["backbone"]} | {f"extractor.{name}": part for name, part in config["extractor"].items()}
    for place, part in parts.items() if config["compile"] else ():
        if isinstance(part, dict) and part.get("grad_checkpointing") and "backbone" not in part:
            yield f"compile: want false with {place}.grad_checkpointing=true, which leaves little to compile, got true"
    for place, stage in (("", config), ("pretrain.", config["pretrain"])):
        yield from _wrong_schedule(place, stage, fold == "all")
    yield from _wrong_callbacks(config["callbacks"], config["averaging"], fold == "all")
    yield from without_package(config["logger"])
    yield from _unknown_heads(config)
    yield from _wrong_teachers(config)
    try:
        start_folds(config)
    except UserError as error:
        yield str(error)


def _unknown_heads(config: dict[str, Any]) -> Iterator[str]:
    """Yield a line for each weight of a head whose extractor does not exist, which would have no effect."""
    extractors = sorted({*config["extractor"], *(option.stem for option in (CONF / "extractor").glob("*.yaml"))})
    if isinstance(weights := config["loss"].get("auxiliary_of"), dict):
        for name in (name for name in weights if name not in extractors):
            yield f"loss.auxiliary_of.{name}: want the name of an extractor{did_you_mean(str(name), extractors)}"


def _wrong_schedule(place: str, stage: dict[str, Any], all_patients: bool) -> Iterator[str]:
    """Yield a line for each way in which the schedule of a stage, whose keys stand at `place`, does not fit it."""
    schedule, epochs, optimizer = stage.get("schedule"), stage.get("epochs"), stage.get("optimizer")
    if not isinstance(schedule, dict):
        return
    warmup = schedule.get("warmup_epochs")
    if isinstance(warmup, int) and isinstance(epochs, int) and 0 < epochs <= warmup:
        yield f"{place}schedule.warmup_epochs: want less than {place}epochs = {epochs}, got {warmup}"
    rate, least = optimizer.get("lr") if isinstance(optimizer, dict) else None, schedule.get("lr_min")
    if isinstance(rate, int | float) and isinstance(least, int | float) and (least < 0 or 0 <= rate < least):
        yield f"{place}schedule.lr_min: want 0 to {place}optimizer.lr = {rate}, got {least}"
    if (steps := schedule.get("steps_per_epoch", 1)) not in (None, 1):
        yield f"{place}schedule.steps_per_epoch: want 1, as for one step per epoch, got {steps}"
    key = "total_steps" if schedule.get("total_steps") is not None or "steps_per_epoch" not in schedule else "epochs"
    total = schedule.get(key)
    if isinstance(total, int) and isinstance(epochs, int) and 0 < total < epochs:  # torch would end the training
        yield f"{place}schedule.{key}: want {place}epochs = {epochs}, as for one step per epoch, got {total}"
    if all_patients and str(schedule.get("_target_")).endswith(".ReduceLROnPlateau"):
        yield f"{place}schedule: want one that needs no validation with fold=all, got ReduceLROnPlateau"


def _wrong_teachers(config: dict[str, Any]) -> Iterator[str]:
    """Yield a line for teachers that cannot teach: any with `live`, and those with unfinished folds."""
    for name, node in config["augmentation"].items():
        if not isinstance(node, dict) or node.get("_target_") != TEACHER:
            continue
        if config["live"]:
            yield "augmentation: no teacher has seen the windows of live; leave teacher_labels out"
        elif isinstance(node.get("runs"), list):
            runs, place = [*map(str, node["runs"])], f"augmentation.{name}.runs"
            try:
                want_teachers(runs, place)
                from hms.runs.folder import want_all_folds  # NumPy and Polars are slow to import

                want_all_folds(runs, f"{place}: want")
            except UserError as error:
                yield f"{error}; {_TEACH}"


def _wrong_callbacks(callbacks: dict[str, Any], averaging: dict[str, Any], all_patients: bool) -> Iterator[str]:
    """Yield a line for each callback that does not fit a training, and if several average its weights."""
    classes = {name: _of_lightning(node) for name, node in callbacks.items()}
    for name, kind in classes.items():
        if why := _UNSUITABLE.get(kind):
            yield f"callbacks.{name}: want no {kind}: {why}"
    named = [f"callbacks.{name}" for name, kind in classes.items() if kind.endswith("WeightAveraging")]
    if len(averages := [*averaging, *named]) > 1:  # each would take another's average for the weights to go on with
        yield f"averaging: want one, got {', '.join(averages)}"
    yield from _wrong_monitors(callbacks, all_patients)


def _of_lightning(node: Any) -> str:
    """The name of the class of a callback or a logger if it is one of Lightning's, else nothing."""
    target = str(node.get("_target_")) if isinstance(node, dict) else ""
    return target.rpartition(".")[2] if target.startswith("lightning.") else ""


def _wrong_monitors(callbacks: dict[str, Any], all_patients: bool) -> Iterator[str]:
    """Yield a line for each callback of Lightning's that would wait for a metric in vain."""
    known = ["train_loss"] if all_patients else ["train_loss", "val_kl"]
    wish = "want train_loss with fold=all, which validates on none," if all_patients else "want train_loss or val_kl,"
    if all(_of_lightning(node) for node in callbacks.values() if isinstance(node, dict)):  # others may log more
        for name, node in callbacks.items():
            monitor = node.get("monitor") if isinstance(node, dict) else None
            if isinstance(monitor, str) and monitor not in known:
                yield f"callbacks.{name}.monitor: {wish} got '{monitor}'{did_you_mean(monitor, known)}"


def without_package(loggers: dict[str, Any]) -> Iterator[str]:
    """Yield a line for each logger that would end the training, as the package that it writes by is not installed."""
    for name, node in loggers.items():
        packages = _PACKAGES.get(kind := _of_lightning(node), [])
        if packages and not any(map(find_spec, packages)):
            yield f"logger.{name}: {kind} needs the package {' or '.join(packages)}, which is not installed"
