"""What a config of `hms.train` may not combine, found out before torch and Lightning are imported."""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hms.config.command import CONF
from hms.config.described import word
from hms.config.keys import out_of_range
from hms.config.type_check import leaves
from hms.errors import UserError, did_you_mean
from hms.run_folders import want_teachers
from hms.runs.settings import TEACHER, start_folds
from hms.training.keys import Pretrain
from hms.training.unsuitable import unsuitable_callbacks, unsuitable_optimizer, without_package

_MORE_THAN_0 = {
    "check_val_every_n_epoch": "1 or more, or null",
    "val_check_interval": "more than 0, or null",
    "accumulate_grad_batches": "1 or more",
}
"""What Lightning's trainer divides by."""

_AT_LEAST_0 = {"gradient_clip_val": "0 or more, where 0 clips nothing", "log_every_n_steps": "0 or more"}
"""Where Lightning's trainer takes a negative number for another, without a word."""

_ENDS = (("max_steps", -1), ("max_time", None), ("min_steps", None), ("min_epochs", None))
"""What would end a training elsewhere than after its epochs; Lightning cannot resume one with `max_steps` exactly."""

_NEEDS_VALIDATION = "ReduceLROnPlateau"
"""The schedule of torch's, or of Lightning's for it, that waits for a validation score."""

_TEACH = "train the teacher first, as make teacher does"


def mistakes_in_values(config: dict[str, Any]) -> Iterator[str]:
    """Yield a line for each value that conflicts with another, and for what is out of range in the first stage."""
    yield from out_of_range(config["pretrain"], "pretrain.")
    if (until := config["trainer"].get("max_epochs", config["epochs"])) != config["epochs"]:
        yield f"trainer.max_epochs: want epochs = {config['epochs']}, which schedule and averaging follow, got {until}"
    for key, none in _ENDS:
        if (limit := config["trainer"].get(key, none)) not in (none, None):
            yield f"trainer.{key}: want none: schedule and averaging follow epochs, got {word(limit)}"
    if (limit := config["trainer"].get("limit_train_batches")) == 0:  # Lightning would leave the model as it began
        yield f"trainer.limit_train_batches: want more than 0, or nothing would be trained, got {limit}"
    for key, wish in (_MORE_THAN_0 | _AT_LEAST_0).items():
        if not isinstance(got := config["trainer"].get(key), int | float):
            continue
        if not (got > 0 or (got == 0 and key in _AT_LEAST_0)):  # nor NaN
            yield f"trainer.{key}: want {wish}, got {got}"
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
    yield from _wrong_votes(config)
    yield from _wrong_folds(config)
    parts = {"backbone": config["backbone"]} | {f"extractor.{name}": part for name, part in config["extractor"].items()}
    for place, part in parts.items() if config["compile"] else ():
        if isinstance(part, dict) and part.get("grad_checkpointing") and "backbone" not in part:
            yield f"compile: want false with {place}.grad_checkpointing=true, which leaves little to compile, got true"
    for place, stage in (("", config), ("pretrain.", config["pretrain"])):
        yield from _wrong_schedule(place, stage, _no_validation(config, each_epoch=True))
        yield from _wrong_optimizer(place, stage)
        yield from unsuitable_optimizer(place, stage)
    for place, factor in leaves(config["lr_scale"], "lr_scale"):
        if isinstance(factor, bool) or not isinstance(factor, int | float) or not 0 <= factor < math.inf:
            yield f"{place}: want a number of 0 or more, got {word(factor)}"
    yield from unsuitable_callbacks(config, _no_validation(config, each_epoch=False))
    if len(averages := [*config["averaging"]]) > 1:  # each would take another's average for the weights to go on with
        yield f"averaging: want one, got {', '.join(averages)}"
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


def _wrong_votes(config: dict[str, Any]) -> Iterator[str]:
    """Yield a line if no row whatever can have the votes of a row to validate on."""
    subset = config["subset"]
    least, most = (subset.get(key) for key in ("validation_votes", "max_votes"))
    ours = subset.get("_target_") == "hms.subset.Subset" and isinstance(least, int) and isinstance(most, int)
    if ours and most < least and config["fold"] != "all":
        wish = f"want at least subset.validation_votes = {least}, or there would be no row to validate on"
        yield f"subset.max_votes: {wish}, got {most}"


def _wrong_folds(config: dict[str, Any]) -> Iterator[str]:
    """Yield a line for each mistake in a table of folds that shows without the corpus."""
    if path := config["folds_from"]:
        from hms.data.folds import read_folds  # NumPy and Polars are slow to import

        try:
            read_folds(Path(path), config["folds"])
        except UserError as error:
            yield from str(error).splitlines()


def _no_validation(config: dict[str, Any], each_epoch: bool) -> str | None:
    """The setting by which a training does not validate, or not in each epoch; None if it does."""
    trainer = config["trainer"]
    if config["fold"] == "all":
        return "fold=all"
    if trainer.get("limit_val_batches") == 0:
        return "trainer.limit_val_batches=0"
    every, epochs = trainer.get("check_val_every_n_epoch", 1), config["epochs"]
    if isinstance(every, int) and every > epochs:
        return f"trainer.check_val_every_n_epoch={every} and epochs={epochs}"
    if each_epoch and every != 1:
        return f"trainer.check_val_every_n_epoch={word(every)}"
    return None


def _wrong_optimizer(place: str, stage: dict[str, Any]) -> Iterator[str]:
    """Yield a line for each number of the optimizer of a stage, whose keys stand at `place`, that none takes."""
    numbers = optimizer if isinstance(optimizer := stage.get("optimizer"), dict) else {}
    for key in ("lr", "weight_decay"):
        if isinstance(number := numbers.get(key), int | float) and not number >= 0:
            yield f"{place}optimizer.{key}: want 0 or more, got {number}"


def _wrong_schedule(place: str, stage: dict[str, Any], no_validation: str | None) -> Iterator[str]:
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
    if no_validation and str(schedule.get("_target_")).endswith(f".{_NEEDS_VALIDATION}"):
        yield f"{place}schedule: want one that needs no validation with {no_validation}, got {_NEEDS_VALIDATION}"


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
