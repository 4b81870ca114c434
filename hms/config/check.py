"""Find every mistake in a composed config at once, before importing anything that could build it.

The schema of a node is the signature of its `_target_` (see `signature`); that of an entry point is the TypedDict in
its module.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from os.path import expanduser
from pathlib import PurePath
from typing import Any, get_type_hints, is_typeddict

from omegaconf import DictConfig, ListConfig, OmegaConf
from omegaconf.errors import InterpolationToMissingValueError, MissingMandatoryValue, OmegaConfBaseException

from hms.config.keys import out_of_range
from hms.config.signature import OURS, Signature, signature
from hms.config.type_check import UNREAD, complaint, holds_values, is_within, items, join, misfits, referred
from hms.errors import ConfigError, did_you_mean, with_lines

_NAMED = 3  # the most places that are suggested for a key
_HYDRA = ("_target_", "_partial_", "_args_", "_recursive_", "_convert_")


def mistakes(config: DictConfig, name: str, schema: type, more_keys: Iterable[str] = ()) -> list[str]:
    """Describe, in a line each, the mistakes in the config of entry point `name`; `schema` has its keys and types.

    Of `more_keys`, such as `experiment`, the config has none, but a word may have meant one of them.
    """
    problems = _Problems(more_keys)
    values = problems.read(config, OmegaConf.to_container(config, resolve=False), "")
    problems.check_command(values, name, schema, resolved=False)
    return problems.lines()


def want_valid(
    config: dict[str, Any], name: str, schema: type, mistakes_in_values: Callable[[dict[str, Any]], Iterable[str]]
) -> None:
    """Raise ConfigError with a line for each mistake in a plain config, as the command `name` would report it.

    The config may have been edited since its values stopped referring to one another.
    """
    problems = _Problems()
    problems.check_command(config, name, schema, resolved=True)
    want_no_mistakes(with_mistakes_in_values(problems.lines(), config, mistakes_in_values))


def want_no_mistakes(lines: list[str]) -> None:
    """Raise ConfigError with a line for each mistake, if there are any."""
    if lines:
        raise ConfigError(with_lines(f"{len(lines)} problem(s) in the config:", lines))


def plain(value: Any) -> Any:
    """A value as jobs get it: paths as text, tuples as lists, NumPy's numbers as Python's.

    `~/` at the beginning of a text is the user's home: no shell expands it behind `key=` or in a YAML file, and Polars
    would, but not Python.
    """
    if isinstance(value, dict):
        return {key: plain(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(inner) for inner in value]
    if isinstance(value, str | PurePath):
        return expanduser(value) if str(value).startswith("~/") else str(value)
    return value.item() if type(value).__module__ == "numpy" and value.ndim == 0 else value


def with_mistakes_in_values(
    lines: list[str], config: dict[str, Any], mistakes_in_values: Callable[[dict[str, Any]], Iterable[str]]
) -> list[str]:
    """The `lines` on names and types, and those on values, of which conflicts need all top-level keys to be right."""
    more = [*out_of_range(config)]
    more += mistakes_in_values(config) if all(re.match(r"\w+[.[]", line) for line in lines) else ()
    return [*lines, *elsewhere(more, lines)]


def mistakes_in_node(node: dict[str, Any], place: str) -> list[str]:
    """Describe, in a line each, the mistakes in a plain node with `_target_` that did not come from a command line."""
    problems = _Problems()
    problems.check_nodes(place, node, outside=False)
    return problems.lines()


def elsewhere(more: Iterable[str], lines: Iterable[str]) -> list[str]:
    """Those of `more` lines about mistakes that are about no place of `lines`, nor about a part of one."""
    places = [_place(line) for line in lines]
    return [line for line in more if not any(is_within(_place(line), place) for place in places)]


def _place(line: str) -> str:
    return line.partition(":")[0]


class _Problems:
    """At most one problem per place; a value repeated by interpolation is reported once, where it is written."""

    def __init__(self, more_keys: Iterable[str] = ()) -> None:
        self.more_keys = more_keys  # to suggest at the top
        self.texts: dict[str, str] = {}  # by place
        self.links: dict[str, str] = {}  # from a place that merely repeats another to that other place
        self.used: set[str] = set()  # places that an interpolation refers to

    def lines(self) -> list[str]:
        return [f"{place}: {text}" if place else text for place, text in self.texts.items()]

    def add(self, place: str, text: str) -> None:
        for link, source in self.links.items():
            if is_within(place, link):
                return self.add(source + place[len(link) :], text)
        self.texts.setdefault(place, text)
        return None

    def read(self, config: DictConfig | ListConfig, raw: Any, place: str) -> Any:
        """Resolve the config to plain values; note missing values and interpolations that lead nowhere."""
        values = {}
        for key, written in items(raw):
            here = join(place, key)
            values[key] = UNREAD
            try:
                value = config[key]
            except MissingMandatoryValue:
                self.add(here, f"want a value, got none ({here}=...)")
            except InterpolationToMissingValueError:
                pass  # reported where it is missing
            except OmegaConfBaseException as error:
                self.add(here, f"{str(error).partition(chr(10))[0]} in '{written}'")
            else:
                if not OmegaConf.is_config(value):
                    values[key] = value
                elif isinstance(written, str):
                    values[key] = OmegaConf.to_container(value)  # checked where it is defined
                else:
                    values[key] = self.read(value, written, here)
                if isinstance(written, str):
                    self._note_links(here, written)
        return values if isinstance(raw, dict) else list(values.values())

    def _note_links(self, place: str, written: str) -> None:
        for name in re.findall(r"\$\{([\w.]+)\}", written):
            source = referred(place, name)
            self.used.add(source)
            if written == f"${{{name}}}":
                self.links[place] = source

    def check_command(self, config: dict[str, Any], name: str, schema: Any, resolved: bool) -> None:
        """Check the config of an entry point; once it is `resolved`, it does not say what refers to a plain value.

        Keys that are not required are added by then; no command line sets them.
        """
        hints = get_type_hints(schema)
        required = [key for key in hints if key in schema.__required_keys__]
        keys = hints if resolved else {key: hints[key] for key in required}
        self.check_arguments("", config, Signature(name, keys, required, takes_more=False))
        for key in filter(keys.__contains__, config):
            self.check_nodes(key, config[key], outside=not (resolved or holds_values(keys[key])))

    def check_nodes(self, place: str, value: Any, outside: bool) -> None:
        """Check every node within `value`.

        With `outside`, no node encloses `value`, so a plain value is a mistake unless an interpolation refers to it.
        """
        if place in self.links or not isinstance(value, dict | list):
            return
        outside = outside and "_target_" not in value
        if isinstance(value, dict) and "_target_" in value:
            try:
                self.check_arguments(place, value, signature(str(value["_target_"])))
            except ConfigError as error:
                self.add(f"{place}._target_", str(error))
        for key, part in items(value):
            here = join(place, key)
            is_value = not isinstance(part, dict) and here not in self.used
            if outside and isinstance(value, dict) and is_value and place not in self.texts:
                near = self._deeper(key, value, place) or did_you_mean(key, {*value} - {key})
                self.add(here, f"{place} takes no '{key}'{near}")
            self.check_nodes(here, part, outside)

    def check_arguments(self, place: str, given: dict[str, Any], takes: Signature) -> None:
        """Check the names and types of what a node passes to its target, or a command line to its entry point."""
        missing = [f"'{key}'" for key in takes.required if key not in given]
        ours = str(given.get("_target_", OURS[0])).startswith(OURS)  # the code supplies what library classes lack
        if missing and ours and not given.get("_partial_") and "_args_" not in given:
            self.add(place, f"{takes.name} needs {', '.join(missing)}")
        for key, value in given.items():
            if key in takes.types and is_typeddict(takes.types[key]) and isinstance(value, dict):
                keys = get_type_hints(takes.types[key])
                self.check_arguments(join(place, key), value, Signature(key, keys, [], takes_more=False))
            elif key in takes.types:
                for where, kind, got in misfits(join(place, key), takes.types[key], value, may_be_empty=not ours):
                    self.add(*complaint(where, kind, got, value, f"{takes.name} wants" if place else "want"))
            elif key not in _HYDRA and not takes.takes_more:
                known = [*takes.types, *(() if place else self.more_keys)]
                near = self._deeper(key, given, place) or did_you_mean(key, known)
                text = f"{takes.name} takes no '{key}'{near}"
                self.texts.setdefault(join(place, key), text)  # there, even if its value is another key's

    def _deeper(self, key: str, given: dict[str, Any], place: str) -> str:
        """The end of a message that names the parts of the given values which have the key: lr is optimizer.lr."""
        found = [at for at in self._places_of(key, given, place) if not any(is_within(at, it) for it in self.links)]
        return f"; did you mean {' or '.join(map(repr, found))}?" if 0 < len(found) <= _NAMED else ""

    def _places_of(self, key: str, given: dict[str, Any], place: str) -> Iterator[str]:
        for name, part in given.items():
            if isinstance(part, dict):
                at = join(join(place, name), key)
                if key in part and ("_target_" in part or at in self.used):  # otherwise it may be a mistake itself
                    yield at
                yield from self._places_of(key, part, join(place, name))
