"""Out-of-fold scores of runs: read from their folders, compared, and shown best first."""

import itertools
import re
import statistics
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl

from hms.data.files import read_json
from hms.differences import differences
from hms.runs.folder import corpus_of, files_of, read_config, scored_folds
from hms.runs.settings import settings, with_same_settings
from hms.runs.teacher import LEARNED_FROM_TEACHER, learned_from_teacher
from hms.scoring.bootstrap import format_difference, format_interval, mean_interval
from hms.scoring.scores import percent, score_folds
from hms.system.atomic import replacing
from hms.system.console import print_columns, print_paragraph

_LEAST_IMPORTANT_FIRST = [
    [name] for name in ("MB", "params", "minutes", "by fold", "+-", "seeds", "folds", "gap closed", "against the best")
]
"""Columns that a narrow terminal goes without."""


class Run(NamedTuple):
    """A run's settings and the out-of-fold scores of its finished folds; a window of several seeds counts once."""

    folder: Path
    settings: dict[str, Any]
    folds: list[int]
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
    minutes: float
    parameters: int | None
    """None for a run from before they were recorded."""
    megabytes: float | None
    """Of one fold's model.ckpt."""
    corpus: str
    losses: pl.DataFrame
    """`label_id`, `patient_id` and `kl`, the mean over seeds."""

    @property
    def sd(self) -> float | None:
        """Standard deviation over seeds; None for fewer than two with a common fold."""
        return statistics.stdev(self.kl_by_seed) if len(self.kl_by_seed) > 1 else None


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
    best, *others = sorted(map(_read, runs), key=lambda run: run.kl)
    return [_result(run, best, draws, seed) for run in (best, *others)]


def show(results: list[Result]) -> None:
    """Print a table with a row per run, then the settings in which runs differ, and what to bear in mind."""
    runs = [result.run for result in results]
    columns = {
        "run": [str(run.folder) for run in runs],
        "folds": [_ranges(run.folds) for run in runs],
        "seeds": [str(len(run.seeds)) for run in runs],
        "KL": [f"{run.kl:.3f}" for run in runs],
        "95 %": [format_interval(result.interval, digits=3) for result in results],
        "against the best": [_against(result) for result in results],
        "+-": ["-" if run.sd is None else f"{run.sd:.3f}" for run in runs],
        "by fold": [f"{min(run.kl_by_fold):.3f}-{max(run.kl_by_fold):.3f}" for run in runs],
        "gap closed": [percent(run.gap_closed) for run in runs],
        "minutes": [f"{run.minutes:.1f}" for run in runs],
        "params": ["-" if run.parameters is None else f"{run.parameters / 1e6:.1f} M" for run in runs],
        "MB": ["-" if run.megabytes is None else f"{run.megabytes:.1f}" for run in runs],
    }
    if len(runs) == 1:
        del columns["against the best"]
    if all(run.gap_closed is None for run in runs):
        del columns["gap closed"]
    title = "Out-of-fold KL, best first; 95 % by bootstrap over patients, +- is the SD over seeds"
    if left_out := print_columns(title, columns, _LEAST_IMPORTANT_FIRST):
        print(f"This terminal is too narrow for: {', '.join(left_out)}.")
    if len(runs) > 1:
        print("The best run was selected on these same rows: among many equal runs, some look worse by chance.")
    _show_settings(runs)
    for group in with_same_settings([run.folder for run in runs]):
        print(f"{', '.join(map(str, group))}: the same settings under different names.")
    if len({tuple(run.folds) for run in runs}) > 1:
        print("Not all runs have the same folds: scores on different patients are not comparable.")
    if missing := [f"{run.folder} ({', '.join(run.missing)})" for run in runs if run.missing]:
        print(f"Folds missing for some seeds: {', '.join(missing)}. KL is over all windows, +- over the common folds.")
    if taught := [str(run.folder) for run in runs if learned_from_teacher(run.settings)]:
        print(f"{', '.join(taught)}: {LEARNED_FROM_TEACHER}")


def _show_settings(runs: list[Run]) -> None:
    """Print a paragraph per run: the settings of the best that others do not share, and how each other differs."""
    columns = differences([run.settings for run in runs])
    if columns:
        print("Settings that differ, of the best run and, where not the same, of the others:")
    for i, run in enumerate(runs if columns else []):
        words = [
            f"{name}={cells[i]}" for name, cells in columns.items() if cells[i] and (i == 0 or cells[i] != cells[0])
        ]
        print_paragraph(f"  {run.folder}: {' '.join(words) or 'the same'}", indent=6)


def write_csv(results: list[Result], path: Path) -> None:
    """Write a row per run: its differences from the others, and every figure of the table in full precision."""
    columns = differences([result.run.settings for result in results])
    rows = [
        {
            "run": str(run.folder),
            **{name: words[i] for name, words in columns.items()},
            "folds": " ".join(map(str, run.folds)),
            "seeds": len(run.seeds),
            "rows": len(run.losses),
            "kl": run.kl,
            **dict(zip(("kl_low", "kl_high"), ends or (None, None), strict=True)),
            "kl_sd_seeds": run.sd,
            "shared_rows": shared,
            "difference": difference,
            **dict(zip(("difference_low", "difference_high"), difference_ends or (None, None), strict=True)),
            "gap_closed": run.gap_closed,
            "minutes": run.minutes,
            "parameters": run.parameters,
            "megabytes": run.megabytes,
        }
        for i, (run, ends, shared, difference, difference_ends) in enumerate(results)
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as temporary:
        pl.DataFrame(rows, infer_schema_length=None).write_csv(temporary)


def _result(run: Run, best: Run, draws: int, seed: int) -> Result:
    ends = mean_interval(run.losses["kl"].to_numpy(), run.losses["patient_id"].to_numpy(), draws, seed)
    both = run.losses.join(best.losses, on="label_id", suffix="_best") if run.corpus == best.corpus else run.losses[:0]
    if run is best or both.is_empty():
        return Result(run, ends, len(both), None, None)
    difference = (both["kl"] - both["kl_best"]).to_numpy()
    difference_ends = mean_interval(difference, both["patient_id"].to_numpy(), draws, seed)
    return Result(run, ends, len(both), float(difference.mean()), difference_ends)


def _read(folder: Path) -> Run:
    folders = scored_folds(folder)
    config = read_config(folders[0])
    scores = [read_json(fold / "scores.json", "kl", "rows", "seconds") for fold in folders]
    pairs = [tuple(int(number) for number in re.findall(r"\d+", fold.name)) for fold in folders]  # fold{f}_seed{s}
    folds, seeds = ({*numbers} for numbers in zip(*pairs, strict=True))
    missing = sorted({*itertools.product(folds, seeds)} - {*pairs})
    common = folds - {fold for fold, _ in missing}
    score_of = dict(zip(pairs, scores, strict=True))
    overall, rows = score_folds(folders)
    checkpoint, corpus = folders[0] / "model.ckpt", corpus_of(folders[0])
    return Run(
        folder=folder,
        settings=settings(config)
        | files_of(folders[0])
        | {"corpus": f"{Path(config['data']['root']).name}-{corpus[:4]}"},
        folds=sorted(folds),
        seeds=sorted(seeds),
        missing=[f"fold{fold}_seed{seed}" for fold, seed in missing],
        kl=overall["kl"],
        kl_by_seed=[_pooled([score_of[fold, seed] for fold in common]) for seed in sorted(seeds) if common],
        kl_by_fold=[score["kl"] for score in scores],
        gap_closed=overall.get("gap_closed"),
        minutes=sum(score["seconds"] for score in scores) / 60,
        parameters=scores[0].get("parameters"),
        megabytes=checkpoint.stat().st_size / 1e6 if checkpoint.is_file() else None,
        corpus=corpus,
        losses=rows.select("label_id", "patient_id", "kl"),
    )


def _pooled(scores: list[dict[str, Any]]) -> float:
    """KL over the rows of several folds."""
    total: float = sum(score["kl"] * score["rows"] for score in scores)
    return total / sum(score["rows"] for score in scores)


def _against(result: Result) -> str:
    if result.difference is None:
        return "no shared rows" if result.shared == 0 else "best"
    return format_difference(result.difference, result.difference_interval, digits=3)


def _ranges(numbers: list[int]) -> str:
    is_range = numbers == list(range(numbers[0], numbers[-1] + 1)) and len(numbers) > 2
    return f"{numbers[0]}-{numbers[-1]}" if is_range else " ".join(map(str, numbers))
