"""Predict a fold's held-out patients, and write, score and sum up the predictions."""

import math
from pathlib import Path

import numpy as np
import polars as pl
from jaxtyping import Float

from hms.model import Model
from hms.prediction.inference import Compute, probabilities
from hms.runs.folder import folds_with_held_out
from hms.scoring.scores import Scores, predictions, print_scores, read_predictions, score
from hms.system.atomic import write_table
from hms.system.console import say
from hms.system.processes import broadcast_state, gather
from hms.training.feed import Feed
from hms.training.fold import FoldRows, among


def predict(model: Model, rows: pl.DataFrame, feed: Feed, flips: bool) -> Float[np.ndarray, "row class"]:
    """The probabilities of `rows`; each process predicts its share of them, and all receive the whole."""
    rank, world_size = feed.process
    if world_size > 1:
        broadcast_state(model.to(feed.device))
    first, end = (len(rows) * number // world_size for number in (rank, rank + 1))
    mine = probabilities([model], feed.store, rows[first:end], feed.batch_size, Compute(feed.device, flips))
    return np.concatenate(gather(mine, feed.process))


def write_predictions(
    fold: Path, rows: FoldRows, predicted: Float[np.ndarray, "row class"], truth: pl.DataFrame | None
) -> Scores:
    """Write the predictions, to teacher.parquet to learn from and oof.parquet to score; return the scores.

    Without held-out patients there is nothing to write, and no score.
    """
    if rows.predicted.is_empty():
        return {}
    teacher = predictions(rows.predicted, rows.number, predicted)
    oof = teacher.filter(among(rows.validation))
    for name, table in (("teacher", teacher), ("oof", oof)):
        write_table(fold / f"{name}.parquet", table)
    return score(oof, truth)


def summarise(fold: Path, truth: pl.DataFrame | None) -> float:
    """Print the scores of `fold` and the run's other finished folds; return its own KL in nats, or NaN."""
    if not (fold / "oof.parquet").is_file():
        say(f"{fold} learned from every patient: nobody is left to score it on")
        return math.nan
    tables = {path.name: read_predictions(path / "oof.parquet") for path in folds_with_held_out(fold.parent)}
    if len(tables) > 1:
        tables["all"] = pl.concat(tables.values())
    scores = {name: score(table, truth) for name, table in tables.items()}
    print_scores(scores, f"{fold.parent}: out-of-fold KL, all and by the class that leads the votes")
    say(f"predictions {fold / 'oof.parquet'}, curves {fold / 'metrics.csv'}")
    return float(scores[fold.name]["kl"])
