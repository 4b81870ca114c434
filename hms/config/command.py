"""Locate the YAML files, turn a command line into a config, and let Hydra run the jobs that it asks for."""

import importlib
import sys
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, get_type_hints

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from hms.config.build import naming_keys
from hms.config.check import elsewhere, mistakes, plain, want_no_mistakes, with_mistakes_in_values
from hms.config.command_line import CommandLine
from hms.config.composer import own_choices
from hms.config.failures import SweptJob, errors_in_one_line, print_failed, told_at_once
from hms.config.help import help_text
from hms.config.launched import LaunchedJob, noting_jobs
from hms.errors import ConfigError, UserError, with_lines
from hms.system.interrupt import interruptible
from hms.system.threads import sleep_soon

_PACKAGE = Path(__file__).parents[1]
CONF = next((folder for folder in (_PACKAGE / "conf", _PACKAGE.parent / "conf") if folder.is_dir()), _PACKAGE / "conf")
"""The folder of the YAML files: inside the package in a wheel, next to it in a checkout."""

Config = dict[str, Any]
Job = Callable[[Config], float | None]
AfterSweep = Callable[[list[SweptJob]], None]


def entry_point(
    name: str,
    schema: type,
    positional: str | None = None,
    mistakes_in_values: Callable[[Config], Iterable[str]] = lambda _: (),
    lacking: Callable[[Config], Iterable[str]] | None = None,
    after_sweep: AfterSweep | None = None,
) -> Callable[[Job], "Command"]:
    """Turn a function of a resolved, plain config into the command that reads `conf/<name>.yaml`.

    The TypedDict `schema` gives the config's keys and their types, `RANGES` what their numbers may be; beyond those,
    `mistakes_in_values` reports what is wrong in a config whose top-level keys are right, and `lacking` what the
    machine that will run the jobs is without. Words that set no key become the list `positional`; `after_sweep` gets
    all jobs of a sweep and says which failed, as `print_failed` does without it. A schema that has the key `choices`
    gets there the option that was chosen from each group.
    """
    return partial(Command, name, schema, positional, mistakes_in_values, lacking, after_sweep)


class _Sample(NamedTuple):
    """One of the configs that are checked before any job starts."""

    choices: set[str]  # its options of groups, where jobs differ
    mistakes: list[str]


@dataclass(frozen=True)
class Command:
    """What `python -m hms.<name>` calls; the fields are the arguments of `entry_point`.

    No job starts until the configs of all jobs are free of mistakes and nothing is lacking. A UserError, or an error of
    the operating system, ends the command with just its text; in a sweep the other jobs still run. A signal ends the
    whole sweep.
    """

    name: str
    schema: type
    positional: str | None
    mistakes_in_values: Callable[[Config], Iterable[str]]
    lacking: Callable[[Config], Iterable[str]] | None
    after_sweep: AfterSweep | None
    job: Job

    def __call__(self) -> None:
        """Run the jobs that `sys.argv` asks for."""
        sleep_soon()  # before a job imports torch
        with interruptible(), errors_in_one_line():
            line = CommandLine(self.name, CONF, sys.argv[1:], self.positional)
            if not line.completes:
                want_no_mistakes(self._mistakes_of_all(line))
            if line.helps:
                print(self._help(line))
                return
            if line.runs_here and self.lacking:
                self._want_all_here(line, self.lacking)
            status, launched = self._run_hydra(line.for_hydra)
            if launched:
                (self.after_sweep or print_failed)(_swept(line, launched))
            if status:
                sys.exit(status)

    def config(self, *words: Any) -> Config:
        """The resolved, plain config of the job that words of a command line ask for, without running it.

        Raises ConfigError for all mistakes at once, for a sweep, and for words that are no text.
        """
        if others := [word for word in words if not isinstance(word, str)]:
            raise ConfigError(f"config: want each word as text, config('fold=1', 'seed=2'), got {others[0]!r}")
        line = CommandLine(self.name, CONF, words, self.positional)
        one = ["want the words of one job, got those of a sweep; call it for each job"] if line.sweeps else []
        want_no_mistakes([*one, *self._mistakes_of_all(line)])
        job = next(line.jobs())
        return self._with_choices(job.config, job.choices)

    def run(self, config: DictConfig, told: set[str]) -> float | None:
        """Run one job; `told` gets the reason if it fails in a sweep."""
        of_sweep = HydraConfig.get().mode == RunMode.MULTIRUN
        with told_at_once(_words_of_job(), told) if of_sweep else errors_in_one_line():
            want_no_mistakes(self._mistakes(config))  # a sweeper may combine values in ways not checked before
            return naming_keys(self.job, self._with_choices(config, own_choices(HydraConfig.get().runtime.choices)))

    def _help(self, line: CommandLine) -> str:
        job = next(line.jobs(), None)
        want_no_mistakes(line.problems)
        assert job is not None
        return help_text(self.name, line.folders, line.groups, line.several, job.config)

    def _mistakes_of_all(self, line: CommandLine) -> list[str]:
        """Describe, once each, the mistakes in the words and in the configs of all jobs."""
        samples = _samples(line, partial(self._mistakes, line=line)) if line.runs or line.shows_values else []
        not_chosen = tuple(f"{group}." for group in line.refused)
        found = dict.fromkeys(mistake for sample in samples for mistake in sample.mistakes)
        told = [mistake for mistake in found if not mistake.startswith((*not_chosen, *line.problems))]
        told = elsewhere(told, line.lost)  # a value may only seem to be lacking
        return [*line.problems, *(mistake + _where(mistake, samples, line.samples_are_all_jobs) for mistake in told)]

    def _want_all_here(self, line: CommandLine, lacking: Callable[[Config], Iterable[str]]) -> None:
        """Raise UserError with a line for each thing that jobs need and this machine lacks."""
        samples = _samples(line, lambda config: naming_keys(lambda plain: [*lacking(plain)], _plain(config)))
        found = dict.fromkeys(thing for sample in samples for thing in sample.mistakes)
        lines = [thing + _where(thing, samples, line.samples_are_all_jobs) for thing in found]
        if lines:
            raise UserError(with_lines(f"{len(lines)} things are missing:", lines) if lines[1:] else lines[0])

    def _mistakes(self, config: DictConfig, line: CommandLine | None = None) -> list[str]:
        lines = mistakes(config, self.name, self.schema, line.keys if line else ())
        if not (line and line.lost):  # values that are lacking would seem to conflict
            with suppress(OmegaConfBaseException):
                lines = with_mistakes_in_values(lines, _plain(config), self.mistakes_in_values)
        return lines

    def _with_choices(self, config: DictConfig, choices: dict[str, str]) -> Config:
        return _plain(config) | ({"choices": choices} if "choices" in get_type_hints(self.schema) else {})

    def _run_hydra(self, words: list[str]) -> tuple[Any, list[LaunchedJob]]:
        """Let Hydra run the jobs; return the exit status, and the jobs of a sweep."""
        argv, sys.argv = sys.argv, [sys.argv[0], *words]
        told: set[str] = set()  # by jobs in this process; one in another has a copy
        module = getattr(sys.modules[self.job.__module__].__spec__, "name", self.job.__module__)  # not __main__
        job = partial(_run_by_name, module, sys.argv, told)
        job.__module__ = f"hms.{self.name}"  # Hydra names the job after it
        status: Any = 0
        try:
            with noting_jobs(told) as launched:
                hydra.main(version_base="1.3", config_path=str(CONF), config_name=self.name)(job)()
        except SystemExit as ended:
            status = ended.code
        finally:
            sys.argv = argv
        return status, launched


def _samples(line: CommandLine, wrong: Callable[[DictConfig], list[str]]) -> list[_Sample]:
    """The configs that are checked before any job starts, with what is `wrong` in each."""
    return [_Sample({*filter(line.chooses, job.words)}, wrong(job.config)) for job in line.samples()]


def _where(mistake: str, samples: list[_Sample], all_jobs: bool) -> str:
    """The end of a mistake's line that names the choices to blame for it; empty if all samples have the mistake."""
    common = set.intersection(*(sample.choices for sample in samples if mistake in sample.mistakes))
    if not all_jobs:  # samples differ from the first in one word
        common = common - samples[0].choices or common
    to_blame = " ".join(sorted(common))
    return f" (only with {to_blame}: run those jobs apart)" if to_blame else ""


def _words_of_job() -> str:
    """The words of the job of a sweep that runs in this process."""
    return " ".join(word.removeprefix("++") for word in HydraConfig.get().overrides.task)


def _swept(line: CommandLine, launched: list[LaunchedJob]) -> list[SweptJob]:
    """The jobs of a sweep, less those of whose overrides Hydra can make no config, as it has said."""
    common = set.intersection(*({*job.overrides} for job in launched))
    return [
        SweptJob([word.lstrip("+") for word in job.overrides if word not in common], _plain(config), job.failure)
        for job in launched
        if (config := line.config(job.overrides)) is not None
    ]


def _run_by_name(module: str, command: list[str], told: set[str], config: DictConfig) -> float | None:
    """Run one job of a command; a launcher can send a module's name to another process, but no function of __main__."""
    sys.argv = command
    result: float | None = importlib.import_module(module).main.run(config, told)
    return result


def _plain(config: DictConfig) -> Config:
    return plain(OmegaConf.to_container(config, resolve=True))
