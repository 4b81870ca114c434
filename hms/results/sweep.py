"""The runs of a sweep, compared once all its jobs have ended."""

import shlex
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

from hms.config.build import build
from hms.data.corpus import fingerprint
from hms.errors import UserError
from hms.folder_names import is_finished
from hms.results.comparison import compare
from hms.results.table import print_results
from hms.runs.folder import fold_folder
from hms.system.console import say


def print_sweep(jobs: list[tuple[list[str], dict[str, Any]]]) -> None:
    """Print the scores of a sweep's runs and the settings in which they differ, and name the jobs left unfinished.

    Each job is given by its overrides, less those that all jobs share, and its config.
    """
    finished: dict[Path, None] = {}
    unfinished, cached = [], cache(fingerprint)  # a fingerprint looks at every file of a corpus
    for words, config in jobs:
        fold = None
        with suppress(UserError):  # without its corpus a job has no folder; it has reported what is wrong
            fold = fold_folder(config, cached(build(config["data"]).root))
        if fold is None or not is_finished(fold):
            unfinished.append(" ".join([" ", *map(shlex.quote, words), *([f"({fold})"] if fold else [])]))
        elif (fold / "oof.parquet").is_file():
            finished[fold.parent] = None
    if finished:
        print_results(compare(finished))
    if unfinished:
        again = "the same command runs them again, or in place of what it sweeps:"
        say("\n".join([f"{len(unfinished)} of {len(jobs)} jobs did not finish: {again}", *unfinished]))
