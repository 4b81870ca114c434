"""Out-of-fold scores of runs: read from their folders, compared, and shown best first."""

import itertools
import re
import statistics
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl
from rich.table import Table

from hms.atomic import replacing
from hms.bootstrap import format_difference, format_interval, mean_interval
from hms.console import print_table
from hms.differences import differences
from hms.files import read_json
from hms.runs import corpus_of, files_of, read_config, scored_folds
from hms.scores import percent, score_folds
from hms.settings import settings


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
    """Print a table with a row per run."""
    columns = differences([result.run.settings for result in results])
    known = any(result.run.gap_closed is not None for result in results)
    title = "Out-of-fold KL, best first; 95 % by bootstrap over patients, +- is the SD over seeds"
    selection = "The best run was selected on these same rows: among many equal runs, some look worse by chance."
    table = Table(title=title, title_justify="left", caption_justify="left")
    table.caption = selection if len(results) > 1 else None
    table.add_column("run", overflow="fold")
    for name in columns:
        table.add_column(name, overflow="fold")
    gap = ["gap closed"] if known else []
    against = ["against the best"] if len(results) > 1 else []
    for name in ("folds", "seeds", "KL", "95 %", *against, "+-", "by fold", *gap, "minutes", "params", "MB"):
        table.add_column(name, justify="right", style="bold" if name == "KL" else None, no_wrap=True)
    for i, (run, ends, *_) in enumerate(results):
        cells = [str(run.folder), *(words[i] for words in columns.values()), _ranges(run.folds), str(len(run.seeds))]
        cells += [f"{run.kl:.3f}", format_interval(ends, digits=3), *([_against(results[i])] if against else [])]
        cells += ["-" if run.sd is None else f"{run.sd:.3f}", f"{min(run.kl_by_fold):.3f}-{max(run.kl_by_fold):.3f}"]
        cells += [percent(run.gap_closed)] if known else []
        cells += [f"{run.minutes:.1f}", "-" if run.parameters is None else f"{run.parameters / 1e6:.1f} M"]
        table.add_row(*cells, "-" if run.megabytes is None else f"{run.megabytes:.1f}")
    print_table(table, width=180)
    if len({tuple(result.run.folds) for result in results}) > 1:
        print("Not all runs have the same folds: scores on different patients are not comparable.")
    if missing := [f"{run.folder} ({', '.join(run.missing)})" for run, *_ in results if run.missing]:
        print(f"Folds missing for some seeds: {', '.join(missing)}. KL is over all windows, +- over the common folds.")
    if taught := [str(run.folder) for run, *_ in results if "teacher_labels" in run.settings.get("augmentation", {})]:
        print(f"{', '.join(taught)}: learned from a teacher that saw the held-out patients, so its KL looks too good.")


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
        | {"corpus": f"{Path(config['data']['root']).name} {corpus[:4]}"},
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
