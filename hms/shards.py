"""Work in shards, each made by a command of its own on any machine that sees the folder; the last one merges them.

    python -m hms.prepare -m 'shard=range(0,4)' shards=4

What comes out is the same to the byte as without shards. A shard that was killed is made again by the same command.
"""

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypedDict, TypeVar

from hms.errors import UserError

T = TypeVar("T")


class Sharded(TypedDict):
    """The keys of a command that works in shards."""

    shard: int
    shards: int


class Shard(NamedTuple):
    """Part `number` of `of` parts."""

    number: int
    of: int

    def part(self, items: Sequence[T]) -> Sequence[T]:
        """The items that are its own: neighbours, so that parts in their order are the whole."""
        first, end = (len(items) * number // self.of for number in (self.number, self.number + 1))
        return items[first:end]


def shard_of(config: dict[str, Any]) -> Shard:
    """The shard that a config asks for. Raises UserError for one that there is not."""
    number, of = config["shard"], config["shards"]
    if of < 1:
        raise UserError(f"shards: want at least 1, got {of}")
    if not 0 <= number < of:
        raise UserError(f"shard: want 0 to {of - 1} (shards={of}), got {number}")
    return Shard(number, of)


def merged(
    shard: Shard,
    whole: Path,
    is_there: Callable[[], bool],
    make: Callable[[Path], None],
    merge: Callable[[list[Path]], None],
) -> bool:
    """Let `make` fill a folder with this shard, unless it is there; where all are, let `merge` read them, and clear up.

    The folders lie beside `whole`, which names what is made; `is_there` tells whether another process has made it by
    now, where its name alone says that it is right. Gives whether all is done; one that is not the last to end says
    how many are to come.
    """
    from hms.atomic import locked, scratch_folder  # slow to import; who only reads a command's keys should not wait
    from hms.console import say

    whole.parent.mkdir(parents=True, exist_ok=True)
    parts = [whole.with_name(f".{whole.name}.{number}of{shard.of}") for number in range(shard.of)]
    own = parts[shard.number]
    with locked(own, f"another process makes shard {shard.number} of {whole}: waiting for it"):
        if not (own.is_dir() or is_there()):
            with scratch_folder(own) as made:
                make(made)
                made.rename(own)
    with locked(whole.with_name(f"{whole.name}.shards"), f"another shard merges {whole}: waiting for it"):
        if lacking := 0 if is_there() else sum(not part.is_dir() for part in parts):
            say(f"shard {shard.number} of {shard.of} is made; {lacking} to come")
            return False
        try:
            if not is_there():
                merge(parts)
        finally:  # what cannot be merged is to be made anew
            for part in parts:
                shutil.rmtree(part, ignore_errors=True)
    return True
