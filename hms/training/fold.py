"""The rows of one fold: those to train on in each stage, those to validate on, and those to predict."""

from pathlib import Path
from typing import Any, NamedTuple

import polars as pl

from hms.config.build import build
from hms.data.distributed import Batches
from hms.data.folds import listed_folds, patient_folds, read_folds
from hms.errors import UserError
from hms.system.processes import ALONE


class FoldRows(NamedTuple):
    """The rows of a store that a fold needs, by their use; no patient to train on is validated on or predicted."""

    number: int | None
    """None with `live`, which learns from no fold, and for `fold=all`, which holds no patients out."""
    training: list[pl.DataFrame]
    """A table for each stage; not used with `live`."""
    validation: pl.DataFrame
    """The rows to validate on and to score; none for `fold=all`."""
    predicted: pl.DataFrame
    """The rows to score, and for a student's sake those that another fold may learn from; none for `fold=all`."""
    never_held_out: int
    """How many patients no fold holds out, because a table of one's own gives them none."""


def rows_of_fold(config: dict[str, Any], rows: pl.DataFrame) -> FoldRows:
    """Choose the rows of the fold that `config` describes from those of a store.

    Raises UserError if no row is left to train or to validate on, or no batch of them by the limits of the trainer.
    """
    learned_from, held_out, never_held_out = _patients(config, rows)
    subsets = [build(stage["subset"]) for stage in stages_of(config)]
    training = [subset.training(learned_from) for subset in subsets]
    validation = subsets[-1].validation(held_out)
    predicted = [validation, *(subset.training(held_out) for subset in subsets if not config["live"])]
    _want_rows(config, rows, training, validation)
    _want_batches(config, training, validation)
    number = None if config["live"] or config["fold"] == "all" else config["fold"]
    return FoldRows(number, training, validation, held_out.filter(among(pl.concat(predicted))), never_held_out)


def stages_of(config: dict[str, Any]) -> list[dict[str, Any]]:
    """The settings of each stage; those of the last are top-level keys of train.yaml."""
    return [stage for stage in (config["pretrain"], config) if stage]


def among(rows: pl.DataFrame) -> pl.Expr:
    """Whether a row is one of `rows`."""
    return pl.col("label_id").is_in(rows["label_id"].implode())


def _patients(config: dict[str, Any], rows: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame, int]:
    """The rows of the patients to learn from, and of those held out, and how many patients no fold holds out."""
    nobody = rows.clear()
    if config["live"]:  # nothing is learned from the corpus
        return nobody, nobody if config["fold"] == "all" else rows, 0
    if config["fold"] == "all":
        return rows, nobody, 0
    numbered = rows.join(_folds(config, rows), on="patient_id", how="left", maintain_order="left")
    fold, held_out = pl.col("fold"), pl.col("fold").eq_missing(config["fold"])
    never = numbered.filter(fold.is_null())["patient_id"].n_unique()
    return numbered.filter(~held_out), numbered.filter(held_out), never


def _folds(config: dict[str, Any], rows: pl.DataFrame) -> pl.DataFrame:
    """The fold of each patient."""
    if not config["folds_from"]:
        return patient_folds(rows, config["folds"])
    path = Path(config["folds_from"])
    return listed_folds(read_folds(path, config["folds"]), rows, path)


def _want_rows(
    config: dict[str, Any], rows: pl.DataFrame, training: list[pl.DataFrame], validation: pl.DataFrame
) -> None:
    wanted = [] if config["live"] else [("training", table) for table in training]
    wanted += [] if config["fold"] == "all" else [("validation", validation)]
    for use, table in wanted:
        if table.is_empty():
            raise UserError(
                f"subset: no row for {use} in fold {config['fold']} (of {len(rows)} rows in "
                f"{rows['patient_id'].n_unique()} patients); try subset=all_votes"
            )


def _want_batches(config: dict[str, Any], training: list[pl.DataFrame], validation: pl.DataFrame) -> None:
    """Raise UserError for limits with which Lightning would end the training once it has begun."""
    trainer = config["trainer"]
    limits = {key: trainer.get(f"limit_{key}_batches") for key in ("train", "val")}
    windows = [build(node).windows for node in config["live"].values()]
    for count in windows or [table["eeg_id"].n_unique() for table in training]:  # one row of each EEG in an epoch
        batches = len(Batches(range(count), config["batch_size"], ALONE))
        if (left := _left(batches, limits["train"])) == 0:
            wish = "want one batch or more in each epoch"
            raise UserError(f"trainer.limit_train_batches: {wish}, got {limits['train']} of {batches}")
        every = trainer.get("val_check_interval")
        within_epochs = trainer.get("check_val_every_n_epoch", 1) is not None and limits["val"] != 0
        if isinstance(every, int | float) and every > max(1, left) and within_epochs:
            wish = f"want at most {left}, the batches of an epoch"
            raise UserError(f"trainer.val_check_interval: {wish}, or trainer.check_val_every_n_epoch=null, got {every}")
    batches = len(Batches(range(len(validation)), config["batch_size"], ALONE))
    if batches and limits["val"] and _left(batches, limits["val"]) == 0:
        wish = "want one batch or more, or 0 for no validation"
        raise UserError(f"trainer.limit_val_batches: {wish}, got {limits['val']} of {batches}")


def _left(batches: int, limit: float | None) -> int:
    """How many of an epoch's batches Lightning takes: up to a whole number, or a share."""
    if limit is None:
        return batches
    return int(batches * limit) if isinstance(limit, float) and limit <= 1 else min(batches, int(limit))
