"""Where the YAML files are, and how a command line becomes a config: the one place that sets Hydra up.

Nothing here imports torch, so `--help` and mistakes answer at once.
"""

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import hydra
from hydra.errors import CompactHydraException
from omegaconf import DictConfig, OmegaConf

from hms.check import check
from hms.errors import UserError

_PACKAGE = Path(__file__).parent
CONF = next((folder for folder in (_PACKAGE / "conf", _PACKAGE.parent / "conf") if folder.is_dir()), _PACKAGE / "conf")
"""The YAML files: inside the package in a wheel, beside it in a checkout."""


def entry_point(name: str, schema: type) -> Callable[[Callable[[dict[str, Any]], float | None]], Callable[[], None]]:
    """Make a function of a resolved, plain config the command that reads `conf/<name>.yaml`.

    `schema`, a TypedDict, says which keys it has, of what types; the job gets no config with a mistake in it.
    A UserError ends the job with its text alone. It is raised, not `sys.exit`ed, so that the other jobs of a sweep run.
    """

    def decorate(job: Callable[[dict[str, Any]], float | None]) -> Callable[[], None]:
        @hydra.main(version_base="1.3", config_path=str(CONF), config_name=name)
        @functools.wraps(job)
        def main(config: DictConfig) -> float | None:
            try:
                check(config, name, schema)
                return job(OmegaConf.to_container(config, resolve=True, throw_on_missing=True))  # type: ignore[arg-type]
            except UserError as error:
                raise CompactHydraException(str(error)) from None

        return main

    return decorate
