"""Where the YAML files are, and how a command line becomes a config: the one place that sets Hydra up."""

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
from hms.interrupt import Interrupted, interruptible

_PACKAGE = Path(__file__).parents[1]
CONF = next((folder for folder in (_PACKAGE / "conf", _PACKAGE.parent / "conf") if folder.is_dir()), _PACKAGE / "conf")
"""The YAML files: inside the package in a wheel, beside it in a checkout."""

Config = dict[str, Any]


def entry_point(
    name: str,
    schema: type,
    positional: str | None = None,
    mistakes_in_values: Callable[[Config], Iterable[str]] | None = None,
    after_sweep: Callable[[list[Config]], None] | None = None,
) -> Callable[[Callable[[Config], float | None]], Callable[[], None]]:
    """Make a function of a resolved, plain config the command that reads `conf/<name>.yaml`.

    `schema`, a TypedDict, says which keys it has, of what types, and `mistakes_in_values` what is wrong in a config of
    these types; no job starts while any has a mistake in its config.
    A UserError, or the operating system's refusal, ends the command with its text alone; in a sweep it is raised, so
    that the other jobs run. A signal ends a whole sweep.
    Words without `=` become the list `positional`; `after_sweep` gets the configs of all jobs, failed ones included.
    """

    def all_mistakes(config: DictConfig) -> list[str]:
        found = mistakes(config, name, schema)
        if mistakes_in_values and all(re.match(r"\w+[.[]", line) for line in found):  # none of a key at the top
            with suppress(OmegaConfBaseException):
                plain: Any = OmegaConf.to_container(config, resolve=True)
                found += mistakes_in_values(plain)
        return found

    def decorate(job: Callable[[Config], float | None]) -> Callable[[], None]:
        @functools.wraps(job)
        def run(config: DictConfig) -> float | None:
            try:
                if lines := all_mistakes(config):  # a sweeper may have put values together that were not seen before
                    raise ConfigError(_listed(lines))
                return job(_plain(config))
            except (UserError, OSError) as error:
                if isinstance(error, OSError) and error.errno is None:  # of a library, and not of this machine
                    raise
                if HydraConfig.get().mode == RunMode.MULTIRUN:
                    raise CompactHydraException(_said(error)) from None
                print(_said(error), file=sys.stderr)
                sys.exit(1)

        @functools.wraps(run)
        @interruptible()
        def main() -> None:
            typed = sys.argv
            line = CommandLine(name, CONF, typed[1:], positional)
            found = [one for config in line.samples() for one in all_mistakes(config)] if line.runs else []
            found = [one for one in found if not one.startswith(tuple(f"{group}." for group in line.refused))]
            if not line.completes and (lines := [*dict.fromkeys([*line.problems, *found])]):
                print(_listed(lines), file=sys.stderr)
                sys.exit(1)
            sys.argv = [typed[0], *line.for_hydra]
            compares = line.runs and line.sweeps
            module = getattr(sys.modules[job.__module__].__spec__, "name", job.__module__)  # and not __main__
            sent = functools.partial(_run_by_name, module, sys.argv)
            sent.__module__ = f"hms.{name}"  # after which Hydra names the job
            try:
                hydra.main(version_base="1.3", config_path=str(CONF), config_name=name)(sent)()
            except Interrupted:
                compares = False
                raise
            finally:
                sys.argv = typed
                if compares and after_sweep:
                    try:
                        after_sweep([_plain(config) for config in line.jobs()])
                    except (UserError, OSError) as error:
                        print(_said(error), file=sys.stderr)
                        sys.exit(1)

        return main

    return decorate


def _run_by_name(module: str, command: list[str], config: DictConfig) -> float | None:
    """Run one job of a command: a launcher can send a module's name to another process, and no function of __main__."""
    sys.argv = command
    return importlib.import_module(module).main.__wrapped__(config)


def _listed(lines: list[str]) -> str:
    return "\n  ".join([f"{len(lines)} problem(s) in the config:", *lines])


def _said(error: UserError | OSError) -> str:
    if isinstance(error, OSError):
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror or str(error)
    return str(error)


def _plain(config: DictConfig) -> Config:
    return OmegaConf.to_container(config, resolve=True, throw_on_missing=True)  # type: ignore[return-value]
