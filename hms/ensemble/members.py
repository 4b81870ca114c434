"""The members of an ensemble: out-of-fold predictions of several models for the same rows, in the same order.

A member is a run (`oof.parquet` of its finished folds, averaged over seeds), or a CSV or Parquet file of somebody
else's model: `eeg_id`, `eeg_sub_id` and six columns such as `seizure_prediction` or `seizure_vote_prediction`, the rows
of which are looked up in the competition's train.csv.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl
from jaxtyping import Float

from hms.data.tables import read_labels
from hms.errors import DataError, UserError
from hms.labels import CLASSES, VOTE_COLUMNS, target_of
from hms.run_folders import counts_of
from hms.runs.trained import Trained
from hms.scoring.scores import TABLE, checked, read_predictions
from hms.system.reading import read_csv, read_table

_KEYS = ("eeg_id", "eeg_sub_id")
_SHARED = ("label_id", "eeg_id", "patient_id", *VOTE_COLUMNS)
"""Columns on which all members must agree; each may have folds of its own, as long as it held out each patient."""


class Members(NamedTuple):
    """Rows with their votes, and the predictions of each member for them."""

    names: list[str]
    seeds: list[int]
    """How many seeds of each member were averaged; 1 for a file."""
    rows: pl.DataFrame
    """label_id eeg_id patient_id and six vote counts, sorted by label_id."""
    probabilities: Float[np.ndarray, "member row class"]

    @property
    def target(self) -> Float[np.ndarray, "row class"]:
        """Vote shares."""
        return target_of(self.rows.select(VOTE_COLUMNS).to_numpy())


def read_members(runs: Sequence[Trained], files: list[Path], labels: Path | None, min_votes: int) -> Members:
    """Out-of-fold predictions of runs and files for the rows with at least `min_votes` votes.

    Raises DataError for members that predict different rows, or disagree on a row's patient or votes.
    """
    tables = {str(run.path): _read_run(run) for run in runs}
    if files:
        if labels is None:
            raise UserError("labels: want the train.csv that the rows of oof=[...] come from, got null")
        train = read_labels(labels)
        tables |= {str(file): _read_file(file, train, labels) for file in files}
    voted = pl.sum_horizontal(VOTE_COLUMNS) >= min_votes
    tables = {name: table.filter(voted).sort("label_id") for name, table in tables.items()}
    largest = max(tables.items(), key=lambda one: len(one[1]))  # a run with unfinished folds lacks rows
    if largest[1].is_empty():
        raise DataError(f"{largest[0]}: no row has {min_votes} votes or more")
    for other in tables.items():
        _want_same_rows(largest, other)
    predicted = np.stack([table.select(CLASSES).to_numpy() for table in tables.values()])
    probabilities = predicted / predicted.sum(axis=2, keepdims=True)
    seeds = [counts_of(run.folds).seeds for run in runs]
    return Members([*tables], seeds + [1] * len(files), largest[1].select(_SHARED), probabilities)


def _read_run(run: Trained) -> pl.DataFrame:
    """The predictions of a run's folds, averaged over seeds: one row per label_id."""
    table = pl.concat(read_predictions(fold / "oof.parquet") for fold in run.folds)
    merged = table.group_by("label_id", maintain_order=True).agg(
        pl.col(_SHARED[1:]).first(), pl.col(CLASSES).mean(), pl.struct(_SHARED).n_unique().alias("versions")
    )
    if not (differing := merged.filter(pl.col("versions") > 1)).is_empty():
        raise DataError(f"{run.path}: label_id {differing['label_id'][0]}: its seeds disagree on patient or votes")
    return merged.drop("versions")


def _read_file(path: Path, train: pl.DataFrame, labels: Path) -> pl.DataFrame:
    table = read_table(path) if path.suffix == ".parquet" else read_csv(path)
    if lacking := [name for name in _KEYS if name not in table.columns]:
        raise DataError(f"{path}: lacks column {', '.join(map(repr, lacking))}")
    predictions = {name: _prediction_column(path, table, name) for name in CLASSES}
    doubled = table.filter(pl.struct(_KEYS).is_duplicated())
    if not doubled.is_empty():
        raise DataError(f"{path}: want each row once, got {_row(doubled)} again")
    votes = [name for name in VOTE_COLUMNS if name in table.columns]
    if texts := [name for name in votes if not table.schema[name].is_numeric()]:
        raise DataError(f"{path}: column '{texts[0]}': want numbers, got {table.schema[texts[0]]}")
    keys = pl.col(_KEYS).cast(pl.Int64, strict=False)
    named = table.select(keys, **predictions, **{f"their_{name}": pl.col(name) for name in votes})
    rows = named.join(train, on=_KEYS, how="left", maintain_order="left")
    unknown = rows.filter(pl.col("label_id").is_null())
    if not unknown.is_empty():
        raise DataError(f"{path}: {_row(unknown)} is not in {labels} ({len(unknown)} of {len(rows)} rows)")
    if len(votes) == len(VOTE_COLUMNS):  # as counts or as shares
        differs = pl.any_horizontal((_share("their_", name) - _share("", name)).abs() > 1e-3 for name in votes)
        differing = rows.filter(differs.fill_null(True))  # missing votes differ, too
        if not differing.is_empty():
            place = f"{path}: {_row(differing)}"
            raise DataError(f"{place}: want the votes of {labels}, got different ones ({len(differing)} rows)")
    return checked(path, rows.with_columns(fold=pl.lit(None, pl.Int64)).select(TABLE))


def _share(prefix: str, name: str) -> pl.Expr:
    return pl.col(prefix + name) / pl.sum_horizontal(prefix + vote for vote in VOTE_COLUMNS)


def _prediction_column(path: Path, table: pl.DataFrame, name: str) -> str:
    wanted = (f"{name}_vote_prediction", f"{name}_prediction")
    for column in wanted:
        if column in table.columns and table.schema[column].is_numeric():
            if (unknown := table[column].is_null() | table[column].is_nan()).any():
                raise DataError(f"{path}: {_row(table.filter(unknown))}: want a number in '{column}', got none")
            return column
    raise DataError(f"{path}: want a numeric column {' or '.join(map(repr, wanted))}, got {', '.join(table.columns)}")


def _row(table: pl.DataFrame) -> str:
    return " ".join(f"{name} {table[name][0]}" for name in _KEYS)


def _want_same_rows(first: tuple[str, pl.DataFrame], other: tuple[str, pl.DataFrame]) -> None:
    (first_name, rows), (name, others) = first, other
    lacking, extra = (a.join(b, on="label_id", how="anti")["label_id"] for a, b in ((rows, others), (others, rows)))
    if len(lacking) or len(extra):
        both = (("lacks", lacking), ("adds", extra))
        counts = ", ".join(f"{word} {len(ids)} (first label_id {ids[0]})" for word, ids in both if len(ids))
        raise DataError(f"{name}: want the {len(rows)} rows of {first_name}, got {len(others)}: {counts}")
    for quantity, columns in (("patient", ["patient_id"]), ("votes", [*VOTE_COLUMNS])):
        differs = pl.any_horizontal((pl.col(column) != others[column]).fill_null(False) for column in columns)
        if not (differing := rows.filter(differs)).is_empty():
            label_id = differing["label_id"][0]
            pair = (differing, others.filter(label_id=label_id))
            want, got = ("-".join(map(str, table.select(columns).row(0))) for table in pair)
            raise DataError(f"{name}: label_id {label_id}: want the {quantity} of {first_name}, {want}, got {got}")
