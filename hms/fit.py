"""Train one fold of one member and predict its held-out patients."""

import math
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import polars as pl
from lightning import seed_everything
from lightning.fabric.utilities.exceptions import MisconfigurationException

from hms import trainer
from hms.atomic import locked
from hms.build import build
from hms.compiled import compile_networks
from hms.console import say
from hms.errors import UserError, first_line
from hms.fold import Fold, classifier
from hms.folds import patient_folds
from hms.model import Model
from hms.processes import Place, in_all
from hms.runs import is_finished, run_folder, say_what_changed, summarise
from hms.scores import read_truth
from hms.store import Store, prepared


def fit(config: dict[str, Any]) -> float:
    """Train the fold that `config` (resolved train.yaml) describes, or find it trained.

    Gives its out-of-fold KL in nats, NaN for `fold=all`, which holds nobody out.
    """
    model, place, further = _model(config)  # first: a mistake should not wait for a corpus to be read
    folder = build(config["data"])
    store = prepared(folder, Path(config["stores"]), config["on_bad"])
    truth = read_truth(folder.root)
    run = run_folder(config, store.fingerprint)
    say_what_changed(run, config, store.fingerprint)
    if is_finished(run):
        say(f"{run} is trained already: nothing to do")
    else:
        fold = Fold(config, model, store, run, *_patients(config, store), place)
        fold.want_rows()  # before there is a folder
        with _alone(run, place, further):
            if further and not is_finished(run):
                return in_all(fit, config, further)
            if not is_finished(run):
                fold.finish(truth)
    if place.rank > 0:
        return math.nan
    for state in (run / "last.ckpt", run / "pretrain" / "last.ckpt", run / "pretrain" / "weights.ckpt"):
        if state.exists():  # a kill may have kept a finished run from removing it
            state.unlink(missing_ok=True)
    return summarise(run, truth)


def _alone(run: Path, place: Place, further: int) -> AbstractContextManager[None]:
    """Keep others that train the same fold out; processes that train together were let in together."""
    if place.world > 1 and not further:
        return nullcontext()
    run.parent.mkdir(parents=True, exist_ok=True)
    return locked(run, f"another process trains {run}: waiting for it")


def _model(config: dict[str, Any]) -> tuple[Model, Place, int]:
    """The model, which of the processes that train it this is, and how many are to be started that do it instead."""
    for name, least in (("seed", 0), ("batch_size", 1), ("epochs", 1)):
        if not least <= config[name] < 2**32:
            raise UserError(f"{name}: want {least} or more (below 2^32), got {config[name]}")
    if config["fold"] != "all" and not 0 <= config["fold"] < config["folds"]:
        raise UserError(f"fold: want 0 to {config['folds'] - 1} (folds={config['folds']}) or all, got {config['fold']}")
    if config["live"] and config["pretrain"]:
        raise UserError("pretrain: want none with live, whose windows have no subset; got both")
    if config["live"] and "teacher_labels" in config["augmentation"]:
        raise UserError("augmentation: no teacher has seen the windows of live; leave teacher_labels out")
    seed_everything(config["seed"], verbose=False)
    model: Model = build(config["model"])
    try:  # all of these are built again for the run; here only to hear what they refuse
        for stage in filter(None, (config["pretrain"], config)):
            classifier(config, stage, model).configure_optimizers()
        made = trainer.make(config["trainer"], callbacks=[build(node) for node in config["averaging"].values()])
    except (ValueError, TypeError, MisconfigurationException) as error:
        raise UserError(f"optimizer, schedule or trainer: {first_line(error)}") from None
    if config["compile"]:
        compile_networks(model, made.strategy.root_device.type)
    return model, Place(made.global_rank, made.world_size), trainer.further(made)


def _patients(config: dict[str, Any], store: Store) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Rows of the patients to learn from, and of those held out."""
    if config["fold"] == "all":
        return store.rows, store.rows.clear()
    if config["live"]:  # nothing is learned from the corpus
        return store.rows.clear(), store.rows
    try:
        fold_of = patient_folds(store.rows, config["folds"])
    except ValueError as error:
        raise UserError(str(error)) from None
    rows = store.rows.join(fold_of, on="patient_id", maintain_order="left")
    held_out = pl.col("fold") == config["fold"]
    return rows.filter(~held_out), rows.filter(held_out)
