"""Runs compared by their out-of-fold KL on the rows they share, on the same draws of a bootstrap over patients.

Runs may be validated on different rows: in other folds, with fewer votes, of another corpus. Some rows are harder than
others, so the KL over a run's own rows ranks it only among runs with the same rows.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl
from jaxtyping import Float, Int
from scipy.sparse.csgraph import connected_components

from hms.config.keys import want_in_range
from hms.results.entry import Entry
from hms.results.evaluated import read_evaluation
from hms.results.run import read_run
from hms.run_folders import is_evaluation
from hms.scoring.bootstrap import DRAWS, mean_interval
from hms.scoring.pairs import Pairs, pairs


class Result(NamedTuple):
    """A run or an evaluation, compared with the best of its group: those that share rows, directly or through others.

    Intervals are 95 % of a bootstrap over patients, None for few patients; those of differences hold for all of the
    group at once.
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
    losses, patient_id = _losses(read)
    has = ~np.isnan(losses)
    group_of = connected_components(has @ has.T, directed=False)[1]
    results = []
    for group in range(group_of.max() + 1):
        members = group_of == group
        rows = has[members].any(axis=0)
        compared = pairs(losses[np.ix_(members, rows)], patient_id[rows], draws, seed)
        entries = [read[i] for i in np.flatnonzero(members)]
        results += _group_results(group, entries, compared, draws, seed)
        if len(entries) == 1 < len(read):
            results[-1] = results[-1]._replace(shared=0)
    return results


def same_rows(results: list[Result]) -> bool:
    """Whether all runs were validated on the same rows."""
    counts = {count for result in results for count in (len(result.entry.losses), result.shared)}
    return len(counts) == 1 and len({result.group for result in results}) == 1


def _losses(entries: list[Entry]) -> tuple[Float[np.ndarray, "entry row"], Int[np.ndarray, " row"]]:
    """The KL of each entry on every row that any has, NaN where it lacks one, and the patients of the rows."""
    tables = [
        entry.losses.select(pl.lit(entry.corpus).alias("corpus"), "label_id", "patient_id", "kl") for entry in entries
    ]
    every = pl.concat(tables).with_columns(row=pl.struct("corpus", "label_id").rank("dense") - 1)
    place, whose = every["row"].to_numpy(), np.repeat(np.arange(len(entries)), [*map(len, tables)])
    losses = np.full((len(entries), place.max() + 1), np.nan)
    losses[whose, place] = every["kl"]
    return losses, every.unique("row").sort("row")["patient_id"].to_numpy()


def _group_results(number: int, entries: list[Entry], compared: Pairs, draws: int, seed: int) -> list[Result]:
    """The results of entries that share rows, the best first."""
    behind = compared.difference
    best = min(range(len(entries)), key=lambda i: (np.nanmax(behind[i]), entries[i].kl))
    from_best = np.nan_to_num(behind[:, best], nan=np.inf)
    results = []
    for i in sorted(range(len(entries)), key=lambda i: (i != best, from_best[i], entries[i].kl)):
        losses, shared = entries[i].losses, int(compared.rows[i, best])
        difference, margin = (float(of[i, best]) for of in (behind, compared.margin))
        has_difference = i != best and shared > 0
        results.append(
            Result(
                entry=entries[i],
                interval=mean_interval(losses["kl"], losses["patient_id"], draws, seed),
                shared=shared,
                difference=difference if has_difference else None,
                difference_interval=[difference - margin, difference + margin]
                if has_difference and not np.isnan(margin)
                else None,
                group=number,
            )
        )
    return results
