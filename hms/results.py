"""What runs scored out of fold: gathered from their folders, compared, and shown best first."""

import re
import statistics
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl
from rich.table import Table

from hms.atomic import replacing
from hms.bootstrap import bootstrap_means, interval, told
from hms.console import print_table
from hms.differences import differences
from hms.files import read_json
from hms.labels import CLASSES, VOTE_COLUMNS, target_of
from hms.metric import gap_closed, kl_divergence
from hms.runs import corpus_of, read_config, scored_folds, settings
from hms.scores import read_predictions, score


class Run(NamedTuple):
    """A run's settings, and the out-of-fold scores of its finished folds by seed."""

    folder: Path
    settings: dict[str, Any]
    folds: list[int]
    kl: dict[int, float]
    """KL in nats over the rows of all folds, by seed."""
    by_fold: list[float]
    gap_closed: float | None
    minutes: float
    parameters: int | None
    """None for a run that was trained before they were noted."""
    megabytes: float | None
    """Of one fold's model.ckpt."""
    corpus: str
    losses: pl.DataFrame
    """`label_id`, `patient_id` and `kl`, the mean over seeds."""

    @property
    def mean(self) -> float:
        """KL, the mean over seeds."""
        return statistics.mean(self.kl.values())


class Result(NamedTuple):
    """A run beside the best one; ends of an interval hold 95 % of the draws of a bootstrap over patients."""

    run: Run
    interval: list[float]
    shared: int
    """Rows that the best run has, too."""
    difference: float | None
    """Mean over the shared rows of KL - KL of the best; None for the best, and where there are none."""
    difference_interval: list[float] | None


def compare(runs: Iterable[Path], draws: int = 2000, seed: int = 0) -> list[Result]:
    """Read the finished folds of some runs, best first. Raises DataError for a run that has none."""
    best, *others = sorted(map(_read, runs), key=lambda run: run.mean)
    return [_result(run, best, draws, seed) for run in (best, *others)]


def show(results: list[Result]) -> None:
    """Print a line per run."""
    columns = differences([result.run.settings for result in results])
    known = any(result.run.gap_closed is not None for result in results)
    title = "Out-of-fold KL, best first; 95 % by bootstrap over patients, +- is the SD over seeds"
    table = Table(title=title, title_justify="left")
    table.add_column("run", overflow="fold")
    for name in columns:
        table.add_column(name, overflow="fold")
    gap = ["gap closed"] if known else []
    against = ["against the best"] if len(results) > 1 else []
    for name in ("folds", "seeds", "KL", "95 %", *against, "+-", "of a fold", *gap, "minutes", "params", "MB"):
        table.add_column(name, justify="right", style="bold" if name == "KL" else None, no_wrap=True)
    for i, (run, ends, *_) in enumerate(results):
        cells = [str(run.folder), *(words[i] for words in columns.values()), _ranges(run.folds), str(len(run.kl))]
        cells += [f"{run.mean:.3f}", f"{ends[0]:.3f}-{ends[1]:.3f}", *([_against(results[i])] if against else [])]
        cells += [f"{statistics.stdev(run.kl.values()):.3f}" if len(run.kl) > 1 else "-"]
        cells += [f"{min(run.by_fold):.3f}-{max(run.by_fold):.3f}"]
        cells += ["-" if run.gap_closed is None else f"{run.gap_closed:.0%}"] if known else []
        cells += [f"{run.minutes:.1f}", "-" if run.parameters is None else f"{run.parameters / 1e6:.1f} M"]
        table.add_row(*cells, "-" if run.megabytes is None else f"{run.megabytes:.1f}")
    print_table(table, width=180)
    if len({tuple(result.run.folds) for result in results}) > 1:
        print("Not all runs have the same folds: figures of different patients do not compare.")


def write_csv(results: list[Result], path: Path) -> None:
    """Write a line per run: what differs, and every figure of the table in full."""
    columns = differences([result.run.settings for result in results])
    lines = [
        {
            "run": str(run.folder),
            **{name: words[i] for name, words in columns.items()},
            "folds": " ".join(map(str, run.folds)),
            "seeds": len(run.kl),
            "rows": len(run.losses),
            "kl": run.mean,
            **dict(zip(("kl_low", "kl_high"), ends, strict=True)),
            "kl_sd_seeds": statistics.stdev(run.kl.values()) if len(run.kl) > 1 else None,
            "shared_rows": shared,
            "difference": difference,
            **dict(zip(("difference_low", "difference_high"), apart or (None, None), strict=True)),
            "gap_closed": run.gap_closed,
            "minutes": run.minutes,
            "parameters": run.parameters,
            "megabytes": run.megabytes,
        }
        for i, (run, ends, shared, difference, apart) in enumerate(results)
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as temporary:
        pl.DataFrame(lines, infer_schema_length=None).write_csv(temporary)


def _result(run: Run, best: Run, draws: int, seed: int) -> Result:
    patient_id, kl = run.losses["patient_id"].to_numpy(), run.losses["kl"].to_numpy()
    ends = interval(bootstrap_means(kl[None], patient_id, draws, seed))[0].tolist()
    both = run.losses.join(best.losses, on="label_id", suffix="_best") if run.corpus == best.corpus else run.losses[:0]
    if run is best or both.is_empty():
        return Result(run, ends, len(both), None, None)
    apart = (both["kl"] - both["kl_best"]).to_numpy()
    means = bootstrap_means(apart[None], both["patient_id"].to_numpy(), draws, seed)
    return Result(run, ends, len(both), float(apart.mean()), interval(means)[0].tolist())


def _read(folder: Path) -> Run:
    folders = scored_folds(folder)
    config = read_config(folders[0])
    scores = [read_json(fold / "scores.json", "kl", "rows", "seconds") for fold in folders]
    named = [[int(number) for number in re.findall(r"\d+", fold.name)] for fold in folders]  # fold{f}_seed{s}
    of_seed = defaultdict(list)
    for (_, seed), one in zip(named, scores, strict=True):
        of_seed[seed].append(one)
    table = pl.concat(read_predictions(fold / "oof.parquet") for fold in folders)
    gap = None
    if all("oracle" in one for one in scores):
        pooled = score(table)
        gap = gap_closed(pooled["kl"], pooled["prior"], _pooled("oracle", scores))
    kl = kl_divergence(target_of(table.select(VOTE_COLUMNS).to_numpy()), table.select(CLASSES).to_numpy())
    losses = table.select("label_id", "patient_id", kl=pl.Series(kl)).group_by("label_id", maintain_order=True)
    checkpoint, corpus = folders[0] / "model.ckpt", corpus_of(folders[0])
    return Run(
        folder=folder,
        settings=settings(config) | {"corpus": f"{Path(config['data']['root']).name} {corpus[:4]}"},
        folds=sorted({fold for fold, _ in named}),
        kl={seed: _pooled("kl", of_seed[seed]) for seed in sorted(of_seed)},
        by_fold=[one["kl"] for one in scores],
        gap_closed=gap,
        minutes=sum(one["seconds"] for one in scores) / 60,
        parameters=scores[0].get("parameters"),
        megabytes=checkpoint.stat().st_size / 1e6 if checkpoint.is_file() else None,
        corpus=corpus,
        losses=losses.agg(pl.col("patient_id").first(), pl.col("kl").mean()),
    )


def _pooled(name: str, scores: list[dict[str, Any]]) -> float:
    """The mean over the rows of several folds."""
    total: float = sum(one[name] * one["rows"] for one in scores)
    return total / sum(one["rows"] for one in scores)


def _against(result: Result) -> str:
    if result.difference is None or result.difference_interval is None:
        return "no shared rows" if result.shared == 0 else "best"
    return told(result.difference, result.difference_interval, "best", digits=3)


def _ranges(numbers: list[int]) -> str:
    whole = numbers == list(range(numbers[0], numbers[-1] + 1)) and len(numbers) > 2
    return f"{numbers[0]}-{numbers[-1]}" if whole else " ".join(map(str, numbers))
