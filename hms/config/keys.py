"""What the TypedDicts of commands, which give the keys of a config and their types, have in common."""

from typing import Literal, TypedDict


class Node:
    """The type of a mapping with `_target_`; each class that a signature names is represented by a subclass."""


class Corpus(TypedDict):
    """The keys about the corpus that a command reads."""

    data: Node
    stores: str
    on_bad: Literal["raise", "skip"]
