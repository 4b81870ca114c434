"""Train a model in one stage or in two, each of which resumes where it was interrupted."""

from pathlib import Path
from typing import Any

import torch
from lightning import Callback
from lightning.pytorch.loggers import Logger

from hms.config.build import build
from hms.model import Model
from hms.runs.checkpoint import write_checkpoint
from hms.training import trainer
from hms.training.callbacks import added
from hms.training.feed import Feed
from hms.training.fold import Fold
from hms.training.guard import LossGuard
from hms.training.loggers import loggers_of_stage
from hms.training.module import Classifier, want_applicable


def train_stages(
    config: dict[str, Any], model: Model, fold: Fold, feed: Feed, run: Path, loggers: list[Logger]
) -> list[int]:
    """Train `model` in all stages, resuming an interrupted attempt; return the last stage's diverged epochs.

    The first of two stages has a folder of its own in the fold's folder `run`.
    """
    if config["pretrain"]:
        _pretrain(config, model, fold, feed, run, loggers)
    module, guard = classifier(config, config, model), LossGuard(run / "not_finite.json")
    callbacks = [*callbacks_of(config), guard]
    training, validation = feed.training(fold.training[-1]), feed.validation(fold.validation)
    trainer.train(module, config["trainer"], run, training, validation, callbacks, loggers)
    return guard.diverged


def callbacks_of(config: dict[str, Any]) -> list[Callback]:
    """The callbacks of the last stage: those of averaging, which change the weights that others see, come first."""
    return [*(build(node) for node in config["averaging"].values()), *added(config["callbacks"])]


def classifier(config: dict[str, Any], stage: dict[str, Any], model: Model) -> Classifier:
    """Wrap `model` for a stage of its training, which has its own weighting, optimizer and schedule."""
    augmentations = {name: build(node) for name, node in config["augmentation"].items()}
    want_applicable(augmentations)
    weighting, optimizer, schedule = (build(stage[part]) for part in ("weighting", "optimizer", "schedule"))
    return Classifier(model, build(config["loss"]), augmentations, weighting, optimizer, schedule, config["seed"])


def _pretrain(config: dict[str, Any], model: Model, fold: Fold, feed: Feed, run: Path, loggers: list[Logger]) -> None:
    """Train the first of two stages; its weights are kept until the second has ended."""
    stage, folder = config["pretrain"], run / "pretrain"
    weights = folder / "weights.ckpt"
    if not weights.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        module, guard = classifier(config, stage, model), LossGuard(folder / "not_finite.json")
        node = config["trainer"] | {"max_epochs": stage["epochs"]}
        curves = loggers_of_stage("pretrain", config["logger"], run, loggers)
        training, validation = feed.training(fold.training[0]), feed.validation(fold.validation)
        fitted = trainer.train(module, node, folder, training, validation, [guard], curves)
        if feed.place.rank == 0:
            write_checkpoint(weights, model.state_dict())
        fitted.strategy.barrier()
    model.load_state_dict(torch.load(weights, map_location="cpu", weights_only=True))
