"""Build objects from config nodes; the only place that calls Hydra's `instantiate`."""

import ast
import pkgutil
from collections.abc import Callable, Iterator
from typing import Any

import hydra
from hydra.errors import InstantiationException

from hms.config.signature import ALLOWED, OURS, signature, want_allowed
from hms.config.source import find
from hms.errors import ConfigError, UserError


def build(node: dict[str, Any], **more: Any) -> Any:
    """Build the object that a node with `_target_` describes, including the objects within it; `more` adds arguments.

    Raises ConfigError for a target that does not begin as one of `signature.ALLOWED` does, and for a value that its
    constructor rejects.
    """
    for target, _ in _targets(node):
        _want_target(target, ALLOWED)
    return _built(node, more)


def build_foreign(node: dict[str, Any]) -> Any:
    """The same for a node that a stranger may have written, as in a checkpoint. Raises ConfigError as `want_safe`."""
    want_safe(node)
    return _built(node, {})


def class_of(node: dict[str, Any]) -> Any:
    """The class or function that a node names, imported. Raises ConfigError as `build` does, and if there is none."""
    target = str(node["_target_"])
    _want_target(target, ALLOWED)
    try:
        return pkgutil.resolve_name(target)
    except (ImportError, AttributeError) as error:
        raise ConfigError(f"{target}: {error}") from None


def is_of(node: dict[str, Any], kind: type) -> bool:
    """Whether a node describes an object of a class, or of one derived from it. Raises ConfigError as `class_of`."""
    found = class_of(node)
    return isinstance(found, type) and issubclass(found, kind)


def want_safe(node: Any) -> None:
    """Raise ConfigError if a node, at any depth, names anything but classes of `signature.OURS`.

    Functions of hms, such as `build`, would build anything.
    """
    for target, arguments in _targets(node):
        _want_target(target, OURS)
        if target.startswith("hms.") and not isinstance(find(target)[1], ast.ClassDef):
            raise ConfigError(f"want a class, got '{target}'")
        if "_args_" in arguments:
            raise ConfigError(f"{target}: want each argument by its name, got '_args_'")


def naming_keys(function: Callable[[dict[str, Any]], Any], config: dict[str, Any]) -> Any:
    """Call a function with a config; its ConfigError names the key at fault in place of the class, if that is plain."""
    try:
        return function(config)
    except ConfigError as error:
        target, _, mistake = str(error).partition(": ")
        if key := _key_of(mistake, target, config):
            raise ConfigError(f"{key}: {mistake.partition(': ')[2]}") from None
        raise


def _key_of(mistake: str, target: str, config: dict[str, Any]) -> str | None:
    """The key of the argument that a mistake such as "p: want a probability, got 2" is about, in building `target`.

    That, what a partial node makes within it, or a mapping whose values nodes repeat has the argument. Where an
    interpolation repeats a node or a value, the original is the one that is less deep. None if several are as likely.
    """
    name = mistake.partition(":")[0]
    inner = [*_mappings(config, "")]
    if not any(node.get("_target_") == target for _, node in inner):
        return None
    having = [(place, node) for place, node in inner if node.get("_target_", target) == target or "_partial_" in node]
    given = [(f"{place}.{name}", node[name]) for place, node in having if name in node]
    keys = [key for key, value in given if mistake.endswith((f", got {value}", f", got '{value}'"))]
    least = min((key.count(".") for key in keys), default=0)
    original = [key for key in keys if key.count(".") == least]
    return original[0] if len(original) == 1 else None


def _mappings(mapping: dict[str, Any], place: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every mapping within one, with its place."""
    for key, part in mapping.items():
        if isinstance(part, dict):
            here = f"{place}.{key}" if place else key
            yield here, part
            yield from _mappings(part, here)


def _built(node: dict[str, Any], more: dict[str, Any]) -> Any:
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


def _targets(node: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every target within a node, with its arguments. Raises ConfigError for what Hydra would resolve to anything."""
    if isinstance(node, str) and "${" in node:
        raise ConfigError(f"want plain values, got '{node}'")
    if isinstance(node, dict):
        if "_target_" in node:
            yield str(node["_target_"]), node
        for value in node.values():
            yield from _targets(value)
    if isinstance(node, list):
        for value in node:
            yield from _targets(value)


def _want_target(target: str, allowed: tuple[str, ...]) -> None:
    want_allowed(target, allowed)
    signature(target)  # resolves re-exports: a name that hms merely imports is foreign, too
