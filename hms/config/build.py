"""Build objects from config nodes; the only place that calls Hydra's `instantiate`."""

import ast
from typing import Any

import hydra
from hydra.errors import InstantiationException

from hms.config.signature import signature, want_allowed
from hms.config.source import find
from hms.errors import ConfigError, UserError


def build(node: dict[str, Any], allowed: tuple[str, ...] = (), **more: Any) -> Any:
    """Build the object that a node with `_target_` describes, including the objects within it; `more` adds arguments.

    Every `_target_` must start with one of the prefixes `allowed`, by default `signature.ALLOWED`. If `allowed` is
    given, a stranger may have written the node: of hms it may then name classes only, since functions such as this one
    would build anything. Raises ConfigError for a target that may not be named and for a value that its constructor
    rejects.
    """
    want_allowed_targets(node, allowed)
    try:
        built = hydra.utils.instantiate({**node, "_partial_": True} if more else node, _convert_="all")
    except InstantiationException as error:
        cause = error.__cause__
        if isinstance(cause, UserError):
            raise cause from None
        if isinstance(cause, ValueError | TypeError | AttributeError | RuntimeError | ImportError):
            target = str(error).partition("'")[2].partition("'")[0]  # Hydra says: Error in call to target '...'
            raise ConfigError(f"{target}: {cause}") from None
        raise
    return built(**more) if more else built


def want_allowed_targets(node: Any, allowed: tuple[str, ...]) -> None:
    """Raise ConfigError if a node, at any depth, names a target that `build` would not build with `allowed`."""
    if isinstance(node, str) and "${" in node:  # Hydra would resolve it, and the result could be anything
        raise ConfigError(f"want plain values, got '{node}'")
    if isinstance(node, list):
        node = dict(enumerate(node))
    if isinstance(node, dict):
        if "_target_" in node:
            want_allowed(str(node["_target_"]), allowed)
            signature(str(node["_target_"]))  # resolves re-exports: a name that hms merely imports is foreign, too
            if allowed:
                _want_class(node)
        for value in node.values():
            want_allowed_targets(value, allowed)


def _want_class(node: dict[str, Any]) -> None:
    target = str(node["_target_"])
    if target.startswith("hms.") and not isinstance(find(target)[1], ast.ClassDef):
        raise ConfigError(f"want a class, got '{target}'")
    if "_args_" in node:
        raise ConfigError(f"{target}: want each argument by its name, got '_args_'")
