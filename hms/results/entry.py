"""What is compared: a run or an evaluation, with the KL of each of its rows."""

import statistics
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl


class Training(NamedTuple):
    """What is known of a run, from its finished folds that have held-out patients."""

    settings: dict[str, Any]
    """What determines the model, with the `choices` by which it is described."""
    learned_from: dict[str, str | None]
    """Its `corpus`, the digests of a table of folds, `folds_from`, and of pretrained `weights`, if there were any, and
    the names and digest of its `teacher` and of what it began with, `start_from`, or None."""
    is_student: bool
    numbers: list[int]
    """Those of its folds."""
    seeds: list[int]
    missing: list[str]
    """Folds that only other seeds have, such as fold1_seed1."""
    kl_by_seed: list[float]
    """Over the folds that all seeds have; empty if there are none."""
    kl_by_fold: list[float]
    minutes: float
    parameters: int
    megabytes: float | None
    """Of one fold's model.ckpt; None if it was deleted."""

    @property
    def sd(self) -> float | None:
        """Standard deviation over seeds; None for fewer than two with a common fold."""
        return statistics.stdev(self.kl_by_seed) if len(self.kl_by_seed) > 1 else None


class Evaluation(NamedTuple):
    """What is known of an evaluation, which has neither folds nor seeds."""

    predicted_by: str
    """Its models, and how they were combined."""
    rows_maybe_trained_on: int
    """How many rows are of patients that these models may have been trained on."""


class Entry(NamedTuple):
    """A run, scored by what its folds predict of the patients that they held out, or an evaluation."""

    folder: Path
    kl: float
    """In nats: the mean over windows, each averaged over the seeds that predicted it."""
    gap_closed: float | None
    """None if the truth is unknown, or the prior no worse than it."""
    corpus: str
    losses: pl.DataFrame
    """`label_id`, `patient_id` and `kl`, the mean over seeds: a window of several seeds counts once."""
    training: Training | None = None
    """Of a run; None for an evaluation."""
    evaluation: Evaluation | None = None
    """None for a run."""
