"""Compared runs as a table, on the terminal and as a CSV file, with the settings in which they differ."""

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import polars as pl

from hms.results.comparison import Result, same_rows
from hms.results.differences import differences
from hms.results.entry import Entry, Training
from hms.runs.settings import with_same_settings
from hms.runs.teacher import LEARNED_FROM_TEACHER
from hms.scoring.bootstrap import FEWEST_PATIENTS, format_difference, format_interval
from hms.scoring.scores import percent
from hms.system.atomic import write_table
from hms.system.console import counted, print_columns, print_paragraph

_LEAST_IMPORTANT_FIRST = [
    *(["MB"], ["params"], ["minutes"], ["by fold"], ["+-"], ["seeds"], ["folds"], ["gap closed"]),
    *(["rows"], ["shared"], ["against the best"]),
]
"""Columns that a narrow terminal goes without."""


def print_results(results: list[Result]) -> None:
    """Print a table with a row per run, then the settings in which runs differ, and what to bear in mind.

    A line in the table separates groups of runs that share no rows.
    """
    entries, same = [result.entry for result in results], same_rows(results)

    def of_runs(cell: Callable[[Training], str]) -> list[str]:
        return [cell(entry.training) if entry.training else "-" for entry in entries]

    columns = {
        "run": [str(entry.folder) for entry in entries],
        "folds": of_runs(lambda run: _ranges(run.numbers)),
        "seeds": of_runs(lambda run: str(len(run.seeds))),
        "rows": [f"{len(entry.losses):,}" for entry in entries],
        "KL": [f"{entry.kl:.3f}" for entry in entries],
        "95 %": [format_interval(result.interval, digits=3) for result in results],
        "against the best": [_against(result) for result in results],
        "shared": ["-" if result.is_best else f"{result.shared:,}" for result in results],
        "+-": of_runs(lambda run: "-" if run.sd is None else f"{run.sd:.3f}"),
        "by fold": of_runs(lambda run: f"{min(run.kl_by_fold):.3f}-{max(run.kl_by_fold):.3f}"),
        "gap closed": [percent(entry.gap_closed) for entry in entries],
        "minutes": of_runs(lambda run: f"{run.minutes:.1f}"),
        "params": of_runs(lambda run: f"{run.parameters / 1e6:.1f} M"),
        "MB": of_runs(lambda run: "-" if run.megabytes is None else f"{run.megabytes:.1f}"),
    }
    if len(entries) == 1:
        del columns["against the best"]
    if same:
        del columns["rows"], columns["shared"]
    if all(entry.gap_closed is None for entry in entries):
        del columns["gap closed"]
    evaluations = [(entry, entry.evaluation) for entry in entries if entry.evaluation]
    what = "KL, out of fold or of an evaluation" if evaluations else "Out-of-fold KL"
    title = f"{what}, best first; 95 % by bootstrap over patients, +- is the SD over seeds"
    ends = [i for i, (one, other) in enumerate(pairwise(results)) if one.group != other.group]
    if left_out := print_columns(title, columns, _LEAST_IMPORTANT_FIRST, sections=ends):
        print(f"This terminal is too narrow for: {', '.join(left_out)}.")
    _say_what_is_comparable(results)
    _show_settings(trained := _trained(entries))
    for group in with_same_settings([*trained]):
        print(f"{', '.join(map(str, group))}: the same settings under different names.")
    if missing := [f"{folder} ({', '.join(run.missing)})" for folder, run in trained.items() if run.missing]:
        print(f"Folds missing for some seeds: {', '.join(missing)}. KL is over all windows, +- over any common folds.")
    if taught := [str(folder) for folder, run in trained.items() if run.is_student]:
        print(f"{', '.join(taught)}: {LEARNED_FROM_TEACHER}")
    for entry, evaluation in evaluations:
        known = f"{evaluation.rows_maybe_trained_on:,} of {counted(len(entry.losses), 'row')}"
        seen = f"; {known} are of patients that they may have been trained on, so its KL may look too good"
        print(
            f"{entry.folder}: an evaluation of {evaluation.predicted_by}"
            f"{seen if evaluation.rows_maybe_trained_on else ''}."
        )


def write_csv(results: list[Result], path: Path) -> None:
    """Write a row per run: its differences from the others, and every figure of the table in full precision."""
    trained = _trained([result.entry for result in results])
    columns = differences([run.settings | run.learned_from for run in trained.values()])
    place = {folder: i for i, folder in enumerate(trained)}
    rows = [
        {
            "run": str(entry.folder),
            **{name: words[place[entry.folder]] if run else None for name, words in columns.items()},
            "folds": " ".join(map(str, run.numbers)) if run else None,
            "seeds": len(run.seeds) if run else None,
            "rows": len(entry.losses),
            "kl": entry.kl,
            **dict(zip(("kl_low", "kl_high"), result.interval or (None, None), strict=True)),
            "kl_sd_seeds": run.sd if run else None,
            "kl_fold_min": min(run.kl_by_fold) if run else None,
            "kl_fold_max": max(run.kl_by_fold) if run else None,
            "shared_rows": result.shared,
            "difference": result.difference,
            **dict(zip(("difference_low", "difference_high"), result.difference_interval or (None, None), strict=True)),
            "gap_closed": entry.gap_closed,
            "minutes": run.minutes if run else None,
            "parameters": run.parameters if run else None,
            "megabytes": run.megabytes if run else None,
            "predicted_by": evaluation.predicted_by if evaluation else None,
            "rows_maybe_trained_on": evaluation.rows_maybe_trained_on if evaluation else 0,
        }
        for result in results
        for entry, run, evaluation in [(result.entry, result.entry.training, result.entry.evaluation)]
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    write_table(path, pl.DataFrame(rows, infer_schema_length=None))


def _trained(entries: list[Entry]) -> dict[Path, Training]:
    """The runs among the entries, by their folders."""
    return {entry.folder: entry.training for entry in entries if entry.training}


def _say_what_is_comparable(results: list[Result]) -> None:
    if all(result.shared == 0 for result in results):
        print("Validated on different rows: no two runs share any, so their scores are not comparable.")
        return
    if not same_rows(results):
        print("Validated on different rows: KL depends on them; read 'against the best', which is on shared rows.")
    if any(result.interval is None for result in results):
        print(f"Fewer than {FEWEST_PATIENTS} patients have no interval, nor have few of very unequal shares.")
    if any(result.difference_interval for result in results):
        print("Where the interval of a difference contains 0, other patients might reverse the order.")
        if sum(result.difference is not None for result in results) > 1:
            print("These intervals hold at once for all runs that share rows, as the best was chosen on these rows.")
    if any(round(result.difference or 0, 3) < 0 for result in results):
        print("No run is best against all others on shared rows: the one called best loses by the least.")
    if len({result.group for result in results}) > 1:
        print("Runs on two sides of a line share no rows and are not compared.")


def _show_settings(runs: dict[Path, Training]) -> None:
    """Print a paragraph per run: the settings of the first that others do not share, and how each other differs.

    Settings are written as on a command line; what a run learned from, which is none, follows in brackets.
    """
    columns = differences([run.settings for run in runs.values()])
    read = differences([run.learned_from for run in runs.values()])
    if columns or read:
        print("Settings that differ, of the first run and, where not the same, of the others:")
    for i, folder in enumerate(runs if columns or read else []):
        words = [f"{name}={value}" for name, value in _own(columns, i)]
        if files := ", ".join(f"{name} {value}" for name, value in _own(read, i)):
            words.append(f"({files})")
        print_paragraph(f"  {folder}: {' '.join(words) or 'the same'}", indent=6)


def _own(columns: dict[str, list[str]], i: int) -> list[tuple[str, str]]:
    """The names and cells of a row that it does not share with the first; of the first, all that are not empty."""
    return [(name, cells[i]) for name, cells in columns.items() if cells[i] and (i == 0 or cells[i] != cells[0])]


def _against(result: Result) -> str:
    if result.is_best:
        return "best"
    if result.difference is None:
        return "no shared rows"
    return format_difference(result.difference, result.difference_interval, digits=3)


def _ranges(numbers: list[int]) -> str:
    is_range = len(numbers) > 2 and numbers == list(range(numbers[0], numbers[-1] + 1))
    return f"{numbers[0]}-{numbers[-1]}" if is_range else " ".join(map(str, numbers))
