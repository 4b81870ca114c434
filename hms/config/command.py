"""Locate the YAML files, turn a command line into a config, and let Hydra run the jobs that it asks for."""

import importlib
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, TypeGuard

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import CompactHydraException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from hms.config.check import mistakes, with_values
from hms.config.command_line import CommandLine
from hms.config.help import help_text
from hms.errors import UserError, want_no_mistakes
from hms.system.interrupt import interruptible
from hms.system.threads import sleep_soon

_PACKAGE = Path(__file__).parents[1]
CONF = next((folder for folder in (_PACKAGE / "conf", _PACKAGE.parent / "conf") if folder.is_dir()), _PACKAGE / "conf")
"""The folder of the YAML files: inside the package in a wheel, next to it in a checkout."""

Config = dict[str, Any]
Job = Callable[[Config], float | None]
AfterSweep = Callable[[list[tuple[list[str], Config]]], None]


def entry_point(
    name: str,
    schema: type,
    positional: str | None = None,
    mistakes_in_values: Callable[[Config], Iterable[str]] = lambda _: (),
    after_sweep: AfterSweep | None = None,
) -> Callable[[Job], "Command"]:
    """Turn a function of a resolved, plain config into the command that reads `conf/<name>.yaml`.

    The TypedDict `schema` gives the config's keys and their types, `RANGES` what their numbers may be; beyond those,
    `mistakes_in_values` reports what is wrong in a config whose top-level keys are right. Words without `=` become the
    list `positional`; `after_sweep` gets the configs of all jobs, also failed ones, with the overrides that differ.
    """
    return partial(Command, name, schema, positional, mistakes_in_values, after_sweep)


class _Sample(NamedTuple):
    """One of the configs that are checked before any job starts."""

    choices: set[str]  # its options of groups, where jobs differ
    mistakes: list[str]


@dataclass(frozen=True)
class Command:
    """What `python -m hms.<name>` calls; the fields are the arguments of `entry_point`.

    No job starts until the configs of all jobs are free of mistakes. A UserError, or an error of the operating system,
    ends the command with just its text; in a sweep it is raised, so that the other jobs still run. A signal ends the
    whole sweep.
    """

    name: str
    schema: type
    positional: str | None
    mistakes_in_values: Callable[[Config], Iterable[str]]
    after_sweep: AfterSweep | None
    job: Job

    def __call__(self) -> None:
        """Run the jobs that `sys.argv` asks for."""
        sleep_soon()  # before a job imports torch
        with interruptible(), _errors_in_one_line():
            line = CommandLine(self.name, CONF, sys.argv[1:], self.positional)
            if not line.completes:
                want_no_mistakes(self._mistakes_of_all(line))
            if line.helps:
                print(self._help(line))
                return
            status = self._run_hydra(line.for_hydra)
            if line.runs and line.sweeps and self.after_sweep:
                self.after_sweep([(words, _plain(config)) for words, config in line.named_jobs()])
            if status:
                sys.exit(status)

    def config(self, *words: str) -> Config:
        """The resolved, plain config of the job that words of a command line ask for, without running it.

        Raises ConfigError for all mistakes at once, and for a sweep.
        """
        line = CommandLine(self.name, CONF, words, self.positional)
        one = ["want the words of one job, got those of a sweep; call it for each job"] if line.sweeps else []
        want_no_mistakes([*one, *self._mistakes_of_all(line)])
        return _plain(next(line.jobs()))

    def run(self, config: DictConfig) -> float | None:
        """Run one job."""
        of_sweep = HydraConfig.get().mode == RunMode.MULTIRUN
        with _errors_in_one_line(raised=of_sweep), _told_at_once() if of_sweep else nullcontext():
            want_no_mistakes(self._mistakes(config))  # a sweeper may combine values in ways not checked before
            return self.job(_plain(config))

    def _help(self, line: CommandLine) -> str:
        config = next(line.jobs(), None)
        want_no_mistakes(line.problems)
        assert config is not None
        return help_text(self.name, line.folders, line.groups, line.several, config)

    def _mistakes_of_all(self, line: CommandLine) -> list[str]:
        """Describe, once each, the mistakes in the words and in the configs of all jobs."""
        samples = [
            _Sample({*filter(line.chooses, words)}, self._mistakes(config))
            for words, config in (line.named_samples() if line.runs else ())
        ]
        not_chosen = tuple(f"{group}." for group in line.refused)
        found = dict.fromkeys(mistake for sample in samples for mistake in sample.mistakes)
        told = [mistake for mistake in found if not mistake.startswith((*not_chosen, *line.problems))]
        return [*line.problems, *(mistake + _where(mistake, samples, line.samples_are_all_jobs) for mistake in told)]

    def _mistakes(self, config: DictConfig) -> list[str]:
        lines = mistakes(config, self.name, self.schema)
        with suppress(OmegaConfBaseException):
            lines = with_values(lines, _plain(config), self.mistakes_in_values)
        return lines

    def _run_hydra(self, words: list[str]) -> Any:
        """Let Hydra run the jobs; return the exit status with which it ends if one of them fails."""
        argv, sys.argv = sys.argv, [sys.argv[0], *words]
        module = getattr(sys.modules[self.job.__module__].__spec__, "name", self.job.__module__)  # not __main__
        job = partial(_run_by_name, module, sys.argv)
        job.__module__ = f"hms.{self.name}"  # Hydra names the job after it
        try:
            hydra.main(version_base="1.3", config_path=str(CONF), config_name=self.name)(job)()
        except SystemExit as ended:
            return ended.code
        finally:
            sys.argv = argv
        return 0


def _where(mistake: str, samples: list[_Sample], all_jobs: bool) -> str:
    """The end of a mistake's line that names the choices to blame for it; empty if all samples have the mistake."""
    common = set.intersection(*(sample.choices for sample in samples if mistake in sample.mistakes))
    if not all_jobs:  # samples differ from the first in one word
        common = common - samples[0].choices or common
    to_blame = " ".join(sorted(common))
    return f" (only with {to_blame}: run those jobs apart)" if to_blame else ""


def _run_by_name(module: str, command: list[str], config: DictConfig) -> float | None:
    """Run one job of a command; a launcher can send a module's name to another process, but no function of __main__."""
    sys.argv = command
    result: float | None = importlib.import_module(module).main.run(config)
    return result


@contextmanager
def _errors_in_one_line(raised: bool = False) -> Iterator[None]:
    """Exit with just the text of a UserError, or of an error of the operating system; if `raised`, let Hydra do so."""
    try:
        yield
    except (UserError, OSError) as error:
        if not _is_of_user_or_system(error):
            raise
        if raised:
            raise CompactHydraException(_message(error)) from None
        print(_message(error), file=sys.stderr)
        sys.exit(1)


@contextmanager
def _told_at_once() -> Iterator[None]:
    """Print why a job of a sweep fails: Hydra would tell at the end of the sweep, and of the first failed job alone."""
    try:
        yield
    except Exception as error:
        why = _message(error) if _is_of_user_or_system(error) else traceback.format_exc().rstrip()
        words = [word.removeprefix("++") for word in HydraConfig.get().overrides.task]
        print(f"{' '.join(words)}: {why}", file=sys.stderr)
        raise


def _is_of_user_or_system(error: Exception) -> TypeGuard[UserError | OSError]:
    """Whether the text of an error is all there is to say; libraries raise OSError without a number, too."""
    return isinstance(error, UserError) or (isinstance(error, OSError) and error.errno is not None)


def _message(error: UserError | OSError) -> str:
    if isinstance(error, OSError):
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror or str(error)
    return str(error)


def _plain(config: DictConfig) -> Config:
    return OmegaConf.to_container(config, resolve=True)  # type: ignore[return-value]
