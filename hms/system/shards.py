"""Split work into shards, each made by its own command on any machine that sees the folder; the last one merges them.

    python -m hms.prepare -m 'shard=range(0,4)' shards=4

The result is the same, byte for byte, as without shards. After a kill, the same command makes its shard again.
"""

import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypedDict, TypeVar

from hms.system.console import say

T = TypeVar("T")


class Sharded(TypedDict):
    """The config keys of a command that works in shards."""

    shard: int
    shards: int


class Shard(NamedTuple):
    """Part `number` of `of` parts."""

    number: int
    of: int

    def part(self, items: Sequence[T]) -> Sequence[T]:
        """This shard's items, which are contiguous: the parts of all shards, in order, are the whole."""
        first, end = (len(items) * number // self.of for number in (self.number, self.number + 1))
        return items[first:end]


def shard_of(config: dict[str, Any]) -> Shard:
    """The shard that a config asks for."""
    return Shard(config["shard"], config["shards"])


def no_such_shard(config: dict[str, Any]) -> Iterator[str]:
    """Yield a line if a config asks for a shard that is none of its `shards`, if there are any."""
    number, of = config["shard"], config["shards"]
    if of > 0 and not 0 <= number < of:
        yield f"shard: want 0 to {of - 1} (shards={of}), got {number}"


def make_shard(
    shard: Shard,
    whole: Path,
    is_there: Callable[[], bool],
    make: Callable[[Path], None],
    merge: Callable[[list[Path]], None],
) -> bool:
    """Let `make` fill a folder with this shard, unless it exists; let `merge` read the folders once all of them exist.

    The folders lie next to `whole`, which names the result, and are removed after the merge, or if they cannot be read;
    if it is interrupted or the disk is full, they stay. `is_there` returns whether another process has already made the
    result; it must return False if the name does not guarantee the content. Returns whether the result is complete; if
    not, prints how many shards are missing.
    """
    from hms.system.atomic import locked, scratch_folder  # slow to import, and not needed to read a command's keys

    whole.parent.mkdir(parents=True, exist_ok=True)
    parts = [whole.with_name(f".{whole.name}.{number}of{shard.of}") for number in range(shard.of)]
    mine = parts[shard.number]
    with locked(mine, f"making shard {shard.number} of {whole}"):
        if not (mine.is_dir() or is_there()):
            with scratch_folder(mine) as scratch:
                make(scratch)
                scratch.rename(mine)
    with locked(whole.with_name(f"{whole.name}.shards"), f"merging {whole}"):
        if missing := 0 if is_there() else sum(not part.is_dir() for part in parts):
            say(f"shard {shard.number} of {shard.of} is finished; {missing} to come")
            return False
        try:
            if not is_there():
                merge(parts)
        except Exception as error:
            if not _is_of_system(error):
                _remove(parts)  # what cannot be read has to be made again; after a full disk or a signal, nothing has
            raise
        _remove(parts)
    return True


def _is_of_system(error: Exception) -> bool:
    """Whether the operating system refused memory or to write, perhaps in other words, and every file was there."""
    reason = error if isinstance(error, OSError | MemoryError) else error.__context__
    return isinstance(reason, OSError | MemoryError) and not isinstance(reason, FileNotFoundError)


def _remove(parts: list[Path]) -> None:
    for part in parts:
        shutil.rmtree(part, ignore_errors=True)
