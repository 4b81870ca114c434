"""Train one fold of one member and predict its held-out patients."""

import math
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import polars as pl
from lightning import Trainer, seed_everything
from lightning.fabric.utilities.exceptions import MisconfigurationException

from hms import trainer
from hms.atomic import locked
from hms.compiled import compile_networks
from hms.config.build import build
from hms.console import say
from hms.errors import UserError, first_line
from hms.fold import Fold, classifier
from hms.folds import patient_folds
from hms.model import Model
from hms.processes import ALONE, Place, first_decides, run_in_processes
from hms.runs import is_finished, run_folder, say_what_changed, summarise
from hms.scores import read_truth
from hms.store import Store, prepared
from hms.teacher import want_whole


def fit(config: dict[str, Any], let_in: bool = False) -> float:
    """Train the fold that `config` (resolved train.yaml) describes, or find it trained.

    Gives its out-of-fold KL in nats, NaN for `fold=all`, which holds nobody out. Locks the fold against
    other commands, unless the process that started this one has done so (`let_in`).
    """
    model, made = _model(config)  # first: a mistake should not wait for a corpus to be read
    place, further = Place(made.global_rank, made.world_size), trainer.further(made)
    folder = build(config["data"])
    store = prepared(folder, Path(config["stores"]), config["on_bad"])
    truth = read_truth(folder.root)
    run = run_folder(config, store.fingerprint)
    with ExitStack() as held:
        fold = Fold(config, model, store, run, *_patients(config, store), place)
        if not is_finished(run):
            fold.want_rows()  # before there is a folder
        if let_in or _is_left(fold, made, ALONE if further else place, held):
            if further:
                return run_in_processes(partial(fit, let_in=True), config, further)
            fold.finish(truth)
    if place.rank > 0:
        return math.nan
    for state in (run / "last.ckpt", run / "pretrain" / "last.ckpt", run / "pretrain" / "weights.ckpt"):
        if state.exists():  # a kill may have kept a finished run from removing it
            state.unlink(missing_ok=True)
    return summarise(run, truth)


def _is_left(fold: Fold, made: Trainer, place: Place, held: ExitStack) -> bool:
    """Whether the fold is to be trained; until `held` ends, others that would train it, too, are kept out.

    Of processes that train together the first is let in for all.
    """

    def decide() -> bool:
        say_what_changed(fold.run, fold.config, fold.store.fingerprint)
        if is_finished(fold.run):
            say(f"{fold.run} is trained already: nothing to do")
            return False
        fold.run.parent.mkdir(parents=True, exist_ok=True)
        held.enter_context(locked(fold.run, f"another process trains {fold.run}: waiting for it"))
        return not is_finished(fold.run)

    if place != ALONE:
        made.strategy.setup_environment()
    return first_decides(decide, place)


def _model(config: dict[str, Any]) -> tuple[Model, Trainer]:
    """The model, and a trainer that knows in which of how many processes this is."""
    if teacher := config["augmentation"].get("teacher_labels"):
        want_whole(teacher["runs"])
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
    return model, made


def _patients(config: dict[str, Any], store: Store) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Rows of the patients to learn from, and of those held out."""
    if config["fold"] == "all":
        return store.rows, store.rows.clear()
    if config["live"]:  # nothing is learned from the corpus
        return store.rows.clear(), store.rows
    fold_of = patient_folds(store.rows, config["folds"])
    rows = store.rows.join(fold_of, on="patient_id", maintain_order="left")
    held_out = pl.col("fold") == config["fold"]
    return rows.filter(~held_out), rows.filter(held_out)
