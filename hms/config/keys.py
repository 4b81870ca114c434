"""What the TypedDicts of commands, which give the keys of a config and their types, have in common, and ranges."""

from collections.abc import Iterator
from typing import Any, Literal, TypedDict


class Node:
    """The type of a mapping with `_target_`; each class that a signature names is represented by a subclass."""


class Corpus(TypedDict):
    """The keys about the corpus that a command reads."""

    data: Node
    stores: str
    on_bad: Literal["raise", "skip"]


def out_of_range(config: dict[str, Any], least: dict[str, int], place: str = "") -> Iterator[str]:
    """Yield a line for each integer of `config`, whose keys stand at `place`, below its `least` or too large."""
    for key, lowest in least.items():
        if isinstance(value := config.get(key), int) and not lowest <= value < 2**32:
            yield f"{place}{key}: want {lowest} or more (below 2^32), got {value}"
