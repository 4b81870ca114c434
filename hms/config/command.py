"""Locate the YAML files and turn a command line into a config; the only place that sets Hydra up."""

import functools
import importlib
import re
import sys
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import CompactHydraException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from hms.config.check import mistakes
from hms.config.command_line import CommandLine
from hms.errors import ConfigError, UserError
from hms.system.interrupt import Interrupted, interruptible

_PACKAGE = Path(__file__).parents[1]
CONF = next((folder for folder in (_PACKAGE / "conf", _PACKAGE.parent / "conf") if folder.is_dir()), _PACKAGE / "conf")
"""The folder of the YAML files: inside the package in a wheel, next to it in a checkout."""

Config = dict[str, Any]


def entry_point(
    name: str,
    schema: type,
    positional: str | None = None,
    mistakes_in_values: Callable[[Config], Iterable[str]] | None = None,
    after_sweep: Callable[[list[Config]], None] | None = None,
) -> Callable[[Callable[[Config], float | None]], Callable[[], None]]:
    """Turn a function of a resolved, plain config into the command that reads `conf/<name>.yaml`.

    The TypedDict `schema` gives the config's keys and their types; `mistakes_in_values` reports what is wrong in a
    config whose types are right. No job starts until the configs of all jobs are free of mistakes.
    A UserError, or an error of the operating system, ends the command with just its text; in a sweep it is raised, so
    that the other jobs still run. A signal ends the whole sweep.
    Words without `=` become the list `positional`; `after_sweep` gets the configs of all jobs, including failed ones.
    """

    def all_mistakes(config: DictConfig) -> list[str]:
        lines = mistakes(config, name, schema)
        if mistakes_in_values and all(re.match(r"\w+[.[]", line) for line in lines):  # no top-level key is wrong
            with suppress(OmegaConfBaseException):
                plain: Any = OmegaConf.to_container(config, resolve=True)
                lines += mistakes_in_values(plain)
        return lines

    def decorate(job: Callable[[Config], float | None]) -> Callable[[], None]:
        @functools.wraps(job)
        def run(config: DictConfig) -> float | None:
            try:
                if lines := all_mistakes(config):  # a sweeper may combine values in ways not checked before
                    raise ConfigError(_report(lines))
                return job(_plain(config))
            except (UserError, OSError) as error:
                if isinstance(error, OSError) and error.errno is None:  # raised by a library, not by the system
                    raise
                if HydraConfig.get().mode == RunMode.MULTIRUN:
                    raise CompactHydraException(_message(error)) from None
                print(_message(error), file=sys.stderr)
                sys.exit(1)

        @functools.wraps(run)
        @interruptible()
        def main() -> None:
            argv = sys.argv
            line = CommandLine(name, CONF, argv[1:], positional)
            found = [one for config in line.samples() for one in all_mistakes(config)] if line.runs else []
            found = [one for one in found if not one.startswith(tuple(f"{group}." for group in line.refused))]
            if not line.completes and (lines := [*dict.fromkeys([*line.problems, *found])]):
                print(_report(lines), file=sys.stderr)
                sys.exit(1)
            sys.argv = [argv[0], *line.for_hydra]
            summarises = line.runs and line.sweeps
            module = getattr(sys.modules[job.__module__].__spec__, "name", job.__module__)  # rather than __main__
            job_by_name = functools.partial(_run_by_name, module, sys.argv)
            job_by_name.__module__ = f"hms.{name}"  # Hydra names the job after it
            try:
                hydra.main(version_base="1.3", config_path=str(CONF), config_name=name)(job_by_name)()
            except Interrupted:
                summarises = False
                raise
            finally:
                sys.argv = argv
                if summarises and after_sweep:
                    try:
                        after_sweep([_plain(config) for config in line.jobs()])
                    except (UserError, OSError) as error:
                        print(_message(error), file=sys.stderr)
                        sys.exit(1)

        return main

    return decorate


def _run_by_name(module: str, command: list[str], config: DictConfig) -> float | None:
    """Run one job of a command; a launcher can send a module's name to another process, but no function of __main__."""
    sys.argv = command
    return importlib.import_module(module).main.__wrapped__(config)


def _report(lines: list[str]) -> str:
    return "\n  ".join([f"{len(lines)} problem(s) in the config:", *lines])


def _message(error: UserError | OSError) -> str:
    if isinstance(error, OSError):
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror or str(error)
    return str(error)


def _plain(config: DictConfig) -> Config:
    return OmegaConf.to_container(config, resolve=True, throw_on_missing=True)  # type: ignore[return-value]
