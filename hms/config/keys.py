"""What the TypedDicts of commands, which give the keys of a config and their types, have in common, and ranges."""

import math
from collections.abc import Callable, Iterator, Mapping
from numbers import Real
from typing import Any, Literal, NamedTuple, TypedDict

from hms.errors import UserError


class Node:
    """The type of a mapping with `_target_`; each class that a signature names is represented by a subclass."""


class Corpus(TypedDict):
    """The keys about the corpus that a command reads."""

    data: Node
    stores: str
    on_bad: Literal["raise", "skip"]


class NumberRange(NamedTuple):
    """A condition on a number and its wording; NaN never satisfies it."""

    wish: str
    contains: Callable[[Any], bool]


def _from(least: int) -> NumberRange:
    return NumberRange(f"{least} or more (below 2^32)", lambda value: least <= value < 2**32)


def _above_0(wish: str) -> NumberRange:
    return NumberRange(wish, lambda value: 0 < value < math.inf)


RANGES = {
    **dict.fromkeys(("seed", "windows"), _from(0)),
    **dict.fromkeys(("batch_size", "epochs", "shards"), _from(1)),
    "draws": _from(100),  # of fewer, an interval is mostly chance
    "step_s": NumberRange("1 s or more (below 2^32)", lambda value: 1 <= value < 2**32),
    "folds": _from(2),
    "threshold": NumberRange("more than 0, up to 1", lambda value: 0 < value <= 1),
    "temperature": _above_0("more than 0, or null"),
    "odds": _above_0("more than 0"),
    "adapt": NumberRange("a share, 0 to 1", lambda value: 0 <= value <= 1),
    "bias_sd": _above_0("nats above 0 (for no biases: calibrate=temperature)"),
    "prior": NumberRange("a share between 0 and 1", lambda value: 0 < value < 1),
}
"""What a number may be, by its key, in every command that has the key; of a mapping, each of its numbers."""


def want_in_range(config: Mapping[str, Any]) -> None:
    """Raise UserError for a number outside its range, in Python: a command line is checked before its command runs."""
    if line := next(out_of_range(config), None):
        raise UserError(line)


def out_of_range(config: Mapping[str, Any], place: str = "") -> Iterator[str]:
    """Yield a line for each number of `config`, whose keys stand at `place`, outside its range."""
    for key, (wish, contains) in RANGES.items():
        value = config.get(key)
        numbers = {f"{key}.{name}": part for name, part in value.items()} if isinstance(value, dict) else {key: value}
        for name, number in numbers.items():
            if isinstance(number, Real) and not contains(number):
                yield f"{place}{name}: want {wish}, got {number}"
