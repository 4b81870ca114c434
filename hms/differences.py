"""What differs between configs, in as few words as tell them apart."""

from collections.abc import Iterator
from typing import Any


def differences(nodes: list[Any], place: str = "") -> dict[str, list[str]]:
    """Where some configs differ, and what each has there; what differs alike in several places is said once."""
    found: dict[tuple[str, ...], str] = {}
    for where, words in _differences(nodes, place):
        known = found.get(tuple(words))
        if known is None or (where.count("."), len(where)) < (known.count("."), len(known)):
            found[tuple(words)] = where
    return {where: list(words) for words, where in found.items()}


def _differences(nodes: list[Any], place: str) -> Iterator[tuple[str, list[str]]]:
    if all(node == nodes[0] for node in nodes):
        return
    if not all(isinstance(node, dict) for node in nodes):
        yield place, [_word(node) for node in nodes]
        return
    if len({node.get("_target_") for node in nodes}) > 1:
        yield place, [_word(node) for node in nodes]
        return
    keys = list(dict.fromkeys(key for node in nodes for key in node))
    shared = [key for key in keys if all(key in node for node in nodes)]
    if len(shared) < len(keys) and place and "_target_" not in keys:  # things chosen by name
        yield place, ["+".join(node) or "none" for node in nodes]
        keys = shared
    for key in keys:
        yield from _differences([node.get(key, "-") for node in nodes], f"{place}.{key}" if place else key)


def _word(value: Any) -> str:
    if isinstance(value, dict):
        return str(value["_target_"]).rpartition(".")[2] if "_target_" in value else "+".join(value) or "none"
    return "null" if value is None else str(value)
