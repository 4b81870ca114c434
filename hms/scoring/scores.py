"""Score tables of predictions, and print the scores as a table.

A table of predictions is what `oof.parquet` holds: label_id, eeg_id, patient_id, fold, six votes, six probabilities.
"""

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from jaxtyping import Float

from hms.errors import DataError, UserError, first_line
from hms.labels import CLASSES, VOTE_COLUMNS, target_of
from hms.scoring.metric import gap_closed, kl_divergence, prior_kl, uniform_kl
from hms.system.console import print_columns
from hms.system.reading import read_table, want_columns

TABLE = ("label_id", "eeg_id", "patient_id", "fold", *VOTE_COLUMNS, *CLASSES)
"""Columns of a table of predictions, in order; `fold` may be null."""

Scores = dict[str, Any]
"""kl, top1, rows, uniform, prior, per_class; with known truth also oracle and gap_closed (or None). KL in nats."""


def predictions(rows: pl.DataFrame, fold: int | None, probabilities: Float[np.ndarray, "row class"]) -> pl.DataFrame:
    """The table of predictions for `rows` (columns of train.csv). Raises UserError if one is not finite."""
    if not np.isfinite(probabilities).all():
        raise UserError("the model predicts NaN: its training diverged; try a smaller optimizer.lr")
    return rows.select(
        "label_id", "eeg_id", "patient_id", pl.lit(fold, pl.Int64).alias("fold"), *VOTE_COLUMNS
    ).with_columns(pl.Series(name, probabilities[:, i], pl.Float64) for i, name in enumerate(CLASSES))


def read_predictions(path: str | Path) -> pl.DataFrame:
    """The table of predictions in a parquet file. Raises DataError if it holds none."""
    path = Path(path)
    return checked(path, read_table(path))


def checked(path: Path, table: pl.DataFrame) -> pl.DataFrame:
    """A table of predictions that was read from `path`, with its numbers as int64 and float64.

    Raises DataError if the columns are not `TABLE`, a value is not a number, or probabilities or votes are impossible.
    """
    want_columns(path, table.columns, TABLE)
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
    wrong = ~((values >= 0).all(axis=1) & (np.abs(values.sum(axis=1) - 1) < 1e-3))  # NaN is wrong as well
    if wrong.any():
        row = int(wrong.argmax())
        got = " ".join(f"{value:.4g}" for value in values[row])
        raise DataError(f"{path}: label_id {table['label_id'][row]}: want six probabilities that sum to 1, got {got}")
    if (odd := (votes < 0).any(axis=1) | (votes.max(axis=1) < 1)).any():
        row = int(odd.argmax())
        got = " ".join(map(str, votes[row]))
        raise DataError(f"{path}: label_id {table['label_id'][row]}: want votes of 0 or more, not all 0, got {got}")
    if (doubled := table["label_id"].is_duplicated()).any():
        raise DataError(f"{path}: want each label_id once, got {table['label_id'].filter(doubled)[0]} again")
    return table


def scored(table: pl.DataFrame, truth: pl.DataFrame | None = None) -> pl.DataFrame:
    """A table of predictions with its scores, reduced to one row per window, in the order of first occurrence.

    A window that several seeds predicted counts once. `kl` and `right` (1 if the most probable class leads the votes)
    are means over its seeds, so they are what a single model scores; the probabilities are means as well, and
    `predicted` is the number of the class with the largest. Other columns are those of the first seed. `leading` is the
    number of the class that leads the votes (the first in a tie), `votes` their number; `prior` and `oracle` are the KL
    of the mean of all votes and of the true probabilities (null if unknown). Raises DataError if `truth` lacks a row.
    """
    target, prediction = _target(table), table.select(CLASSES).to_numpy()
    leading = target.argmax(axis=1)
    of_seeds = table.with_columns(
        kl=pl.Series(kl_divergence(target, prediction)),
        right=pl.Series((prediction.argmax(axis=1) == leading).astype(float)),
        leading=pl.Series(leading),
        votes=pl.sum_horizontal(VOTE_COLUMNS),
    )
    means = ("kl", "right", *CLASSES)
    rows = of_seeds.group_by("label_id", maintain_order=True).agg(pl.exclude(means).first(), pl.col(means).mean())
    target = _target(rows)
    return rows.with_columns(
        predicted=pl.Series(rows.select(CLASSES).to_numpy().argmax(axis=1)),
        prior=pl.Series(kl_divergence(target, np.broadcast_to(target.mean(axis=0), target.shape))),
        oracle=pl.lit(None, pl.Float64) if truth is None else pl.Series(kl_divergence(target, truth_of(rows, truth))),
    )


def score(table: pl.DataFrame, truth: pl.DataFrame | None = None) -> Scores:
    """The scores of a table of predictions."""
    return mean_scores(scored(table, truth))


def mean_scores(rows: pl.DataFrame) -> Scores:
    """The means over the rows of `scored`; the KL of a class is over the rows whose votes it leads."""
    target, kl, leading = _target(rows), rows["kl"].to_numpy(), rows["leading"].to_numpy()
    scores: Scores = {
        "kl": float(kl.mean()),
        "top1": float(rows["right"].to_numpy().mean()),
        "rows": len(rows),
        "uniform": uniform_kl(target),
        "prior": prior_kl(target),
        "per_class": {
            name: {"rows": int((leading == i).sum()), "kl": float(kl[leading == i].mean()) if i in leading else None}
            for i, name in enumerate(CLASSES)
        },
    }
    if not rows["oracle"].has_nulls():
        scores["oracle"] = float(rows["oracle"].to_numpy().mean())
        scores["gap_closed"] = gap_closed(scores["kl"], scores["prior"], scores["oracle"])
    return scores


def _target(table: pl.DataFrame) -> Float[np.ndarray, "row class"]:
    return target_of(table.select(VOTE_COLUMNS).to_numpy())


def read_truth(root: Path) -> pl.DataFrame | None:
    """The true probabilities of a simulated corpus; None for any other."""
    path = root / "truth.parquet"
    if not path.is_file():
        return None
    try:
        return read_table(path).select("label_id", *CLASSES)
    except (pl.exceptions.PolarsError, DataError) as error:
        raise DataError(f"{path}: no table of label_id and six probabilities ({first_line(error)})") from None


def truth_of(table: pl.DataFrame, truth: pl.DataFrame) -> Float[np.ndarray, "row class"]:
    """The true probabilities of a table's rows. Raises DataError if `truth` lacks one."""
    known = table.select("label_id").join(truth, on="label_id", how="left", maintain_order="left")
    if known.null_count().sum_horizontal().item():
        raise DataError("truth.parquet: want every label_id that was predicted, got only some of them")
    return known.select(CLASSES).to_numpy()


def percent(share: float | None, digits: int = 0) -> str:
    """A share as a percentage, or a dash if there is none."""
    return "-" if share is None else f"{100 * share:z.{digits}f} %"


def print_scores(rows: dict[str, Scores], title: str) -> None:
    """Print one line per entry: KL, KL by leading class, and the reference values to compare it with.

    In a narrow terminal, the KL by leading class is a table of its own.
    """
    all_scores = [*rows.values()]
    of_classes = [[scores["per_class"][name]["kl"] for scores in all_scores] for name in CLASSES]
    by_class = {
        name: ["-" if kl is None else f"{kl:.3f}" for kl in kls] for name, kls in zip(CLASSES, of_classes, strict=True)
    }
    columns = {
        "": [*rows],
        "rows": [f"{scores['rows']:,}" for scores in all_scores],
        "KL": [f"{scores['kl']:.3f}" for scores in all_scores],
        **by_class,
        "top-1": [percent(scores["top1"]) for scores in all_scores],
        **{name: [f"{scores[name]:.3f}" for scores in all_scores] for name in ("uniform", "prior")},
    }
    if all("oracle" in scores for scores in all_scores):
        columns["oracle"] = [f"{scores['oracle']:.3f}" for scores in all_scores]
        columns["gap closed"] = [percent(scores["gap_closed"]) for scores in all_scores]
    if print_columns(title, columns, expendable=[CLASSES]):
        print_columns("KL by the class that leads the votes", {"": [*rows], **by_class})
