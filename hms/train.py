"""`python -m hms.train`: train one fold of a run, or with `-m` a sweep of them."""

import shlex
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any, Literal, TypedDict

from hms.config.callbacks import wrong_callbacks
from hms.config.command import CONF, entry_point
from hms.config.keys import Corpus, Node, out_of_range
from hms.config.loggers import without_package
from hms.errors import UserError, did_you_mean
from hms.runs.settings import start_folds, teachers
from hms.system.console import say


class Pretrain(TypedDict, total=False):
    """The keys of a first stage; if empty, there is none."""

    subset: Node
    weighting: Node
    epochs: int
    optimizer: Node
    schedule: Node


class Train(Corpus):
    """The keys of conf/train.yaml; their values live there."""

    live: dict[str, Node]
    subset: Node
    montage: Node
    preprocess: Node
    backbone: dict[str, Any]
    extractor: dict[str, Node]
    fusion: Node
    augmentation: dict[str, Node]
    trainer: Node
    logger: dict[str, Node]
    name: str | None
    runs: str
    folds: int
    fold: int | Literal["all"]
    seed: int
    epochs: int
    batch_size: int
    measure_norms: bool
    flips: bool
    model: Node
    loss: Node
    optimizer: Node
    weighting: Node
    schedule: Node
    pretrain: Pretrain
    averaging: dict[str, Node]
    callbacks: dict[str, Node]
    start_from: str | None
    show: bool
    compile: bool


def mistakes_in_values(config: dict[str, Any]) -> Iterator[str]:
    """Yield a line for each value that conflicts with another, and for what is out of range in the first stage."""
    yield from out_of_range(config["pretrain"], "pretrain.")
    if (until := config["trainer"].get("max_epochs", config["epochs"])) != config["epochs"]:
        yield f"trainer.max_epochs: want epochs = {config['epochs']}, which schedule and averaging follow, got {until}"
    for key in ("max_steps", "limit_train_batches"):
        if (limit := config["trainer"].get(key)) == 0:  # Lightning would leave the model as it began
            yield f"trainer.{key}: want more than 0, or nothing would be trained, got {limit}"
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
    if config["compile"] and config["backbone"].get("grad_checkpointing"):
        yield "compile: want false with backbone.grad_checkpointing=true, which leaves little to compile, got true"
    for name, node in config["extractor"].items():
        if config["compile"] and node.get("grad_checkpointing") and "backbone" not in node:
            key = f"extractor.{name}.grad_checkpointing"
            yield f"compile: want false with {key}=true, which leaves little to compile, got true"
    for place, stage in (("", config), ("pretrain.", config["pretrain"])):
        yield from _wrong_schedule(place, stage, config["fold"] == "all")
    yield from wrong_callbacks(config["callbacks"], config["averaging"], config["fold"] == "all")
    yield from without_package(config["logger"])
    yield from _unknown_heads(config)
    if config["live"] and teachers(config):
        yield "augmentation: no teacher has seen the windows of live; leave teacher_labels out"
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
    schedule, epochs = stage.get("schedule"), stage.get("epochs")
    if not isinstance(schedule, dict):
        return
    warmup = schedule.get("warmup_epochs")
    if isinstance(warmup, int) and isinstance(epochs, int) and 0 < epochs <= warmup:
        yield f"{place}schedule.warmup_epochs: want less than {place}epochs = {epochs}, got {warmup}"
    if (steps := schedule.get("steps_per_epoch", 1)) not in (None, 1):
        yield f"{place}schedule.steps_per_epoch: want 1, as for one step per epoch, got {steps}"
    key = "total_steps" if schedule.get("total_steps") is not None or "steps_per_epoch" not in schedule else "epochs"
    total = schedule.get(key)
    if isinstance(total, int) and isinstance(epochs, int) and 0 < total < epochs:  # torch would end the training
        yield f"{place}schedule.{key}: want {place}epochs = {epochs}, as for one step per epoch, got {total}"
    if all_patients and str(schedule.get("_target_")).endswith(".ReduceLROnPlateau"):
        yield f"{place}schedule: want one that needs no validation with fold=all, got ReduceLROnPlateau"


def compare_all(jobs: list[tuple[list[str], dict[str, Any]]]) -> None:
    """Print the scores of a sweep's runs and the settings in which they differ, and name the jobs left unfinished.

    Each job is given by its overrides, less those that all jobs share, and its config.
    """
    from hms.config.build import build
    from hms.data.corpus import fingerprint
    from hms.folder_names import is_finished
    from hms.results.comparison import compare
    from hms.results.table import print_results
    from hms.runs.folder import fold_folder

    if any(config["show"] for _, config in jobs):
        return
    finished: dict[Path, None] = {}
    unfinished, cached = [], cache(fingerprint)  # a fingerprint looks at every file of a corpus
    for words, config in jobs:
        fold = None
        with suppress(UserError):  # without its corpus a job has no folder; it has reported what is wrong
            fold = fold_folder(config, cached(build(config["data"]).root))
        if fold is None or not is_finished(fold):
            unfinished.append(" ".join([" ", *map(shlex.quote, words), *([f"({fold})"] if fold else [])]))
        elif (fold / "oof.parquet").is_file():
            finished[fold.parent] = None
    if finished:
        print_results(compare(finished))
    if unfinished:
        again = "the same command runs them again, or in place of what it sweeps:"
        say("\n".join([f"{len(unfinished)} of {len(jobs)} jobs did not finish: {again}", *unfinished]))


@entry_point("train", Train, mistakes_in_values=mistakes_in_values, after_sweep=compare_all)
def main(config: dict[str, Any]) -> float | None:
    """Train the fold; return its out-of-fold KL, which Hydra's sweepers minimise."""
    if config["show"]:
        from hms.parts import print_parts  # torch is slow to import; mistakes in the config should surface first

        print_parts(config["model"], config["batch_size"], config["trainer"])
        return None
    from hms.training.fit import fit

    return fit(config)


if __name__ == "__main__":
    main()
