"""What a file of predictions scored, as numbers and as a table for people.

A table of predictions is what `oof.parquet` holds: label_id, eeg_id, patient_id, fold, six votes, six probabilities.
"""

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from jaxtyping import Float
from rich.table import Table

from hms.console import print_table
from hms.errors import DataError, UserError, first_line
from hms.files import check_columns, read_table
from hms.labels import CLASSES, VOTE_COLUMNS, target_of
from hms.metric import gap_closed, kl_divergence, prior_kl, uniform_kl

TABLE = ("label_id", "eeg_id", "patient_id", "fold", *VOTE_COLUMNS, *CLASSES)
"""Columns of a table of predictions, in order; `fold` may be null."""

Scores = dict[str, Any]
"""kl, top1, rows, uniform, prior, per_class; with known truth also oracle and gap_closed. KL in nats."""


def predictions(rows: pl.DataFrame, fold: int | None, probabilities: Float[np.ndarray, "row label"]) -> pl.DataFrame:
    """The table of predictions for `rows` (columns of train.csv). Raises UserError for one that is no number."""
    if not np.isfinite(probabilities).all():
        raise UserError("the model predicts NaN: its training diverged; try a smaller optimizer.lr")
    return rows.select(
        "label_id", "eeg_id", "patient_id", pl.lit(fold, pl.Int64).alias("fold"), *VOTE_COLUMNS
    ).with_columns(pl.Series(name, probabilities[:, i], pl.Float64) for i, name in enumerate(CLASSES))


def read_predictions(path: Path) -> pl.DataFrame:
    """The table of predictions in a parquet file. Raises DataError for a file that holds none."""
    return checked(path, read_table(path))


def checked(path: Path, table: pl.DataFrame) -> pl.DataFrame:
    """A table that was read from `path`, its numbers as int64 and float64, where it is one of predictions.

    Raises DataError for other columns than `TABLE`, for what is no number, and for probabilities and votes that are
    none.
    """
    check_columns(path, table.columns, TABLE)
    kinds: Any = {name: pl.Float64 if name in CLASSES else pl.Int64 for name in TABLE}
    for name, kind in table.schema.items():
        if not (kind.is_numeric() or (kind == pl.Null and name == "fold")):
            raise DataError(f"{path}: column '{name}': want numbers, got {kind}")
        known = table[name].cast(kinds[name], strict=False)
        if known.null_count() and name != "fold":
            raise DataError(f"{path}: column '{name}', row {known.is_null().arg_max()}: want a number, got none")
    table = table.cast(kinds, strict=False)
    if table.is_empty():
        raise DataError(f"{path}: want at least one row, got none")
    values, votes = table.select(CLASSES).to_numpy(), table.select(VOTE_COLUMNS).to_numpy()
    wrong = ~((values >= 0).all(axis=1) & (np.abs(values.sum(axis=1) - 1) < 1e-3))  # NaN is wrong, too
    if wrong.any():
        row = int(wrong.argmax())
        got = " ".join(f"{value:.4g}" for value in values[row])
        raise DataError(f"{path}: label_id {table['label_id'][row]}: want six probabilities that sum to 1, got {got}")
    if (odd := (votes < 0).any(axis=1) | (votes.max(axis=1) < 1)).any():
        raise DataError(f"{path}: label_id {table['label_id'][int(odd.argmax())]}: want votes, one at least, got none")
    if (doubled := table["label_id"].is_duplicated()).any():
        raise DataError(f"{path}: want each label_id once, got {table['label_id'].filter(doubled)[0]} again")
    return table


def score(table: pl.DataFrame, truth: pl.DataFrame | None = None) -> Scores:
    """Score a table of predictions; `truth` has `label_id` and the experts' true probabilities.

    A class's KL is the mean over the rows whose votes it leads (the first such class in a tie).
    """
    target = target_of(table.select(VOTE_COLUMNS).to_numpy())
    prediction = table.select(CLASSES).to_numpy()
    kl = kl_divergence(target, prediction)
    leading = target.argmax(axis=1)
    scores: Scores = {
        "kl": float(kl.mean()),
        "top1": float((prediction.argmax(axis=1) == leading).mean()),
        "rows": len(table),
        "uniform": uniform_kl(target),
        "prior": prior_kl(target),
        "per_class": {
            name: {"rows": int((leading == i).sum()), "kl": float(kl[leading == i].mean()) if i in leading else None}
            for i, name in enumerate(CLASSES)
        },
    }
    if truth is not None:
        scores["oracle"] = float(kl_divergence(target, truth_of(table, truth)).mean())
        scores["gap_closed"] = gap_closed(scores["kl"], scores["prior"], scores["oracle"])
    return scores


def read_truth(root: Path) -> pl.DataFrame | None:
    """The true probabilities of a simulated corpus, None for any other."""
    path = root / "truth.parquet"
    if not path.is_file():
        return None
    try:
        return read_table(path).select("label_id", *CLASSES)
    except (pl.exceptions.PolarsError, DataError) as error:
        raise DataError(f"{path}: no table of label_id and six probabilities ({first_line(error)})") from None


def truth_of(table: pl.DataFrame, truth: pl.DataFrame) -> Float[np.ndarray, "row label"]:
    """The true probabilities of a table's rows. Raises DataError for a truth that lacks one."""
    known = table.select("label_id").join(truth, on="label_id", how="left", maintain_order="left")
    if known.null_count().sum_horizontal().item():
        raise DataError("truth.parquet: want every label_id that was predicted, got only some of them")
    return known.select(CLASSES).to_numpy()


def show(rows: dict[str, Scores], title: str) -> None:
    """Print one line per entry: KL, KL by leading class, and the marks to read it by."""
    table = Table(title=title, title_justify="left", caption_justify="left")
    known = all("oracle" in scores for scores in rows.values())
    table.add_column("")
    for name in ("rows", "KL", *CLASSES, "top-1", "uniform", "prior", *(("oracle", "gap closed") if known else ())):
        table.add_column(name, justify="right", style="bold" if name == "KL" else None)
    for name, scores in rows.items():
        by_class = [scores["per_class"][label]["kl"] for label in CLASSES]
        marks = [scores["uniform"], scores["prior"], *([scores["oracle"]] if known else [])]
        cells = [f"{scores['kl']:.3f}", *("-" if kl is None else f"{kl:.3f}" for kl in by_class)]
        cells += [f"{scores['top1']:.0%}", *(f"{mark:.3f}" for mark in marks)]
        cells += [f"{scores['gap_closed']:.0%}"] if known else []
        table.add_row(name, f"{scores['rows']:,}", *cells)
    print_table(table, width=160)
