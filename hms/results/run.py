"""The out-of-fold scores of a run, read from the folders of its folds."""

import statistics
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl

from hms.errors import DataError
from hms.folder_names import FoldName, grid, model_file
from hms.runs.folder import folds_with_held_out
from hms.runs.provenance import corpus_of, files_of
from hms.runs.settings import settings
from hms.runs.trained import Trained
from hms.scoring.scores import score_folds
from hms.system.reading import read_json


class Run(NamedTuple):
    """A run's settings and the out-of-fold scores of its finished folds; a window of several seeds counts once.

    Or an evaluation (`hms.results.evaluated`), which has scores only.
    """

    folder: Path
    settings: dict[str, Any]
    learned_from: dict[str, str]
    """Its `corpus`, the digests of pretrained `weights` and of a `teacher`, if there were any, and of what it began
    with, `start_from`, or null."""
    is_student: bool
    numbers: list[int]
    """Those of its folds."""
    seeds: list[int]
    missing: list[str]
    """Folds that only other seeds have, such as fold1_seed1."""
    kl: float
    """In nats: the mean over windows, each averaged over the seeds that predicted it."""
    kl_by_seed: list[float]
    """Over the folds that all seeds have; empty if there are none."""
    kl_by_fold: list[float]
    gap_closed: float | None
    """None if the truth is unknown, or the prior no worse than it."""
    minutes: float | None
    """None for an evaluation."""
    parameters: int | None
    """None for an evaluation."""
    megabytes: float | None
    """Of one fold's model.ckpt."""
    corpus: str
    losses: pl.DataFrame
    """`label_id`, `patient_id` and `kl`, the mean over seeds."""
    predicted_by: str = ""
    """The models of an evaluation and how they were combined; empty for a run, whose folds predict what they held
    out."""
    rows_maybe_trained_on: int = 0
    """How many rows are of patients that these models may have been trained on."""

    @property
    def sd(self) -> float | None:
        """Standard deviation over seeds; None for fewer than two with a common fold."""
        return statistics.stdev(self.kl_by_seed) if len(self.kl_by_seed) > 1 else None


def read_run(path: Path) -> Run:
    """Read the finished folds of a run that have held-out patients. Raises DataError if it has none."""
    run = Trained(path, folds := folds_with_held_out(path))
    if not folds:
        raise DataError(f"{path}: no fold has held-out patients, so there is nothing to compare")
    config = run.config_of(folds[0])
    keys = ("kl", "rows", "seconds", "parameters")
    scores = {_number_and_seed(fold): read_json(fold / "scores.json", *keys) for fold in folds}
    numbers, seeds = (sorted({*values}) for values in zip(*scores, strict=True))
    missing = sorted(name for name in grid(folds, numbers) if name not in scores)
    common = {*numbers} - {number for number, _ in missing}
    overall, rows = score_folds(folds)
    checkpoint, corpus = model_file(folds[0]), corpus_of(folds[0])
    return Run(
        folder=path,
        settings=settings(config),
        learned_from={
            "corpus": f"{Path(config['data']['root']).name}-{corpus[:4]}",
            **files_of(folds[0]),
            "start_from": _start(run, folds[0]),
        },
        is_student=run.is_student,
        numbers=numbers,
        seeds=seeds,
        missing=[*map(str, missing)],
        kl=overall["kl"],
        kl_by_seed=[_pooled([scores[number, seed] for number in common]) for seed in seeds if common],
        kl_by_fold=[score["kl"] for score in scores.values()],
        gap_closed=overall.get("gap_closed"),
        minutes=sum(score["seconds"] for score in scores.values()) / 60,
        parameters=next(iter(scores.values()))["parameters"],
        megabytes=checkpoint.stat().st_size / 1e6 if checkpoint.is_file() else None,
        corpus=corpus,
        losses=rows.select("label_id", "patient_id", "kl"),
    )


def _start(run: Trained, fold: Path) -> str:
    """The run whose weights a fold began with, and the beginning of their hash."""
    start = run.start_of(fold)
    return f"{start['run'].partition('/')[0]}-{files_of(fold)['start_from'][:4]}" if start else "null"


def _number_and_seed(fold: Path) -> tuple[int, int]:
    name = FoldName.of(fold)
    if name is None or name.fold == "all":
        raise DataError(f"{fold}: want a fold's folder under its own name, such as {FoldName(0, 0)}")
    return name.fold, name.seed


def _pooled(scores: list[dict[str, Any]]) -> float:
    """KL over the rows of several folds."""
    total: float = sum(score["kl"] * score["rows"] for score in scores)
    return total / sum(score["rows"] for score in scores)
