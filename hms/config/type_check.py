"""Check a value against the type that a signature wants, and say what does not fit."""

import types
from collections.abc import Iterator
from typing import Any, Literal, Union, get_args, get_origin, is_typeddict

from hms.config.keys import Node
from hms.config.words import quoted
from hms.errors import did_you_mean

UNREAD = object()
"""Stands for a value that could not be read; that has been reported already, so it fits any type."""


def misfits(place: str, kind: Any, value: Any, may_be_empty: bool = False) -> Iterator[tuple[str, Any, Any]]:
    """Yield each place in `value` that does not fit the type `kind`, with the type wanted and the value found there.

    Only if texts `may_be_empty` does an empty one fit, as a shell makes of an unset variable.
    """
    origin, inner = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType) and isinstance(value, list | dict):
        holders = [choice for choice in inner if get_origin(choice) is type(value)]
        if len(holders) == 1:
            origin, inner = type(value), get_args(holders[0])
    if origin in (list, dict) and isinstance(value, origin):
        for key, part in items(value):
            yield from misfits(join(place, key), inner[-1], part, may_be_empty)
    elif not _fits(kind, value, may_be_empty):
        yield place, kind, value


def complaint(place: str, kind: Any, got: Any, among: Any, who: str) -> tuple[str, str]:
    """The place and text of the complaint that `got`, found in the argument `among`, is not of type `kind`."""
    above, _, name = place.rpartition(".")
    if name == "_target_":
        return above, "want `<name>: {_target_: ...}`, got `_target_: ...` without a name"
    if kind is Node and isinstance(got, dict):  # overrides an argument of an option that was not chosen
        return place, f"nothing of this name is chosen{did_you_mean(name, {*among} - {name})}"
    near = did_you_mean(got, [choice for choice in _choices(kind) if isinstance(choice, str)])
    if isinstance(got, dict) and all(
        isinstance(choice, type) and issubclass(choice, Node) for choice in _choices(kind)
    ):
        near = (
            " without one; to change a key of a node that a YAML file refers to by ${...}, set it where it is defined"
        )
    if got == "":
        near = " (empty, like a variable that is not set)"
    elif isinstance(got, str) and list[str] in _choices(kind):
        near = f"; did you mean {place}=[{quoted(got)}]?"
    return place, f"{who} {_wish(kind)}, got {_shown(got)}{near}"


def _fits(kind: Any, value: Any, may_be_empty: bool) -> bool:
    if kind is Any or value is UNREAD:
        return True
    if get_origin(kind) in (Union, types.UnionType):
        return not all(any(misfits("", choice, value, may_be_empty)) for choice in get_args(kind))
    if get_origin(kind) is Literal:
        return any(type(value) is type(choice) and value == choice for choice in get_args(kind))
    if get_args(kind):  # a list or dict of something, which `misfits` would have looked into if `value` were one
        return False
    if is_typeddict(kind):
        return isinstance(value, dict)
    if issubclass(kind, Node):
        return isinstance(value, dict) and "_target_" in value
    if value == "" and kind is str:
        return may_be_empty
    if isinstance(value, bool) or kind is bool:
        return isinstance(value, bool) and kind is bool
    return isinstance(value, (int, float) if kind is float else kind)


def _wish(kind: Any) -> str:
    """Put a type in words: `int or null`, `'hann' or 'cosine'`."""
    *most, last = [_word(choice) for choice in _choices(kind)]
    return f"{', '.join(most)} or {last}" if most else last


def _word(kind: Any) -> str:
    if isinstance(kind, str | int):
        return repr(kind)
    if kind in (None, type(None)):
        return "null"
    if inner := get_args(kind):
        return "a mapping" if inner[-1] is Any else f"{kind.__name__} of {_wish(inner[-1])}"
    if is_typeddict(kind):
        return "a mapping"
    if issubclass(kind, Node):
        return "a mapping with _target_" if kind is Node else f"{kind.__name__} (a mapping with _target_)"
    return kind.__name__


def _choices(kind: Any) -> list[Any]:
    """List what a union or a Literal allows."""
    if get_origin(kind) is Literal:
        return list(get_args(kind))
    if get_origin(kind) in (Union, types.UnionType):
        return [choice for part in get_args(kind) for choice in _choices(part)]
    return [kind]


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return "a mapping"
    return "null" if value is None else repr(value)


def holds_values(kind: Any) -> bool:
    """Whether a key of this type is, or may be, a mapping of plain values rather than of nodes."""
    maps = [part for part in (kind, *get_args(kind)) if get_origin(part) is dict]
    return is_typeddict(kind) or any(get_args(part)[1] not in (Any, Node) for part in maps)


def items(value: Any) -> Iterator[tuple[Any, Any]]:
    """Yield the keys or indices of a mapping or list with their values."""
    yield from value.items() if isinstance(value, dict) else enumerate(value)


def leaves(value: Any, place: str = "") -> Iterator[tuple[str, Any]]:
    """Yield what nested mappings hold, by its full key."""
    if not isinstance(value, dict):
        yield place, value
    else:
        for key, part in value.items():
            yield from leaves(part, join(place, str(key)))


def join(place: str, key: str | int) -> str:
    """Name the place of a part the way an override does."""
    if isinstance(key, int):
        return f"{place}[{key}]"
    return f"{place}.{key}" if place else key


def referred(place: str, name: str) -> str:
    """Name the place that `${name}`, written at `place`, refers to: ${.x} is a sibling, ${..x} one level up."""
    dots = len(name) - len(name.lstrip("."))
    return ".".join([*place.split(".")[:-dots], name.lstrip(".")]) if dots else name


def is_within(place: str, other: str) -> bool:
    """Whether a place is another one, or a part of it."""
    return place == other or place.startswith((f"{other}.", f"{other}["))
