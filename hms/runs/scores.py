"""The scores of a run's folds together."""

from pathlib import Path

import polars as pl

from hms.run_folders import number_of
from hms.scoring.scores import Scores, mean_scores, read_predictions, scored
from hms.system.reading import read_json


def score_folds(folds: list[Path]) -> tuple[Scores, pl.DataFrame]:
    """The scores of finished folds together, on their held-out patients, and their `scored` rows.

    Oracle and gap closed are included if each fold's scores.json has an oracle.
    """
    rows = scored(pl.concat(read_predictions(fold / "oof.parquet") for fold in folds))
    # The seeds of a fold have the same rows, and so the same oracle.
    unique = {number_of(fold): fold for fold in folds}.values()
    of_folds = [read_json(fold / "scores.json", "kl", "rows") for fold in unique]
    if all("oracle" in fold for fold in of_folds):
        oracle = sum(fold["oracle"] * fold["rows"] for fold in of_folds) / sum(fold["rows"] for fold in of_folds)
        rows = rows.with_columns(oracle=pl.lit(oracle))
    return mean_scores(rows), rows
