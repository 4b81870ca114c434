"""Compared runs as a table, on the terminal and as a CSV file, with the settings in which they differ."""

from itertools import pairwise
from pathlib import Path

import polars as pl

from hms.results.comparison import Result, same_rows
from hms.results.differences import differences
from hms.results.run import Run
from hms.runs.settings import with_same_settings
from hms.runs.teacher import LEARNED_FROM_TEACHER
from hms.scoring.bootstrap import format_difference, format_interval
from hms.scoring.scores import percent
from hms.system.atomic import replacing
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
    runs, same = [result.run for result in results], same_rows(results)
    columns = {
        "run": [str(run.folder) for run in runs],
        "folds": [_ranges(run.numbers) for run in runs],
        "seeds": [str(len(run.seeds) or "-") for run in runs],
        "rows": [f"{len(run.losses):,}" for run in runs],
        "KL": [f"{run.kl:.3f}" for run in runs],
        "95 %": [format_interval(result.interval, digits=3) for result in results],
        "against the best": [_against(result) for result in results],
        "shared": ["-" if result.is_best else f"{result.shared:,}" for result in results],
        "+-": ["-" if run.sd is None else f"{run.sd:.3f}" for run in runs],
        "by fold": [f"{min(kls):.3f}-{max(kls):.3f}" if (kls := run.kl_by_fold) else "-" for run in runs],
        "gap closed": [percent(run.gap_closed) for run in runs],
        "minutes": ["-" if run.minutes is None else f"{run.minutes:.1f}" for run in runs],
        "params": ["-" if run.parameters is None else f"{run.parameters / 1e6:.1f} M" for run in runs],
        "MB": ["-" if run.megabytes is None else f"{run.megabytes:.1f}" for run in runs],
    }
    if len(runs) == 1:
        del columns["against the best"]
    if same:
        del columns["rows"], columns["shared"]
    if all(run.gap_closed is None for run in runs):
        del columns["gap closed"]
    what = "KL, out of fold or of an evaluation" if any(run.predicted_by for run in runs) else "Out-of-fold KL"
    title = f"{what}, best first; 95 % by bootstrap over patients, +- is the SD over seeds"
    ends = [i for i, (one, other) in enumerate(pairwise(results)) if one.group != other.group]
    if left_out := print_columns(title, columns, _LEAST_IMPORTANT_FIRST, sections=ends):
        print(f"This terminal is too narrow for: {', '.join(left_out)}.")
    _say_what_is_comparable(results)
    _show_settings(trained := [run for run in runs if not run.predicted_by])
    for group in with_same_settings([run.folder for run in trained]):
        print(f"{', '.join(map(str, group))}: the same settings under different names.")
    if missing := [f"{run.folder} ({', '.join(run.missing)})" for run in runs if run.missing]:
        print(f"Folds missing for some seeds: {', '.join(missing)}. KL is over all windows, +- over any common folds.")
    if taught := [str(run.folder) for run in runs if run.is_student]:
        print(f"{', '.join(taught)}: {LEARNED_FROM_TEACHER}")
    for run in (run for run in runs if run.predicted_by):
        known = f"{run.rows_maybe_trained_on:,} of {counted(len(run.losses), 'row')}"
        seen = f"; {known} are of patients that they may have been trained on, so its KL may look too good"
        print(f"{run.folder}: an evaluation of {run.predicted_by}{seen if run.rows_maybe_trained_on else ''}.")


def write_csv(results: list[Result], path: Path) -> None:
    """Write a row per run: its differences from the others, and every figure of the table in full precision."""
    runs = [result.run for result in results]
    trained = [run for run in runs if not run.predicted_by]
    columns = differences([run.settings | run.learned_from for run in trained])
    place = {run.folder: i for i, run in enumerate(trained)}
    rows = [
        {
            "run": str(run.folder),
            **{name: words[place[run.folder]] if run.folder in place else None for name, words in columns.items()},
            "folds": " ".join(map(str, run.numbers)) or None,
            "seeds": len(run.seeds) or None,
            "rows": len(run.losses),
            "kl": run.kl,
            **dict(zip(("kl_low", "kl_high"), result.interval or (None, None), strict=True)),
            "kl_sd_seeds": run.sd,
            "kl_fold_min": min(run.kl_by_fold, default=None),
            "kl_fold_max": max(run.kl_by_fold, default=None),
            "shared_rows": result.shared,
            "difference": result.difference,
            **dict(zip(("difference_low", "difference_high"), result.difference_interval or (None, None), strict=True)),
            "gap_closed": run.gap_closed,
            "minutes": run.minutes,
            "parameters": run.parameters,
            "megabytes": run.megabytes,
            "predicted_by": run.predicted_by or None,
            "rows_maybe_trained_on": run.rows_maybe_trained_on,
        }
        for run, result in zip(runs, results, strict=True)
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as temporary:
        pl.DataFrame(rows, infer_schema_length=None).write_csv(temporary)


def _say_what_is_comparable(results: list[Result]) -> None:
    by_chance = "among many equal runs, some look worse by chance"
    if same_rows(results):
        if len(results) > 1:
            print(f"The best run was selected on these same rows: {by_chance}.")
    elif all(result.shared == 0 for result in results):
        print("Validated on different rows: no two runs share any, so their scores are not comparable.")
    else:
        print("Validated on different rows: KL depends on them; read 'against the best', which is on shared rows.")
        print(f"The best was selected on shared rows, too: {by_chance}.")
        if any(round(result.difference or 0, 3) < 0 for result in results):
            print("No run is best against all others on shared rows: the one called best loses by the least.")
        if len({result.group for result in results}) > 1:
            print("Runs on two sides of a line share no rows and are not compared.")


def _show_settings(runs: list[Run]) -> None:
    """Print a paragraph per run: the settings of the first that others do not share, and how each other differs.

    Settings are written as on a command line; what a run learned from, which is none, follows in brackets.
    """
    columns, read = differences([run.settings for run in runs]), differences([run.learned_from for run in runs])
    if columns or read:
        print("Settings that differ, of the first run and, where not the same, of the others:")
    for i, run in enumerate(runs if columns or read else []):
        words = [f"{name}={value}" for name, value in _own(columns, i)]
        if files := ", ".join(f"{name} {value}" for name, value in _own(read, i)):
            words.append(f"({files})")
        print_paragraph(f"  {run.folder}: {' '.join(words) or 'the same'}", indent=6)


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
    return f"{numbers[0]}-{numbers[-1]}" if is_range else " ".join(map(str, numbers)) or "-"
