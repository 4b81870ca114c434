"""The members of an ensemble: out-of-fold predictions of several models for the same rows, in the same order.

A member is a run (`oof.parquet` of its finished folds; several seeds count by their mean), or a CSV file of somebody
else's model: `eeg_id`, `eeg_sub_id` and six columns such as `seizure_prediction` or `seizure_vote_prediction`. Its rows
are looked up in the competition's train.csv.
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl
from jaxtyping import Float

from hms.errors import DataError, UserError, first_line
from hms.labels import CLASSES, VOTE_COLUMNS, target_of
from hms.runs import scored_folds
from hms.scores import checked, read_predictions
from hms.tables import read_labels

_KEYS = ("eeg_id", "eeg_sub_id")
_ABOUT = ("label_id", "eeg_id", "patient_id", "fold", *VOTE_COLUMNS)
"""What the members have to agree on."""


class Members(NamedTuple):
    """Rows with the votes on them, and what each member predicts for them."""

    names: list[str]
    rows: pl.DataFrame
    """label_id eeg_id patient_id fold and six vote counts, by label_id; `fold` is null for rows of CSV files alone."""
    probabilities: Float[np.ndarray, "member row label"]

    @property
    def target(self) -> Float[np.ndarray, "row label"]:
        """Shares of the votes."""
        return target_of(self.rows.select(VOTE_COLUMNS).to_numpy())


def read_members(runs: list[Path], files: list[Path], labels: Path | None, min_votes: int) -> Members:
    """Out-of-fold predictions of runs and CSV files for the rows that have `min_votes` votes or more.

    Raises DataError for members that do not predict the same rows, or disagree on a row's patient, fold or votes.
    """
    tables = {str(run): read_run(run) for run in runs}
    if files:
        if labels is None:
            raise UserError("labels: want the train.csv that the rows of oof=[...] are of, got null")
        train = read_labels(labels)
        tables |= {str(file): _read_csv(file, train, labels) for file in files}
    voted = pl.sum_horizontal(VOTE_COLUMNS) >= min_votes
    tables = {name: table.filter(voted).sort("label_id") for name, table in tables.items()}
    first, *others = tables.items()
    if first[1].is_empty():
        raise DataError(f"{first[0]}: no row has {min_votes} votes or more")
    for other in others:
        _want_same_rows(first, other)
    folds = next((table["fold"] for table in tables.values() if not table["fold"].has_nulls()), first[1]["fold"])
    found = np.stack([table.select(CLASSES).to_numpy() for table in tables.values()])
    return Members([*tables], first[1].select(_ABOUT).with_columns(folds), found / found.sum(axis=2, keepdims=True))


def read_run(run: Path) -> pl.DataFrame:
    """The table of predictions of a run's finished folds, a row per label_id: the mean over seeds."""
    folds = scored_folds(run)
    if not folds:
        raise DataError(f"{run}: want folds that held somebody out, got fold=all alone")
    table = pl.concat(read_predictions(fold / "oof.parquet") for fold in folds)
    same = table.group_by("label_id", maintain_order=True).agg(
        pl.col(_ABOUT[1:]).first(), pl.col(CLASSES).mean(), pl.struct(_ABOUT).n_unique().alias("versions")
    )
    if not (odd := same.filter(pl.col("versions") > 1)).is_empty():
        raise DataError(f"{run}: label_id {odd['label_id'][0]}: its seeds disagree on patient, fold or votes")
    return same.drop("versions")


def _read_csv(path: Path, train: pl.DataFrame, labels: Path) -> pl.DataFrame:
    try:
        table = pl.read_csv(path, infer_schema_length=None)
    except FileNotFoundError:
        raise DataError(f"{path}: no such file") from None
    except (pl.exceptions.PolarsError, OSError) as error:
        raise DataError(f"{path}: not a CSV file ({first_line(error)})") from None
    if lacking := [name for name in _KEYS if name not in table.columns]:
        raise DataError(f"{path}: lacks column {', '.join(map(repr, lacking))}")
    predictions = {name: _prediction_column(path, table, name) for name in CLASSES}
    doubled = table.filter(pl.struct(_KEYS).is_duplicated())
    if not doubled.is_empty():
        raise DataError(f"{path}: want each row once, got {_row(doubled)} again")
    told = [name for name in VOTE_COLUMNS if name in table.columns]
    if texts := [name for name in told if not table.schema[name].is_numeric()]:
        raise DataError(f"{path}: column '{texts[0]}': want numbers, got {table.schema[texts[0]]}")
    keys = pl.col(_KEYS).cast(pl.Int64, strict=False)
    held = table.select(keys, **predictions, **{f"their_{name}": pl.col(name) for name in told})
    found = held.join(train, on=_KEYS, how="left", maintain_order="left")
    unknown = found.filter(pl.col("label_id").is_null())
    if not unknown.is_empty():
        raise DataError(f"{path}: {_row(unknown)} is not in {labels} ({len(unknown)} of {len(found)} rows)")
    if len(told) == len(VOTE_COLUMNS):  # as counts or as shares
        differs = pl.any_horizontal((_share("their_", name) - _share("", name)).abs() > 1e-3 for name in told)
        odd = found.filter(differs.fill_null(True))  # votes that are missing are no votes of these experts
        if not odd.is_empty():
            raise DataError(f"{path}: {_row(odd)}: want the votes of {labels}, got others ({len(odd)} rows)")
    return checked(path, found.with_columns(fold=pl.lit(None, pl.Int64)).select(*_ABOUT, *CLASSES))


def _share(prefix: str, name: str) -> pl.Expr:
    return pl.col(prefix + name) / pl.sum_horizontal(prefix + one for one in VOTE_COLUMNS)


def _prediction_column(path: Path, table: pl.DataFrame, name: str) -> str:
    wanted = (f"{name}_vote_prediction", f"{name}_prediction")
    for column in wanted:
        if column in table.columns and table.schema[column].is_numeric():
            return column
    raise DataError(
        f"{path}: want a column of numbers {' or '.join(map(repr, wanted))}, got {', '.join(table.columns)}"
    )


def _row(table: pl.DataFrame) -> str:
    return " ".join(f"{name} {table[name][0]}" for name in _KEYS)


def _want_same_rows(one: tuple[str, pl.DataFrame], other: tuple[str, pl.DataFrame]) -> None:
    (first, rows), (name, found) = one, other
    lacking, extra = (a.join(b, on="label_id", how="anti")["label_id"] for a, b in ((rows, found), (found, rows)))
    if len(lacking) or len(extra):
        both = (("lacks", lacking), ("adds", extra))
        said = ", ".join(f"{word} {len(ids)} (first label_id {ids[0]})" for word, ids in both if len(ids))
        raise DataError(f"{name}: want the {len(rows)} rows of {first}, got {len(found)}: {said}")
    for what, columns in (("patient", ["patient_id"]), ("votes", [*VOTE_COLUMNS]), ("fold", ["fold"])):
        differs = pl.any_horizontal((pl.col(column) != found[column]).fill_null(False) for column in columns)
        if not (odd := rows.filter(differs)).is_empty():
            there = found.filter(label_id=odd["label_id"][0])
            want, got = ("-".join(map(str, table.select(columns).row(0))) for table in (odd, there))
            raise DataError(f"{name}: label_id {odd['label_id'][0]}: want the {what} of {first}, {want}, got {got}")
