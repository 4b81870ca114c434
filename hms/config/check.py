"""Find every mistake in a composed config at once, before anything is imported that could build it.

A `_target_` has its signature for a schema (`signature`), an entry point the TypedDict beside its job.
"""

import re
from typing import Any, get_type_hints, is_typeddict

from omegaconf import DictConfig, ListConfig, OmegaConf
from omegaconf.errors import InterpolationToMissingValueError, MissingMandatoryValue, OmegaConfBaseException

from hms.config.misfit import UNREAD, complaint, items, join, misfits
from hms.config.signature import OURS, Signature, signature
from hms.errors import ConfigError, did_you_mean

_HYDRA = ("_target_", "_partial_", "_args_", "_recursive_", "_convert_")


def mistakes(config: DictConfig, name: str, schema: type) -> list[str]:
    """A line for each mistake in the config of the entry point `name`, which has the keys and types of `schema`."""
    problems = _Problems()
    plain = problems.read(config, OmegaConf.to_container(config, resolve=False), "")
    keys = get_type_hints(schema)
    problems.find_in_arguments("", plain, Signature(name, keys, list(keys), takes_more=False))
    for key in filter(keys.__contains__, plain):
        problems.find_in_nodes(key, plain[key], outside=not is_typeddict(keys[key]))
    return problems.told()


def mistakes_in_node(node: dict[str, Any], place: str) -> list[str]:
    """A line for each mistake in a plain node with `_target_` that came from elsewhere than a command line."""
    problems = _Problems()
    problems.find_in_nodes(place, node, outside=False)
    return problems.told()


class _Problems:
    """A line for each place; what an interpolation repeats counts once, where it is written."""

    def __init__(self) -> None:
        self.lines: dict[str, str] = {}
        self.links: dict[str, str] = {}  # from a place that only repeats another to that other
        self.used: set[str] = set()  # places that an interpolation names

    def told(self) -> list[str]:
        return [f"{place}: {text}" if place else text for place, text in self.lines.items()]

    def add(self, place: str, text: str) -> None:
        for link, source in self.links.items():
            if place == link or place.startswith((f"{link}.", f"{link}[")):
                return self.add(source + place[len(link) :], text)
        self.lines.setdefault(place, text)
        return None

    def read(self, config: DictConfig | ListConfig, raw: Any, place: str) -> Any:
        """The config as plain, resolved values; says what is missing and what leads nowhere."""
        plain = {}
        for key, written in items(raw):
            here = join(place, key)
            plain[key] = UNREAD
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
        for key, part in items(value):
            here = join(place, key)
            if outside and not isinstance(part, dict) and here not in self.used and place not in self.lines:
                self.add(here, f"{place} takes no '{key}'{did_you_mean(key, {*value} - {key})}")
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
                self.find_in_arguments(join(place, key), value, Signature(key, keys, [], takes_more=False))
            elif key in takes.types:
                for where, kind, got in misfits(join(place, key), takes.types[key], value):
                    self.add(*complaint(where, kind, got, value, f"{takes.name} wants" if place else "want"))
            elif key not in _HYDRA and not takes.takes_more:
                self.add(join(place, key), f"{takes.name} takes no '{key}'{did_you_mean(key, takes.types)}")
