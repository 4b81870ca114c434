"""Which of Lightning's loggers lack a package, found out before Lightning is imported."""

from collections.abc import Iterator
from importlib.util import find_spec
from typing import Any

from hms.config.callbacks import of_lightning

_PACKAGES = {
    "CometLogger": ["comet_ml"],
    "LitLogger": ["litlogger"],
    "MLFlowLogger": ["mlflow"],
    "TensorBoardLogger": ["tensorboard", "tensorboardX"],
    "WandbLogger": ["wandb"],
}
"""The packages of which each needs one."""


def without_package(loggers: dict[str, Any]) -> Iterator[str]:
    """Yield a line for each logger that would end the training, as the package that it writes by is not installed."""
    for name, node in loggers.items():
        packages = _PACKAGES.get(kind := of_lightning(node), [])
        if packages and not any(map(find_spec, packages)):
            yield f"logger.{name}: {kind} needs the package {' or '.join(packages)}, which is not installed"
