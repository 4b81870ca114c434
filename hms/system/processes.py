"""Train one model in several processes, each on its part of every batch.

Batches are the same, however many processes there are: process r of n gets rows r, r + n, r + 2n and so on. If a batch
does not divide evenly, some rows are repeated, so that all processes have the same number and none waits for another;
`Place.own` says how many count.
"""

import logging
import os
import re
import signal
from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial
from itertools import cycle, islice
from types import FrameType
from typing import Any, NamedTuple, TypeVar

import torch
from torch import Tensor, nn
from torch.utils.data import Sampler

from hms.errors import UserError
from hms.system.interrupt import interruptible

T = TypeVar("T")


class Place(NamedTuple):
    """Process number `rank` of the `world` processes that train together, in PyTorch's terms."""

    rank: int
    world: int

    def own(self, rows: int) -> int:
        """How many rows of a batch this process has, not counting repeated ones."""
        return len(range(self.rank, rows, self.world))


ALONE = Place(0, 1)

_LONGEST_WAIT = timedelta(days=30)
"""For another command that trains the same fold; PyTorch's default timeout is half an hour."""


class Batches(Sampler[list[int]]):
    """This process's part of each batch, in the order of `sampler`, whose epoch Lightning sets.

    There are as few batches of up to `batch_size` rows as possible, and their sizes differ by one row at most: a last
    batch of what is left might be a single row, which would count as much as a full batch, and as much in the running
    statistics of batch norms, just before they are used to validate.
    """

    def __init__(self, sampler: Any, batch_size: int, place: Place):
        self.sampler, self.batch_size, self.place = sampler, batch_size, place

    def __len__(self) -> int:
        return -(-len(self.sampler) // self.batch_size)

    def rows(self, index: int) -> int:
        """How many rows batch number `index` has in all processes together."""
        rows, more = divmod(len(self.sampler), len(self))
        return rows + (index < more)

    def __iter__(self) -> Iterator[list[int]]:
        rank, world = self.place
        order = iter(self.sampler)
        for index in range(len(self)):
            batch = [*islice(order, self.rows(index))]
            yield [*islice(cycle(batch), rank, world * _rows_each(len(batch), world), world)]


def part_of(whole: Tensor, place: Place) -> Tensor:
    """The rows of a whole batch that `Batches` gives to a process."""
    rank, world = place
    rows = len(whole)
    return whole[torch.arange(rank, world * _rows_each(rows, world), world, device=whole.device) % rows]


def whole_of(part: Tensor, place: Place, rows: int) -> Tensor:
    """The whole batch of `rows` rows, gathered from the parts of all processes."""
    parts = part.new_empty((place.world, *part.shape))
    torch.distributed.all_gather_into_tensor(parts.flatten(0, 1), part.contiguous())
    return parts.transpose(0, 1).flatten(0, 1)[:rows]


def run_in_processes(job: Callable[[T], float], given: T, count: int) -> float:
    """Call `job(given)` in `count` new processes that form a group on this machine; return the first one's result.

    A UserError in any of them is raised here, and a signal ends them all.
    """
    from torch.distributed.elastic.multiprocessing.api import SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.launcher.api import LaunchConfig, elastic_launch

    launch = LaunchConfig(1, 1, count, rdzv_backend="c10d", rdzv_endpoint="localhost:0", local_addr="localhost",
                          run_id="hms", max_restarts=0, start_method="spawn")  # fmt: skip
    for name in ("torch.distributed.elastic", "torch.multiprocessing"):  # they log every detail of a failure
        logging.getLogger(name).setLevel(logging.CRITICAL)
    received = None
    handlers = {one: signal.getsignal(one) for one in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT)}
    try:
        results: dict[int, float] = elastic_launch(launch, _with_few_threads)(job, given, count)
    except ChildFailedError as failed:
        if messages := re.findall(r"^\s*hms\.errors\.\w+: (.*)", str(failed), re.MULTILINE):
            raise UserError(messages[-1]) from None
        raise
    except SignalException as signalled:  # torch replaces the handlers, and its Exception would not end a sweep
        received = signalled.sigval
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
    if received is not None:
        signal.raise_signal(received)
    return results[0]


def _with_few_threads(job: Callable[[T], float], given: T, count: int) -> float:
    signal.signal(signal.SIGINT, partial(_end_if_orphaned, os.getppid()))
    torch.set_num_threads(max(1, torch.get_num_threads() // count))
    with interruptible([signal.SIGTERM], announce=False):
        return job(given)


def _end_if_orphaned(parent: int, number: int, frame: FrameType | None) -> None:
    """Ignore Ctrl-C, as the parent then ends this process; if the parent has died, Linux sent the signal: end."""
    if os.getppid() != parent:
        signal.raise_signal(signal.SIGTERM)


def first_decides(decide: Callable[[], bool], place: Place) -> bool:
    """The result of `decide` in the first process, sent to all of them, however long it takes.

    The processes must form a group, as after Lightning's `setup_environment`. Raises UserError in all processes if
    `decide` does, and in the others if the first one dies.
    """
    if place == ALONE:
        return decide()
    group = torch.distributed.new_group(backend="gloo", timeout=_LONGEST_WAIT)
    assert isinstance(group, torch.distributed.ProcessGroup)
    decision: list[Any] = [None]
    if place.rank == 0:
        try:
            decision = [decide()]
        except UserError as error:
            decision = [str(error)]
    try:
        torch.distributed.broadcast_object_list(decision, 0, group)
    except RuntimeError:  # from gloo, when a connection ends
        raise UserError("training ends: the first of its processes has died") from None
    if isinstance(decision[0], str):
        raise UserError(decision[0])
    return bool(decision[0])


def broadcast_state(model: nn.Module) -> None:
    """Copy the first process's model to all: without `sync_batchnorm` each has batch statistics of its own rows."""
    for tensor in model.state_dict().values():
        torch.distributed.broadcast(tensor, 0)


def gathered(mine: Any, place: Place) -> list[Any]:
    """The objects of all processes, in the order of their ranks."""
    if place == ALONE:
        return [mine]
    objects: list[Any] = [None] * place.world
    torch.distributed.all_gather_object(objects, mine)
    return objects


def _rows_each(rows: int, world: int) -> int:
    """Rows of a batch per process, repeated ones included."""
    return -(-rows // world)
