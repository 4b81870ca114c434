"""Describe a resolved config in the words that would override the defaults on a command line.

The key `choices` of a config says which option of a group was chosen. A value that an option takes from another key,
such as `${..epochs}`, is not repeated.
"""

import re
from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any, NamedTuple

from omegaconf import OmegaConf

from hms.config.command import CONF
from hms.config.composer import default_options, lists
from hms.config.type_check import referred
from hms.config.words import quoted

_REFERENCE = re.compile(r"\$\{([\w.]+)\}")
_UNNAMED, _LIKE_ALL = "trainer", "auto"
"""A group whose options mostly set what is not part of a run's settings, such as the device, so only keys are named,
and one of its options, which takes the same from other keys as all do."""


class Description(NamedTuple):
    """The options and values of a config."""

    options: dict[str, str]
    """The option chosen from each group, or all of them, as in [spectrogram,stft]."""
    values: dict[str, str]
    """Values that differ from those of the chosen option, and all that belong to no group."""


def describe(config: dict[str, Any], among: Iterable[dict[str, Any]] = ()) -> Description:
    """Describe the settings of a training, or part of them; a group without a choice is described by its values.

    An option of a user's own, whose YAML may be gone, stands for the values that it has in the first config `among`
    others, or else in this one.
    """
    options: dict[str, str] = {}
    values: dict[str, Any] = {}
    among = [*among, config]
    for group, node in config.items():
        if group in several():
            options[group] = f"[{','.join(node)}]"
            for name, part in node.items():
                own = (other[group][name] for other in among if name in other.get(group, ()))
                template = {name: next(own)} if (yaml := _option(group, name)) is None else yaml
                values |= _changed(f"{group}.{name}", part, template.get(name), config)
        elif group == _UNNAMED:
            values |= _leaves(group, node, _option(group, _LIKE_ALL), config)
        elif option := _choice(group, config):
            options[group] = option
            own = (other[group] for other in among if group in other and _choice(group, other) == option)
            template = next(own) if (yaml := _option(group, option)) is None else yaml
            values |= _changed(group, node, template, config)
        elif group != "choices":
            values |= _leaves(group, node, defaults().get(group), config)
    return Description(options, {key: word(value) for key, value in values.items()})


def _choice(group: str, config: dict[str, Any]) -> str | None:
    """The option that was chosen from a group, of which only one may be; None if that is unknown."""
    option: str | None = config.get("choices", {}).get(group)
    return option


def _changed(place: str, node: Any, template: Any, config: dict[str, Any]) -> dict[str, Any]:
    """The values of a node that are not those of its option."""
    given = dict(_literals(place, template))
    return {k: v for k, v in _leaves(place, node, template, config).items() if k not in given or given[k] != v}


def _leaves(place: str, node: Any, template: Any, config: dict[str, Any]) -> dict[str, Any]:
    """The values in a node by their full keys, without those that `template` takes from another key of `config`."""
    reference = _REFERENCE.fullmatch(template) if isinstance(template, str) else None
    if reference and lookup(config, referred(place, reference[1])) == node:
        return {}
    if not isinstance(node, dict) or not node:
        return {} if node == {} else {place: node}
    inner = template if isinstance(template, dict) else {}
    parts = (_leaves(f"{place}.{key}", value, inner.get(key), config) for key, value in node.items())
    return {key: value for part in parts for key, value in part.items()}


def _literals(place: str, template: Any) -> Iterator[tuple[str, Any]]:
    """The values that a template itself gives."""
    if isinstance(template, dict):
        for key, value in template.items():
            yield from _literals(f"{place}.{key}", value)
    elif not (isinstance(template, str) and _REFERENCE.fullmatch(template)):
        yield place, template


def lookup(config: dict[str, Any], key: str) -> Any:
    """The value of a key such as `optimizer.lr`; an empty text if there is none."""
    value: Any = config
    for part in key.split("."):
        value = value.get(part, "") if isinstance(value, dict) else ""
    return value


@cache
def _option(group: str, name: str) -> dict[str, Any] | None:
    """An option as its YAML file gives it, with what its defaults list adds; None if hms has no such file."""
    path = CONF / group / f"{name}.yaml"
    if not path.is_file():
        return None
    node: Any = OmegaConf.load(path)
    parts = []
    for entry in node.pop("defaults", []):
        if isinstance(entry, str):
            parts.append(_option(group, entry))
        else:
            ((key, chosen),) = entry.items()  # such as /subset@subset: low_votes
            other, _, place = key.removeprefix("/").partition("@")
            parts.append({place: _option(other, chosen)})
    merged: Any = OmegaConf.to_container(OmegaConf.merge(*parts, node))
    return {**merged}


@cache
def defaults() -> dict[str, Any]:
    """The values of conf/train.yaml, as they are written there."""
    values: Any = OmegaConf.to_container(OmegaConf.load(CONF / "train.yaml"))
    return {**values}


def default_option(group: str) -> Any:
    """The option that conf/train.yaml chooses from a group, or those that it chooses; None if it has no such group."""
    return default_options(defaults()).get(group)


@cache
def several() -> set[str]:
    """The groups from which several options may be chosen."""
    return {*lists(defaults())}


def word(value: Any) -> str:
    """A value as it is written on a command line."""
    if isinstance(value, list):
        return f"[{','.join(map(word, value))}]"
    if isinstance(value, str):
        return quoted(value)
    return "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
