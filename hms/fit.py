"""Train one fold of one member and predict its held-out patients."""

import json
import logging
import time
import warnings
import zipfile
from pathlib import Path
from typing import Any

import polars as pl
from lightning import Trainer, seed_everything
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch.callbacks import Callback, ModelCheckpoint, TQDMProgressBar
from lightning.pytorch.loggers import Logger, WandbLogger
from rich.console import Console

from hms.build import build
from hms.checkpoint import save_model
from hms.console import say
from hms.errors import UserError
from hms.files import first_line, replacing
from hms.folds import patient_folds
from hms.metrics_csv import MetricsCsv
from hms.module import Classifier
from hms.predict import probabilities
from hms.runs import is_finished, open_run, run_folder, say_what_changed, summarise
from hms.scores import predictions, read_truth, score
from hms.store import Store, prepared
from hms.windows import OneRowPerEeg, Windows


def fit(config: dict[str, Any]) -> float:
    """Train the fold that `config` (resolved train.yaml) describes, or find it trained; its out-of-fold KL in nats."""
    module = _module(config)  # first: a mistake should not wait for a corpus to be read
    folder = build(config["data"])
    store = prepared(folder, Path(config["stores"]), config["on_bad"])
    truth = read_truth(folder.root)
    run = run_folder(config, store.fingerprint)
    say_what_changed(run, config, store.fingerprint)
    if is_finished(run):
        say(f"{run} is trained already: nothing to do")
    else:
        began_s = time.monotonic()
        table = _train(config, module, store, run)
        with replacing(run / "oof.parquet") as temporary:
            table.write_parquet(temporary)
        scores = score(table, truth) | {"seconds": round(time.monotonic() - began_s, 1)}
        with replacing(run / "scores.json") as temporary:
            temporary.write_text(json.dumps(scores, indent=1, allow_nan=False))
        (run / "last.ckpt").unlink(missing_ok=True)
    return summarise(run, truth)


def _module(config: dict[str, Any]) -> Classifier:
    for name, least in (("seed", 0), ("batch_size", 1), ("epochs", 1)):
        if not least <= config[name] < 2**32:
            raise UserError(f"{name}: want {least} or more (below 2^32), got {config[name]}")
    if not 0 <= config["fold"] < config["folds"]:
        raise UserError(f"fold: want 0 to {config['folds'] - 1} (folds={config['folds']}), got {config['fold']}")
    seed_everything(config["seed"], verbose=False)
    module = Classifier(
        build(config["model"]),
        build(config["loss"]),
        {name: build(node) for name, node in config["augmentation"].items()},
        build(config["optimizer"]),
        build(config["schedule"]),
        config["seed"],
    )
    try:  # both are built again for the run; here only to hear what they refuse
        module.configure_optimizers()
        _trainer(config["trainer"])
    except (ValueError, MisconfigurationException) as error:
        raise UserError(f"optimizer, schedule or trainer: {first_line(error)}") from None
    return module


def _train(config: dict[str, Any], module: Classifier, store: Store, run: Path) -> pl.DataFrame:
    training, validation = _rows(config, store)
    reads_spectrogram = module.model.reads_spectrogram
    learn = Windows(store, training, reads_spectrogram)
    check = Windows(store, validation, reads_spectrogram)
    open_run(run, config, store.fingerprint)
    loggers = [_logger(node, run) for node in config["logger"].values()]
    trainer = _trainer(config["trainer"], run, loggers)
    try:
        for logger in loggers:
            logger.log_hyperparams(config)
        trainer.fit(
            module,
            learn.loader(config["batch_size"], OneRowPerEeg(training, config["seed"])),
            check.loader(config["batch_size"]),
            ckpt_path=_whole_checkpoint(run),
        )
    finally:
        for logger in loggers:
            if isinstance(logger, WandbLogger):
                logger.experiment.finish()  # or the next job of a sweep would go on in this W&B run
    found = probabilities([module.model], store, validation, config["batch_size"], trainer.strategy.root_device)
    table = predictions(validation, config["fold"], found)
    save_model(run, module.model, config)
    return table


def _whole_checkpoint(run: Path) -> Path | None:
    """The state of an interrupted training, if there is one and it was written to its end."""
    last = run / "last.ckpt"
    if not last.is_file():
        return None
    if not zipfile.is_zipfile(last):  # the index of a zip, which torch writes, stands at its end
        say(f"{last} is not whole: training starts again")
        last.unlink()
        return None
    return last


def _rows(config: dict[str, Any], store: Store) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Rows to learn from and rows to validate on: other patients."""
    folds, fold = config["folds"], config["fold"]
    try:
        fold_of = patient_folds(store.rows, folds)
    except ValueError as error:
        raise UserError(str(error)) from None
    rows = store.rows.join(fold_of, on="patient_id", maintain_order="left")
    subset = build(config["subset"])
    training = subset.training(rows.filter(pl.col("fold") != fold))
    validation = subset.validation(rows.filter(pl.col("fold") == fold))
    for name, part in (("training", training), ("validation", validation)):
        if part.is_empty():
            raise UserError(
                f"subset: no row for {name} in fold {fold} (of {len(rows)} rows in {len(fold_of)} patients, "
                f"votes {subset.min_votes} to {subset.max_votes or 'any'}); try subset=all_votes"
            )
    return training, validation


def _trainer(node: dict[str, Any], run: Path | None = None, loggers: list[Logger] | None = None) -> Trainer:
    """Lightning's trainer for a run; without one, only to see whether it can be built."""
    for name in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)
    warnings.filterwarnings("ignore", ".*does not have many workers.*")  # the gather needs none
    warnings.filterwarnings("ignore", ".*smaller than the logging interval.*")  # metrics are logged per epoch
    warnings.filterwarnings("ignore", ".*exists and is not empty.*")  # it holds the config, or what is to be resumed
    warnings.filterwarnings("ignore", ".*LeafSpec.*")  # Lightning 2.6 under torch 2.15
    bar = Console(stderr=True).is_terminal
    callbacks: list[Callback] = [TQDMProgressBar(leave=False)] if bar else []
    if run is not None:
        callbacks.append(MetricsCsv(run / "metrics.csv"))
        callbacks.append(ModelCheckpoint(run, "last", save_on_train_epoch_end=True, enable_version_counter=False))
    trainer: Trainer = build(
        node,
        callbacks=callbacks,
        logger=loggers or False,
        default_root_dir=run,
        num_sanity_val_steps=0,
        enable_model_summary=False,
        enable_progress_bar=bar,
        enable_checkpointing=run is not None,
    )
    return trainer


def _logger(node: dict[str, Any], run: Path) -> Logger:
    """A logger of its own for each fold, grouped by run."""
    logger: Logger = build(node, save_dir=run, name=f"{run.parent.name}/{run.name}", group=run.parent.name)
    return logger
