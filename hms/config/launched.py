"""The jobs of a sweep as its sweeper launches them, whichever sweeper it is and wherever they run."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from hydra.core.plugins import Plugins
from hydra.core.utils import JobReturn, JobStatus
from hydra.plugins.launcher import Launcher

from hms.config.failures import Failure, failure_of


@dataclass
class LaunchedJob:
    """The overrides of a job, and why it failed; None if it did not, or if its launcher failed and nobody knows."""

    overrides: list[str]
    failure: Failure | None = None


@contextmanager
def noting_jobs(told: set[str]) -> Iterator[list[LaunchedJob]]:
    """In the block, the list gets each job that a launcher of Hydra's is told to run; `told` are reasons of failures.

    Only sweeper and launcher know them all: Hydra calls its callbacks for a job in the process that runs it.
    """
    jobs: list[LaunchedJob] = []
    original = Plugins.instantiate_launcher

    def instantiate(*given: Any, **named: Any) -> Launcher:
        return _NotingLauncher(original(*given, **named), jobs, told)

    Plugins.instantiate_launcher = instantiate  # type: ignore[method-assign]
    try:
        yield jobs
    finally:
        Plugins.instantiate_launcher = original  # type: ignore[method-assign]


class _NotingLauncher(Launcher):
    """Another launcher, which is set up already; its jobs are added to `jobs`."""

    def __init__(self, launcher: Launcher, jobs: list[LaunchedJob], told: set[str]):
        self.launcher, self.jobs, self.told = launcher, jobs, told

    def setup(self, **given: Any) -> None:
        self.launcher.setup(**given)

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        jobs = [LaunchedJob([*overrides]) for overrides in job_overrides]
        self.jobs += jobs  # before the launcher fails, after some of them perhaps
        returns = self.launcher.launch(job_overrides, initial_job_idx)
        for job, done in zip(jobs, returns, strict=True):
            job.failure = failure_of(done._return_value, self.told) if done.status is JobStatus.FAILED else None
        return returns
