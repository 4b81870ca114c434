"""Find every mistake in a composed config at once, before anything is imported that could build it.

A `_target_` has its signature for a schema (`hms.signature`), an entry point the TypedDict beside its job.
"""

import re
import types
from collections.abc import Iterator
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints, is_typeddict

from omegaconf import DictConfig, ListConfig, OmegaConf
from omegaconf.errors import InterpolationToMissingValueError, MissingMandatoryValue, OmegaConfBaseException

from hms.errors import ConfigError, nearest
from hms.signature import OURS, Node, Signature, signature

_HYDRA = ("_target_", "_partial_", "_args_", "_recursive_", "_convert_")
_UNREAD = object()
"""In place of a value that could not be read; the line that says so is enough."""


def check(config: DictConfig, name: str, schema: type) -> None:
    """Raise ConfigError with a line for each mistake in the config of the entry point `name`."""
    if lines := mistakes(config, name, schema):
        raise ConfigError("\n".join([f"{len(lines)} problem(s) in the config:", *(f"  {line}" for line in lines)]))


def mistakes(config: DictConfig, name: str, schema: type) -> list[str]:
    """A line for each mistake in the config of the entry point `name`, which has the keys and types of `schema`."""
    problems = _Problems()
    plain = problems.read(config, OmegaConf.to_container(config, resolve=False), "")
    keys = get_type_hints(schema)
    problems.find_in_arguments("", plain, Signature(name, keys, list(keys), takes_more=False))
    for key in filter(keys.__contains__, plain):
        problems.find_in_nodes(key, plain[key], outside=not is_typeddict(keys[key]))
    return [f"{place}: {text}" if place else text for place, text in problems.lines.items()]


class _Problems:
    """A line for each place; what an interpolation repeats counts once, where it is written."""

    def __init__(self) -> None:
        self.lines: dict[str, str] = {}
        self.links: dict[str, str] = {}  # from a place that only repeats another to that other
        self.used: set[str] = set()  # places that an interpolation names

    def add(self, place: str, text: str) -> None:
        for link, source in self.links.items():
            if place == link or place.startswith((f"{link}.", f"{link}[")):
                return self.add(source + place[len(link) :], text)
        self.lines.setdefault(place, text)
        return None

    def read(self, config: DictConfig | ListConfig, raw: Any, place: str) -> Any:
        """The config as plain, resolved values; says what is missing and what leads nowhere."""
        plain = {}
        for key, written in _items(raw):
            here = _join(place, key)
            plain[key] = _UNREAD
            try:
                value = config[key]
            except MissingMandatoryValue:
                self.add(here, f"want a value, got none ({here}=...)")
            except InterpolationToMissingValueError:
                pass  # said where it is missing
            except OmegaConfBaseException as error:
                self.add(here, f"{str(error).partition(chr(10))[0]} in '{written}'")
            else:
                if not OmegaConf.is_config(value):
                    plain[key] = value
                elif isinstance(written, str):
                    plain[key] = OmegaConf.to_container(value)  # checked where it is written
                else:
                    plain[key] = self.read(value, written, here)
                if isinstance(written, str):
                    self._note_links(here, written)
        return plain if isinstance(raw, dict) else list(plain.values())

    def _note_links(self, place: str, written: str) -> None:
        for name in re.findall(r"\$\{([\w.]+)\}", written):
            dots = len(name) - len(name.lstrip("."))  # ${.x} is beside, ${..x} one up
            source = ".".join([*place.split(".")[:-dots], name.lstrip(".")]) if dots else name
            self.used.add(source)
            if written == f"${{{name}}}":
                self.links[place] = source

    def find_in_nodes(self, place: str, value: Any, outside: bool) -> None:
        """Check every node within `value`. `outside` of any node, a plain value is for interpolations alone."""
        if place in self.links or not isinstance(value, dict | list):
            return
        outside = outside and isinstance(value, dict) and "_target_" not in value
        if isinstance(value, dict) and "_target_" in value:
            try:
                self.find_in_arguments(place, value, signature(str(value["_target_"])))
            except ConfigError as error:
                self.add(f"{place}._target_", str(error))
        for key, part in _items(value):
            here = _join(place, key)
            if outside and not isinstance(part, dict) and here not in self.used and place not in self.lines:
                self.add(here, f"{place} takes no '{key}'{nearest(key, {*value} - {key})}")
            self.find_in_nodes(here, part, outside)

    def find_in_arguments(self, place: str, given: dict[str, Any], takes: Signature) -> None:
        """Check the names and types that a node gives its target, or a command line its entry point."""
        lacking = [f"'{key}'" for key in takes.needed if key not in given]
        ours = str(given.get("_target_", OURS[0])).startswith(OURS)  # fit.py gives the others what they lack
        if lacking and ours and not given.get("_partial_") and "_args_" not in given:
            self.add(place, f"{takes.name} needs {', '.join(lacking)}")
        for key, value in given.items():
            if key in takes.types and is_typeddict(takes.types[key]) and isinstance(value, dict):
                keys = get_type_hints(takes.types[key])
                self.find_in_arguments(_join(place, key), value, Signature(key, keys, [], takes_more=False))
            elif key in takes.types:
                for where, kind, got in _misfits(_join(place, key), takes.types[key], value):
                    self.add(*_complaint(where, kind, got, value, f"{takes.name} wants" if place else "want"))
            elif key not in _HYDRA and not takes.takes_more:
                self.add(_join(place, key), f"{takes.name} takes no '{key}'{nearest(key, takes.types)}")


def _misfits(place: str, kind: Any, value: Any) -> Iterator[tuple[str, Any, Any]]:
    """Places in `value` where it is not of the type `kind`: the place, the type wanted there, the value found."""
    origin, inner = get_origin(kind), get_args(kind)
    if origin in (list, dict) and isinstance(value, origin):
        for key, part in _items(value):
            yield from _misfits(_join(place, key), inner[-1], part)
    elif not _fits(kind, value):
        yield place, kind, value


def _complaint(place: str, kind: Any, got: Any, among: Any, who: str) -> tuple[str, str]:
    """The place and what to say there of a value `got`, found in the argument `among`, that is not of type `kind`."""
    above, _, name = place.rpartition(".")
    if name == "_target_":
        return above, "want `<name>: {_target_: ...}`, got `_target_: ...` without a name"
    if kind is Node and isinstance(got, dict):  # an argument of something that was not chosen
        return place, f"nothing of this name is chosen{nearest(name, {*among} - {name})}"
    near = nearest(got, [choice for choice in _choices(kind) if isinstance(choice, str)])
    return place, f"{who} {_wish(kind)}, got {_shown(got)}{near}"


def _fits(kind: Any, value: Any) -> bool:
    if kind is Any or value is _UNREAD:
        return True
    if get_origin(kind) in (Union, types.UnionType):
        return not all(any(_misfits("", one, value)) for one in get_args(kind))
    if get_origin(kind) is Literal:
        return any(type(value) is type(choice) and value == choice for choice in get_args(kind))
    if get_args(kind):  # a list or a mapping of something; `_misfits` has looked inside where it is one
        return False
    if is_typeddict(kind):
        return isinstance(value, dict)
    if issubclass(kind, Node):
        return isinstance(value, dict) and "_target_" in value
    if isinstance(value, bool) or kind is bool:
        return isinstance(value, bool) and kind is bool
    return isinstance(value, (int, float) if kind is float else kind)


def _wish(kind: Any) -> str:
    """A type in words: `int or null`, `'hann' or 'cosine'`."""
    *most, last = [_word(one) for one in _choices(kind)]
    return f"{', '.join(most)} or {last}" if most else last


def _word(kind: Any) -> str:
    if isinstance(kind, str | int):
        return repr(kind)
    if kind in (None, type(None)):
        return "null"
    if inner := get_args(kind):
        return f"{kind.__name__} of {_wish(inner[-1])}"
    if is_typeddict(kind):
        return "a mapping"
    if issubclass(kind, Node):
        return "a mapping with _target_" if kind is Node else f"{kind.__name__} (a mapping with _target_)"
    return kind.__name__


def _choices(kind: Any) -> list[Any]:
    """What a union or a Literal allows, one by one."""
    if get_origin(kind) is Literal:
        return list(get_args(kind))
    if get_origin(kind) in (Union, types.UnionType):
        return [choice for one in get_args(kind) for choice in _choices(one)]
    return [kind]


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return "a mapping"
    return "null" if value is None else repr(value)


def _items(value: Any) -> Iterator[tuple[Any, Any]]:
    yield from value.items() if isinstance(value, dict) else enumerate(value)


def _join(place: str, key: str | int) -> str:
    if isinstance(key, int):
        return f"{place}[{key}]"
    return f"{place}.{key}" if place else key
