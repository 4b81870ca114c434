"""Objects from config nodes; the only call of Hydra's `instantiate`."""

import ast
from typing import Any

import hydra
from hydra.errors import InstantiationException

from hms.config.signature import signature, want_allowed
from hms.config.source import find
from hms.errors import ConfigError, UserError


def build(node: dict[str, Any], allowed: tuple[str, ...] = (), **more: Any) -> Any:
    """The object that a node with `_target_` describes, the objects within it included; `more` adds arguments.
    Every `_target_` must start with one of `allowed` (`signature.ALLOWED` unless given). Where it is given, a stranger
    may have written the node: of hms it then names classes alone, for this very function would build anything.

    Raises ConfigError for a target that no config may name and for a value its constructor refuses.
    """
    refuse_foreign_targets(node, allowed)
    try:
        made = hydra.utils.instantiate({**node, "_partial_": True} if more else node, _convert_="all")
    except InstantiationException as error:
        cause = error.__cause__
        if isinstance(cause, UserError):
            raise cause from None
        if isinstance(cause, ValueError | TypeError | RuntimeError):
            target = str(error).partition("'")[2].partition("'")[0]  # Hydra says: Error in call to target '...'
            raise ConfigError(f"{target}: {cause}") from None
        raise
    return made(**more) if more else made


def refuse_foreign_targets(node: Any, allowed: tuple[str, ...]) -> None:
    """Raise ConfigError for a node that, anywhere within it, names what `build` with `allowed` would not build."""
    if isinstance(node, str) and "${" in node:  # Hydra would resolve it, whatever it makes
        raise ConfigError(f"want plain values, got '{node}'")
    if isinstance(node, list):
        node = dict(enumerate(node))
    if isinstance(node, dict):
        if "_target_" in node:
            want_allowed(str(node["_target_"]), allowed)
            signature(str(node["_target_"]))  # by its source: a name that only passes through hms is foreign, too
            if allowed:
                _want_class(node)
        for value in node.values():
            refuse_foreign_targets(value, allowed)


def _want_class(node: dict[str, Any]) -> None:
    target = str(node["_target_"])
    if target.startswith("hms.") and not isinstance(find(target)[1], ast.ClassDef):
        raise ConfigError(f"want a class, got '{target}'")
    if "_args_" in node:
        raise ConfigError(f"{target}: want each argument by its name, got '_args_'")
