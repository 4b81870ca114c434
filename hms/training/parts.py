"""Build all that a training takes besides the rows of its corpus, so that mistakes surface before that is read."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from lightning import Callback, Trainer, seed_everything
from lightning.fabric.utilities.exceptions import MisconfigurationException

from hms.config.build import build
from hms.errors import UserError, first_line
from hms.model import Model
from hms.runs.checkpoint import without_pretrained
from hms.runs.settings import files_read
from hms.runs.start import model_to_train
from hms.system.device import best_device
from hms.training import trainer
from hms.training.compiled import compile_networks
from hms.training.fold import stages_of
from hms.training.loggers import want_loggers
from hms.training.stages import callbacks_of, classifier


def model_and_trainer(config: dict[str, Any]) -> tuple[Model, Trainer]:
    """The model, and a trainer that knows the number of processes and the rank of this one.

    Raises UserError or ConfigError for what cannot be built.
    """
    model, callbacks = _model_and_callbacks(config)
    with _one_line():
        probe = trainer.make(config["trainer"], callbacks=callbacks)
    if config["compile"]:
        compile_networks(model, probe.strategy.root_device.type, probe.precision)
    return model, probe


def want_buildable(config: dict[str, Any]) -> None:
    """Raise the error with which a training of a config would end before it reads a corpus.

    Nothing is downloaded: the model is built without pretrained weights. No trainer is built for an accelerator that
    this machine lacks, as the training may be meant for another.
    """
    files_read(config)  # or raise UserError for weights that do not exist
    plain = without_pretrained(config)
    try:
        best_device(config["trainer"].get("accelerator", "auto"))
    except UserError:
        _model_and_callbacks(plain)
    else:
        model_and_trainer(plain)


def _model_and_callbacks(config: dict[str, Any]) -> tuple[Model, list[Callback]]:
    """The model and the callbacks; all else is built again for the training: here it only reveals mistakes."""
    want_loggers(config["logger"])
    seed_everything(config["seed"], verbose=False)
    model = model_to_train(config)
    for node in (config["data"], *config["live"].values(), *(stage["subset"] for stage in stages_of(config))):
        build(node)
    with _one_line():
        for stage in stages_of(config):
            classifier(config, stage, model).configure_optimizers()
        return model, callbacks_of(config)


@contextmanager
def _one_line() -> Iterator[None]:
    """Raise UserError for what torch or Lightning refuse."""
    try:
        yield
    except (ValueError, TypeError, MisconfigurationException) as error:
        raise UserError(f"optimizer, schedule or trainer: {first_line(error)}") from None
