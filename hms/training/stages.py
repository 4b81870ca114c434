"""Train a model in one stage or in two, each of which resumes where it was interrupted."""

from pathlib import Path
from typing import Any

import torch
from lightning import Callback
from lightning.pytorch.loggers import Logger

from hms.augmentation import want_applicable
from hms.config.build import build
from hms.model import Model
from hms.runs.checkpoint import write_checkpoint
from hms.training import trainer
from hms.training.callbacks import build_callbacks
from hms.training.feed import Feed
from hms.training.fold import FoldRows
from hms.training.guard import LossGuard
from hms.training.loggers import loggers_of_stage
from hms.training.module import Classifier


def train_stages(
    config: dict[str, Any], model: Model, rows: FoldRows, feed: Feed, fold: Path, loggers: list[Logger]
) -> dict[str, list[int]]:
    """Train `model` in all stages, resuming an interrupted attempt; return each stage's diverged epochs for the scores.

    The first of two stages has a folder of its own in `fold`, the folder of the fold.
    """
    first = {}
    if config["pretrain"]:
        first["pretrain_diverged_epochs"] = _pretrain(config, model, rows, feed, fold, loggers)
    module, guard = classifier(config, config, model), LossGuard(fold / "not_finite.json")
    callbacks = [*callbacks_of(config), guard]
    training, validation = feed.training(rows.training[-1]), feed.validation(rows.validation)
    trainer.train(module, config["trainer"], fold, training, validation, callbacks, loggers)
    return {"diverged_epochs": guard.diverged, **first}


def start_of_stages(config: dict[str, Any], fold: Path) -> tuple[bool, str]:
    """Whether `train_stages` will resume an interrupted attempt, and from where it will start, in words."""
    first_ended = (fold / "pretrain/result.ckpt").is_file()
    last = (fold / "pretrain" if config["pretrain"] and not first_ended else fold) / "last.ckpt"
    if last.is_file() and not trainer.is_complete(last):
        beginning = "resumes after its first stage" if first_ended else "starts from the beginning"
        return first_ended, f"{beginning}: {last} is incomplete"
    resumes = first_ended or last.is_file()
    return resumes, "resumes after its last complete epoch" if resumes else "starts"


def callbacks_of(config: dict[str, Any]) -> list[Callback]:
    """The callbacks of the last stage: those of averaging, which change the weights that others see, come first."""
    return [*(build(node) for node in config["averaging"].values()), *build_callbacks(config["callbacks"])]


def classifier(config: dict[str, Any], stage: dict[str, Any], model: Model) -> Classifier:
    """Wrap `model` for a stage of its training, which has its own weighting, optimizer and schedule."""
    augmentations = {name: build(node) for name, node in config["augmentation"].items()}
    want_applicable(augmentations)
    weighting, optimizer, schedule = (build(stage[part]) for part in ("weighting", "optimizer", "schedule"))
    return Classifier(
        model=model,
        loss=build(config["loss"]),
        augmentations=augmentations,
        weighting=weighting,
        optimizer=optimizer,
        schedule=schedule,
        lr_scale=config["lr_scale"],
        seed=config["seed"],
    )


def _pretrain(
    config: dict[str, Any], model: Model, rows: FoldRows, feed: Feed, fold: Path, loggers: list[Logger]
) -> list[int]:
    """Train the first of two stages, whose result is kept until the second has ended; return its diverged epochs."""
    stage, folder = config["pretrain"], fold / "pretrain"
    result = folder / "result.ckpt"
    if not result.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        module, guard = classifier(config, stage, model), LossGuard(folder / "not_finite.json")
        node = config["trainer"] | {"max_epochs": stage["epochs"]}
        curves = loggers_of_stage("pretrain", config["logger"], fold, loggers)
        training, validation = feed.training(rows.training[0]), feed.validation(rows.validation)
        fitted = trainer.train(module, node, folder, training, validation, [guard], curves)
        if feed.process.rank == 0:
            write_checkpoint(result, {"weights": model.state_dict(), "diverged": guard.diverged})
        fitted.strategy.barrier()
    content = torch.load(result, map_location="cpu", weights_only=True)
    model.load_state_dict(content["weights"])
    diverged: list[int] = content["diverged"]
    return diverged
