"""The runs that names and patterns such as `runs/member_*` on a command line stand for."""

import glob
from pathlib import Path

from hms.errors import UserError
from hms.run_folders import finished_folds, is_evaluation
from hms.runs.bundle import is_bundle
from hms.runs.folder import unfinished
from hms.system.console import say, some


def named_runs(words: str | list[str]) -> list[Path]:
    """The folders that names or patterns stand for, each once.

    A name that matches nothing is kept as it is, so that opening it reports what is wrong. Among runs, as with a
    shell's *, an ensemble is skipped and named; so is what a pattern matches without a finished fold, if there is any
    other. Raises UserError if there is no name at all, or only ensembles, and for a fold beside its run, which would
    count twice.
    """
    patterns = [words] if isinstance(words, str) else words
    if not patterns:
        raise UserError("runs: want at least one, got none")
    matches = {word: matching(word) for word in patterns}
    paths = [path for word, matched in matches.items() for path in matched or [Path(word)]]
    folders = {path.resolve(): path for path in reversed(paths)}  # the first spelling of each
    named = [path for path in dict.fromkeys(paths) if path in folders.values()]
    for folder, path in folders.items():
        if whole := folders.get(folder.parent):
            raise UserError(f"runs: want each fold once, got {path} beside {whole}, to which it belongs")
    ensembles = [path for path in named if (path / "ensemble.json").is_file()]
    if len(ensembles) == len(named):
        takers = "submit, predict, evaluate and report"
        raise UserError(f"runs: want runs, got '{ensembles[0]}', an ensemble, which {takers} take as ensemble=")
    if ensembles:
        say(f"skipped, as they are ensembles: {', '.join(map(str, ensembles))}")
    runs = [path for path in named if path not in ensembles]
    by_pattern = {path for matched in matches.values() for path in matched} - {*map(Path, patterns)}
    usable = [path for path in runs if path not in by_pattern or is_bundle(path) or finished_folds(path)]
    if usable and (skipped := [str(path) for path in runs if path not in usable and path.is_dir()]):
        say(f"skipped, as they have no finished fold: {', '.join(skipped)}")
    return usable or runs


def one_run(words: str | list[str]) -> Path:
    """The folder that a name or a pattern stands for. Raises UserError unless it is exactly one."""
    runs = named_runs(words)
    if len(runs) > 1:
        raise UserError(f"runs: want one, got {len(runs)}: {some([*map(str, runs)], 2)}")
    return runs[0]


def scored_runs(patterns: list[str], or_evaluations: bool = False) -> list[Path]:
    """The runs, each once, that match the patterns and have a finished fold with held-out patients.

    With `or_evaluations`, folders that `hms.evaluate` wrote are among them. Anything else that matches, as with a
    shell's *, is skipped, and skipped folders are named. Raises UserError for a pattern that matches nothing, and if no
    run is left.
    """
    matches = {pattern: matching(pattern) for pattern in patterns}
    paths = [*dict.fromkeys(path for matched in matches.values() for path in matched)]
    runs = [path for path in paths if _has_held_out(path) or (or_evaluations and is_evaluation(path))]
    begun = [f"{path}, which has only {words}" for path in paths if not runs and (words := unfinished(path))]
    if begun:
        raise UserError(f"runs: want a finished run, got {'; '.join(begun)}")
    if empty := patterns if not runs else [pattern for pattern, matched in matches.items() if not matched]:
        raise UserError(f"runs: no finished run matches {', '.join(empty) or '[]'}")
    if skipped := [str(path) for path in paths if path.is_dir() and path not in runs]:
        say(f"skipped, as they have no finished fold with held-out patients: {', '.join(skipped)}")
    return runs


def _has_held_out(path: Path) -> bool:
    return any((fold / "oof.parquet").is_file() for fold in finished_folds(path))


def matching(word: str) -> list[Path]:
    """What a word stands for: what has that name, brackets included, or else what it matches as a pattern."""
    return [Path(word)] if Path(word).exists() else [Path(name) for name in sorted(glob.glob(word))]
