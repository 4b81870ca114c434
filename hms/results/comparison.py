"""Runs compared by their out-of-fold KL on the rows they share, on the same draws of a bootstrap over patients.

Runs may be validated on different rows: in other folds, with fewer votes, of another corpus. Some rows are harder than
others, so the KL over a run's own rows ranks it only among runs with the same rows.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl
from jaxtyping import Float
from scipy.sparse.csgraph import connected_components

from hms.config.keys import want_in_range
from hms.results.entry import Entry
from hms.results.evaluated import read_evaluation
from hms.results.run import read_run
from hms.run_folders import is_evaluation
from hms.scoring.bootstrap import DRAWS, mean_interval


class Result(NamedTuple):
    """A run or an evaluation, compared with the best of its group: those that share rows, directly or through others.

    Intervals are 95 % of a bootstrap over patients, None for a single patient.
    """

    entry: Entry
    interval: list[float] | None
    shared: int
    """Number of rows that the best run has, too; 0 for one of several runs that shares none with any other."""
    difference: float | None
    """Mean of KL - KL of the best over the shared rows; None for the best run, and without shared rows."""
    difference_interval: list[float] | None
    group: int

    @property
    def is_best(self) -> bool:
        """Whether it is the run that the others of its group are compared with, if there are any others to compare."""
        return self.difference is None and self.shared > 0


def compare(runs: Iterable[Path], draws: int = DRAWS, seed: int = 0) -> list[Result]:
    """Read the finished folds of runs, and evaluations, and compare them, group after group, each best first.

    The best run is the one that no other beats on the rows that the two share; of several, that of the least KL; if
    there is none, the one that loses by the least. The others follow by their difference from it, without shared rows
    by KL. Raises DataError for a run that has no finished fold, and UserError for `draws` or a `seed` out of range.
    """
    want_in_range({"draws": draws, "seed": seed})
    read = [read_evaluation(run) if is_evaluation(run) else read_run(run) for run in runs]
    behind = _behind(read)
    groups = connected_components(~np.isnan(behind), directed=False)[1]
    results = []
    for group in range(groups.max() + 1):
        members = np.flatnonzero(groups == group).tolist()
        best = min(members, key=lambda i: (np.nanmax(behind[i]), read[i].kl))
        from_best = np.nan_to_num(behind[:, best], nan=np.inf)
        members.sort(key=lambda i: (i != best, from_best[i], read[i].kl))
        results += [_result(read[i], read[best], group, draws, seed) for i in members]
        if len(members) == 1 < len(read):
            results[-1] = results[-1]._replace(shared=0)
    return results


def same_rows(results: list[Result]) -> bool:
    """Whether all runs were validated on the same rows."""
    counts = {count for result in results for count in (len(result.entry.losses), result.shared)}
    return len(counts) == 1 and len({result.group for result in results}) == 1


def _behind(entries: list[Entry]) -> Float[np.ndarray, "run other"]:
    """Mean of the KL of each run - the KL of each other over the rows that both have; NaN if there are none."""
    tables = [entry.losses.select(pl.lit(entry.corpus).alias("corpus"), "label_id", "kl") for entry in entries]
    place = pl.concat(tables).select(pl.struct("corpus", "label_id").rank("dense") - 1).to_series().to_numpy()
    whose = np.repeat(np.arange(len(entries)), [*map(len, tables)])
    kl, has = np.zeros((2, len(entries), place.max() + 1))
    kl[whose, place], has[whose, place] = pl.concat(tables)["kl"], 1
    total = kl @ has.T
    with np.errstate(invalid="ignore"):
        behind: Float[np.ndarray, "run other"] = (total - total.T) / (has @ has.T)
    return behind.round(9)  # equal runs differ by rounding only, and keep their order


def _result(entry: Entry, best: Entry, group: int, draws: int, seed: int) -> Result:
    ends = mean_interval(entry.losses["kl"], entry.losses["patient_id"], draws, seed)
    both = entry.losses.join(best.losses, on="label_id", suffix="_best")
    if entry is best or both.is_empty():
        return Result(
            entry=entry, interval=ends, shared=len(both), difference=None, difference_interval=None, group=group
        )
    difference = both["kl"] - both["kl_best"]
    difference_ends = mean_interval(difference, both["patient_id"], draws, seed)
    return Result(
        entry=entry,
        interval=ends,
        shared=len(both),
        difference=float(difference.to_numpy().mean()),
        difference_interval=difference_ends,
        group=group,
    )
