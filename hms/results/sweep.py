"""The runs of a sweep, compared once all its jobs have ended."""

from contextlib import suppress
from functools import cache
from pathlib import Path

from hms.config.build import build
from hms.config.failures import Failure, SweptJob, print_unfinished
from hms.data.identity import fingerprint
from hms.errors import UserError
from hms.results.comparison import compare
from hms.results.table import print_results
from hms.run_folders import is_finished
from hms.runs.folder import fold_folder


def print_sweep(jobs: list[SweptJob]) -> None:
    """Print the scores of a sweep's runs and the settings in which they differ, and name the jobs left unfinished."""
    finished: dict[Path, None] = {}
    unfinished: list[tuple[str, Failure | None]] = []
    cached = cache(fingerprint)  # which looks at every file of a corpus
    for job in jobs:
        fold = None
        with suppress(UserError):  # without its corpus a job has no folder; it has reported what is wrong
            fold = fold_folder(job.config, cached(build(job.config["data"]).root))
        if fold is None or not is_finished(fold):
            name = " ".join(filter(None, (str(job), f"({fold})" if fold else "")))
            unfinished.append((name, job.failure))
        elif (fold / "oof.parquet").is_file():
            finished[fold.parent] = None
    if finished:
        print_results(compare(finished))
    print_unfinished(unfinished, len(jobs))
