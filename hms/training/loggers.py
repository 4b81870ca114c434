"""Log a fold to Weights & Biases, or by another of Lightning's loggers: the curves of its stages, and its scores."""

import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch.loggers import Logger, WandbLogger

from hms.config.build import build, class_of, is_of
from hms.errors import UserError, first_line
from hms.scoring.scores import Scores


def want_loggers(nodes: dict[str, Any]) -> None:
    """Raise UserError for a node of a class that is none of Lightning's loggers."""
    for name, node in nodes.items():
        if not is_of(node, Logger):
            raise UserError(f"logger.{name}: want a Lightning logger, got {class_of(node).__name__}")


@contextmanager
def open_loggers(nodes: dict[str, Any], fold: Path, config: dict[str, Any]) -> Iterator[list[Logger]]:
    """Build the loggers of a fold, grouped by run, and log the config; a resumed fold continues its W&B run.

    A W&B run ends with the block; otherwise the next job of a sweep would log to it. Raises UserError for a logger that
    cannot be built.
    """
    earlier = sorted(fold.glob("wandb/*run-*-*"))  # of an interrupted attempt
    same = earlier[0].name.rpartition("-")[2] if earlier else None
    of_wandb = {"name": f"{fold.parent.name}/{fold.name}", "group": fold.parent.name, "id": same}
    loggers: list[Logger] = []
    try:
        for name, node in nodes.items():
            more: dict[str, Any] = of_wandb if is_of(node, WandbLogger) else {}
            if "save_dir" in inspect.signature(class_of(node)).parameters:
                more = more | {"save_dir": fold}
            try:
                loggers.append(build(node, **more))
                loggers[-1].log_hyperparams(config)
            except (ValueError, TypeError, ImportError, MisconfigurationException) as error:
                raise UserError(f"logger.{name}: {first_line(error)}") from None
        yield loggers
    finally:
        for logger in loggers:
            if isinstance(logger, WandbLogger):
                logger.experiment.finish()


def loggers_of_stage(stage: str, nodes: dict[str, Any], fold: Path, loggers: list[Logger]) -> list[Logger]:
    """Build loggers for the W&B runs of `loggers`, which have the same nodes, that prefix each metric with `stage`."""
    pairs = zip(nodes.values(), loggers, strict=True)
    wandb = [(node, logger) for node, logger in pairs if isinstance(logger, WandbLogger)]
    return [build(node, save_dir=fold, prefix=stage, experiment=logger.experiment) for node, logger in wandb]


def log_scores(loggers: list[Logger], scores: Scores) -> None:
    """Write the scores of a fold to the summary of its W&B run, with the KL of each class under the class's name."""
    summary = {f"oof/{key}": value for key, value in scores.items() if key != "per_class"}
    summary |= {f"oof/kl_{label}": of_class["kl"] for label, of_class in scores.get("per_class", {}).items()}
    for logger in loggers:
        if isinstance(logger, WandbLogger):
            logger.experiment.summary.update(summary)
