"""What conf/ holds, and what Hydra makes of it."""

from typing import Any

from conftest import ROOT
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig

CONF = ROOT / "conf"
GROUPS = sorted(path.name for path in CONF.iterdir() if path.is_dir())


def options(group: str) -> list[str]:
    return sorted(path.stem for path in (CONF / group).glob("*.yaml"))


def by_hydra(command: str, *overrides: str, **more: Any) -> DictConfig:
    """The config of a command, unchecked, with interpolations as they are written."""
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return compose(command, [*overrides], **more)
