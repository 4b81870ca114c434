"""Differences between configs, in as few words as tell them apart."""

from collections.abc import Iterator
from typing import Any


def differences(nodes: list[Any], place: str = "") -> dict[str, list[str]]:
    """The keys in which configs differ, with the value of each; keys that differ in the same way appear once."""
    key_of: dict[tuple[str, ...], str] = {}
    for key, words in _differences(nodes, place):
        known = key_of.get(tuple(words))
        if known is None or (key.count("."), len(key)) < (known.count("."), len(known)):
            key_of[tuple(words)] = key
    return {key: list(words) for words, key in key_of.items()}


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
    if len(shared) < len(keys) and place and "_target_" not in keys:  # options chosen by name
        yield place, ["+".join(node) or "none" for node in nodes]
        keys = shared
    for key in keys:
        yield from _differences([node.get(key, "-") for node in nodes], f"{place}.{key}" if place else key)


def _word(value: Any) -> str:
    if isinstance(value, dict):
        return str(value["_target_"]).rpartition(".")[2] if "_target_" in value else "+".join(value) or "none"
    return "null" if value is None else str(value)
