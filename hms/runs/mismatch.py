"""Warn if runs that predict together may not belong together: a pattern such as `runs/member_*` takes in old ones, too.

A folder from which only predictions are made, such as that of a Kaggle notebook, lacks the files to compare.
"""

from collections import defaultdict
from pathlib import Path

from hms.folder_names import FoldName, RunName, counts_of
from hms.runs.bundle import is_bundle
from hms.runs.folder import FoldsOfRuns, finished_folds, is_of_all_patients
from hms.runs.provenance import corpora_of, read_config
from hms.system.console import counted, say


def warn_of_mismatches(folds: FoldsOfRuns) -> None:
    """Print a line for each way in which runs do not match."""
    if len(folds) > 1:
        if not any([_warn_of_lacking(run, used) for run, used in folds.items()]):
            _warn_of_different_counts(folds)
        _warn_of_namesakes({used[0].parent for run, used in folds.items() if not is_bundle(run)})
        _warn_of_corpora(folds)


def warn_of_unused(folds: FoldsOfRuns) -> None:
    """Print one line if runs leave out their models of all patients."""
    unused = {
        run: others
        for run, used in folds.items()
        if used[0].parent == run
        if (others := [fold for fold in finished_folds(run) if is_of_all_patients(fold) and fold not in used])
    }
    if not unused:
        return
    names = ", ".join(str(fold) for others in unused.values() for fold in others)
    who = f"{len(unused)} runs predict by their folds"
    if len(unused) == 1:
        who = "".join(f"{run} predicts by its {counted(len(folds[run]), 'fold')}" for run in unused)
    say(f"{who}, without fold=all; to predict by that, name {names}")


def _warn_of_lacking(run: Path, used: list[Path]) -> bool:
    if run == used[0] or not (used[0] / "config.yaml").is_file() or (config := read_config(used[0])).get("live"):
        return False  # a fold was named, not a run; or there is no cross-validation
    names = [name for fold in used if (name := FoldName.parse(fold.name)) and name.fold != "all"]
    seeds = sorted({name.seed for name in names})
    wanted = [FoldName(fold, seed) for seed in seeds for fold in range(config["folds"])]
    lacking = [str(name) for name in wanted if name not in names]
    if lacking:
        say(f"{run} has {len(wanted) - len(lacking)} of its {len(wanted)} folds; it lacks {', '.join(lacking)}")
    return bool(lacking)


def _warn_of_different_counts(folds: FoldsOfRuns) -> None:
    counts = {}
    for run, used in folds.items():
        counts[run] = "fold=all" if is_of_all_patients(used[0]) else counted(counts_of(used).folds, "fold")
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


def _warn_of_corpora(folds: FoldsOfRuns) -> None:
    of_corpus = defaultdict(list)
    for run, used in folds.items():
        for corpus in sorted(corpora_of(run)) if is_bundle(run) or (used[0] / "provenance.json").is_file() else ():
            of_corpus[corpus].append(str(run))
    if len(of_corpus) > 1:
        listed = "; ".join(f"{corpus}: {', '.join(names)}" for corpus, names in of_corpus.items())
        say(f"these runs learned from different corpora: {listed}")
