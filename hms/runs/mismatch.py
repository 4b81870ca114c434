"""Warn if runs that predict together, or runs and a corpus, may not belong together.

A pattern such as `runs/member_*` takes in old runs, too, and `data` chooses simulated EEG where it is left out.

A folder from which only predictions are made, such as that of a Kaggle notebook, lacks the files to compare.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from hms.errors import UserError
from hms.run_folders import RunName, by_name, counts_of, finished_folds, grid, number_of
from hms.runs.folder import unfinished
from hms.runs.provenance import corpus_of, is_simulated
from hms.runs.trained import Trained
from hms.system.console import counted, say


def want_simulated_for(runs: Sequence[Trained], config: dict[str, Any], root: Path) -> None:
    """Raise UserError if EEG would first be simulated at `root` to be predicted by runs that learned from real EEG.

    That is what `data` chooses where it is left out, and takes minutes.
    """
    if not is_simulated(config) or (root / "train.csv").is_file():
        return
    if runs and all(run.learned_from_simulation is False for run in runs):
        own = "".join(f" data.root={run.config['data']['root']}" for run in runs[:1] if run.config)
        wish = f"data: want what to predict, such as data=competition{own}, as {runs[0].path} learned from real EEG"
        raise UserError(f"{wish}; got {root}, which would be simulated (hms.simulate does it)")


def warn_of_mismatches(runs: Sequence[Trained]) -> None:
    """Print a line for each way in which runs do not match."""
    if len(runs) > 1:
        if not any([_warn_of_lacking(run) for run in runs]):
            _warn_of_different_counts(runs)
        _warn_of_namesakes({run.folder for run in runs if not run.is_bundle})
        _warn_of_corpora(runs)


def warn_of_unfinished(runs: Iterable[Trained]) -> None:
    """Print a line for each run that is, or was, still in training: its other folds predict without it."""
    for run in runs:
        if begun := unfinished(run.path):
            say(f"{run.path} predicts by its finished folds; it has {begun}")


def warn_of_unused(runs: Iterable[Trained]) -> None:
    """Print one line if runs leave out their models of all patients."""
    unused = [(run, left_out) for run in runs if (left_out := _left_out(run))]
    if not unused:
        return
    names = ", ".join(str(fold) for _, left_out in unused for fold in left_out)
    who = f"{len(unused)} runs predict by their folds"
    if len(unused) == 1:
        who = "".join(f"{run.path} predicts by its {counted(len(run.folds), 'fold')}" for run, _ in unused)
    say(f"{who}, without fold=all; to predict by that, name {names}")


def _left_out(run: Trained) -> list[Path]:
    return [fold for fold in finished_folds(run.path) if number_of(fold) == "all" and fold not in run.folds]


def _warn_of_lacking(run: Trained) -> bool:
    if run.is_single_fold or (config := run.config) is None or config.get("live"):
        return False  # there is no cross-validation, or only one fold of it is wanted
    wanted, there = grid(run.folds, range(config["folds"])), by_name(run.folds)
    lacking = [str(name) for name in wanted if name not in there]
    if lacking:
        say(f"{run.path} has {len(wanted) - len(lacking)} of its {len(wanted)} folds; it lacks {', '.join(lacking)}")
    return bool(lacking)


def _warn_of_different_counts(runs: Iterable[Trained]) -> None:
    counts = {}
    for run in runs:
        of_all = number_of(run.folds[0]) == "all"
        counts[run.path] = "fold=all" if of_all else counted(counts_of(run.folds).folds, "fold")
    if len({*counts.values()}) > 1:
        say(f"these runs predict by different folds: {', '.join(f'{run} by {those}' for run, those in counts.items())}")


def _warn_of_namesakes(runs: set[Path]) -> None:
    of_name = defaultdict(list)
    for run in sorted({run.name: run for run in sorted(runs)}.values()):  # a copy elsewhere is the same run
        if found := RunName.parse(run.name):
            of_name[found.name].append(str(run))
    for name, namesakes in of_name.items():
        if len(namesakes) > 1:
            say(f"{' and '.join(namesakes)} are runs named {name} that differ in settings or data: is one out of date?")


def _warn_of_corpora(runs: Iterable[Trained]) -> None:
    learned_from = defaultdict(list)
    called: dict[str, str] = {}
    for run in runs:
        if (run.is_bundle or (run.folds[0] / "provenance.json").is_file()) and run.own_corpora:
            learned_from[frozenset(run.own_corpora)].append(str(run.path))
            called |= _name_of_corpus(run)
    if learned_from and not frozenset.intersection(*learned_from):
        listed = "; ".join(
            f"{' and '.join(sorted(called.get(corpus, corpus) for corpus in corpora))}: {', '.join(names)}"
            for corpora, names in learned_from.items()
        )
        say(f"these runs learned from different corpora: {listed}")


def _name_of_corpus(run: Trained) -> dict[str, str]:
    """The name of a run's corpus, by its fingerprint; none if no folder of it is known, as in a bundle."""
    if not (root := (run.config or {}).get("data", {}).get("root")):
        return {}
    corpus = corpus_of(run.folds[0])
    return {corpus: f"{Path(root).name}-{corpus[:4]}"}
