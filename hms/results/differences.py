"""Differences between the settings of runs, in the words that would override them on a command line."""

from itertools import chain
from typing import Any

from hms.config.described import Description, describe, lookup, several, word


def differences(configs: list[dict[str, Any]]) -> dict[str, list[str]]:
    """The keys in which configs differ, with the value in each; empty where another option makes the key meaningless.

    Options are those of the configs' `choices`, if all have them: those of a config that was read from a fold, and then
    trained in Python, are unknown. If an option differs as a whole, its values are not listed one by one.
    """
    if not all(config.get("choices") for config in configs):
        configs = [{key: value for key, value in config.items() if key != "choices"} for config in configs]
    described = [describe(config, among=configs) for config in configs]
    keys = dict.fromkeys(chain.from_iterable(chain(about.options, about.values) for about in described))
    words = {key: [_value(key, *pair, described) for pair in zip(configs, described, strict=True)] for key in keys}
    return {key: values for key, values in words.items() if len({*values}) > 1}


def _value(key: str, config: dict[str, Any], own: Description, every: list[Description]) -> str:
    known = own.options | own.values
    group = key.partition(".")[0]
    if key in known or not (group in several() or _has_option_of_another(group, key, own, every)):
        return known.get(key, "")
    value = lookup(config, key)
    return "" if value == "" or isinstance(value, dict) else word(value)


def _has_option_of_another(group: str, key: str, own: Description, every: list[Description]) -> bool:
    """Whether any config that names the key has the same option of its group as this one, so that values compare."""
    option = own.options.get(group)
    return any(key in other.values and other.options.get(group) == option for other in every)
