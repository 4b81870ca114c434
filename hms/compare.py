"""`python -m hms.compare runs/*`: what differs between runs, and what each scored, best first."""

import glob
import json
import re
import statistics
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple, TypedDict

from hms.config import entry_point


class Compare(TypedDict):
    """The keys of conf/compare.yaml; their values live there."""

    runs: list[str]


class Result(NamedTuple):
    """A run's settings, and the out-of-fold scores of its finished folds by seed."""

    run: Path
    settings: dict[str, Any]
    folds: list[int]
    kl: dict[int, float]
    """KL in nats over the rows of all folds, by seed."""
    by_fold: list[float]
    gap_closed: float | None
    minutes: float


def compare(runs: Iterable[Path]) -> list[Result]:
    """Read the finished folds of some runs, best first. Raises DataError for a run that has none."""
    return sorted(map(_result, runs), key=lambda result: statistics.mean(result.kl.values()))


def differences(nodes: list[Any], place: str = "") -> dict[str, list[str]]:
    """Where some configs differ, and what each has there; what differs alike in several places is said once."""
    found: dict[tuple[str, ...], str] = {}
    for where, words in _differences(nodes, place):
        known = found.get(tuple(words))
        if known is None or (where.count("."), len(where)) < (known.count("."), len(known)):
            found[tuple(words)] = where
    return {where: list(words) for words, where in found.items()}


def show(results: list[Result]) -> None:
    """Print a line per run."""
    from rich.console import Console
    from rich.table import Table

    columns = differences([result.settings for result in results])
    known = any(result.gap_closed is not None for result in results)
    table = Table(title="Out-of-fold KL, best first; +- is the SD over seeds", title_justify="left")
    table.add_column("run", overflow="fold")
    for name in columns:
        table.add_column(name, overflow="fold")
    for name in ("folds", "seeds", "KL", "+-", "of a fold", *(["gap closed"] if known else []), "minutes"):
        table.add_column(name, justify="right", style="bold" if name == "KL" else None, no_wrap=True)
    for i, result in enumerate(results):
        kl = list(result.kl.values())
        cells = [str(result.run), *(words[i] for words in columns.values()), _ranges(result.folds), str(len(kl))]
        cells += [f"{statistics.mean(kl):.3f}", f"{statistics.stdev(kl):.3f}" if len(kl) > 1 else "-"]
        cells += [f"{min(result.by_fold):.3f}-{max(result.by_fold):.3f}"]
        cells += ["-" if result.gap_closed is None else f"{result.gap_closed:.0%}"] if known else []
        table.add_row(*cells, f"{result.minutes:.1f}")
    console = Console()
    (console if console.is_terminal else Console(width=180)).print(table)
    if len({tuple(result.folds) for result in results}) > 1:
        print("Not all runs have the same folds: figures of different patients do not compare.")


def _result(run: Path) -> Result:
    import polars as pl

    from hms.metric import gap_closed
    from hms.runs import corpus_of, read_config, scored_folds, settings
    from hms.scores import score

    folders = scored_folds(run)
    config = read_config(folders[0])
    scores = [json.loads((folder / "scores.json").read_text()) for folder in folders]
    named = [[int(number) for number in re.findall(r"\d+", folder.name)] for folder in folders]  # fold{f}_seed{s}
    of_seed = defaultdict(list)
    for (_, seed), one in zip(named, scores, strict=True):
        of_seed[seed].append(one)
    corpus = f"{Path(config['data']['root']).name} {corpus_of(folders[0])[:4]}"
    gap = None
    if all("oracle" in one for one in scores):
        pooled = score(pl.concat(pl.read_parquet(folder / "oof.parquet") for folder in folders))
        gap = gap_closed(pooled["kl"], pooled["prior"], _pooled("oracle", scores))
    return Result(
        run=run,
        settings=settings(config) | {"corpus": corpus},
        folds=sorted({fold for fold, _ in named}),
        kl={seed: _pooled("kl", of_seed[seed]) for seed in sorted(of_seed)},
        by_fold=[one["kl"] for one in scores],
        gap_closed=gap,
        minutes=sum(one["seconds"] for one in scores) / 60,
    )


def _pooled(name: str, scores: list[dict[str, Any]]) -> float:
    """The mean over the rows of several folds."""
    total: float = sum(one[name] * one["rows"] for one in scores)
    return total / sum(one["rows"] for one in scores)


def _differences(nodes: list[Any], place: str) -> Iterator[tuple[str, list[str]]]:
    if all(node == nodes[0] for node in nodes):
        return
    if not all(isinstance(node, dict) for node in nodes):
        yield place, [_word(node) for node in nodes]
        return
    if len({node.get("_target_") for node in nodes}) > 1:
        yield place, [_word(node) for node in nodes]
        return
    keys = list(dict.fromkeys(key for node in nodes for key in node))
    shared = [key for key in keys if all(key in node for node in nodes)]
    if len(shared) < len(keys) and place and "_target_" not in keys:  # things chosen by name
        yield place, ["+".join(node) or "none" for node in nodes]
        keys = shared
    for key in keys:
        yield from _differences([node.get(key, "-") for node in nodes], f"{place}.{key}" if place else key)


def _word(value: Any) -> str:
    if isinstance(value, dict):
        return str(value["_target_"]).rpartition(".")[2] if "_target_" in value else "+".join(value) or "none"
    return "null" if value is None else str(value)


def _ranges(numbers: list[int]) -> str:
    whole = numbers == list(range(numbers[0], numbers[-1] + 1)) and len(numbers) > 2
    return f"{numbers[0]}-{numbers[-1]}" if whole else " ".join(map(str, numbers))


@entry_point("compare", Compare, positional="runs")
def main(config: dict[str, Any]) -> None:
    """Compare the runs that the patterns match."""
    from hms.errors import UserError
    from hms.runs import scored_folds

    paths = [Path(name) for pattern in config["runs"] for name in sorted(glob.glob(pattern))]
    runs = [path for path in paths if any(path.glob("fold*_seed*/oof.parquet")) and scored_folds(path)]
    if not runs:
        raise UserError(f"runs: no finished run matches {', '.join(config['runs'])}")
    show(compare(runs))


if __name__ == "__main__":
    main()
