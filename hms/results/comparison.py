"""Runs compared by their out-of-fold KL, on the same draws of a bootstrap over patients."""

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from hms.results.run import Run, read_run
from hms.scoring.bootstrap import mean_interval


class Result(NamedTuple):
    """A run compared with the best one; intervals are 95 % of a bootstrap over patients, None for a single patient."""

    run: Run
    interval: list[float] | None
    shared: int
    """Number of rows that the best run has, too."""
    difference: float | None
    """Mean of KL - KL of the best over the shared rows; None for the best run, and without shared rows."""
    difference_interval: list[float] | None


def compare(runs: Iterable[Path], draws: int = 2000, seed: int = 0) -> list[Result]:
    """Read the finished folds of runs and compare them, best first. Raises DataError for a run that has none."""
    best, *others = sorted(map(read_run, runs), key=lambda run: run.kl)
    return [_result(run, best, draws, seed) for run in (best, *others)]


def _result(run: Run, best: Run, draws: int, seed: int) -> Result:
    ends = mean_interval(run.losses["kl"].to_numpy(), run.losses["patient_id"].to_numpy(), draws, seed)
    both = run.losses.join(best.losses, on="label_id", suffix="_best") if run.corpus == best.corpus else run.losses[:0]
    if run is best or both.is_empty():
        return Result(run, ends, len(both), None, None)
    difference = (both["kl"] - both["kl_best"]).to_numpy()
    difference_ends = mean_interval(difference, both["patient_id"].to_numpy(), draws, seed)
    return Result(run, ends, len(both), float(difference.mean()), difference_ends)
