"""Objects from config nodes; the only call of Hydra's `instantiate`."""

from typing import Any

import hydra
from hydra.errors import InstantiationException

from hms.errors import ConfigError, UserError

ALLOWED = ("hms.", "torch.optim.", "lightning.")
"""Where a `_target_` may point: a config from elsewhere must not run other code."""


def build(node: dict[str, Any], **more: Any) -> Any:
    """The object that a node with `_target_` describes, the objects within it included; `more` adds arguments.

    Raises ConfigError for a target outside `ALLOWED` and for a value its constructor refuses.
    """
    _refuse_foreign_targets(node)
    try:
        made = hydra.utils.instantiate({**node, "_partial_": True} if more else node, _convert_="all")
    except InstantiationException as error:
        cause = error.__cause__
        if isinstance(cause, UserError):
            raise cause from None
        if isinstance(cause, ValueError | TypeError):
            target = str(error).partition("'")[2].partition("'")[0]  # Hydra says: Error in call to target '...'
            raise ConfigError(f"{target}: {cause}") from None
        raise
    return made(**more) if more else made


def _refuse_foreign_targets(node: Any) -> None:
    if isinstance(node, list):
        node = dict(enumerate(node))
    if isinstance(node, dict):
        target = node.get("_target_", "hms.")
        if not str(target).startswith(ALLOWED):
            raise ConfigError(
                f"_target_: want a name that starts with {', '.join(ALLOWED[:-1])} or {ALLOWED[-1]}, got '{target}'"
            )
        for value in node.values():
            _refuse_foreign_targets(value)
