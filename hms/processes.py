"""Several processes that train one model together, each on its part of every batch.

The batch stays what the config says, whatever the number of processes: process r of n gets its rows r, r + n, r + 2n
and so on. Where a batch does not divide evenly, some rows come twice, so that all processes have equally many and none
waits for another; `own` says how many count.
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
from hms.interrupt import interruptible

T = TypeVar("T")


class Place(NamedTuple):
    """Process number `rank` of as many as the `world` has, as PyTorch calls those that train together."""

    rank: int
    world: int

    def own(self, rows: int) -> int:
        """How many rows of a batch are this process's, the repeated ones aside."""
        return len(range(self.rank, rows, self.world))


ALONE = Place(0, 1)

_LONGEST_WAIT = timedelta(days=30)
"""For another command to train the same fold; PyTorch would lose patience after half an hour."""


class Batches(Sampler[list[int]]):
    """This process's part of each batch of `batch_size`, in the order of `sampler`; Lightning tells that the epoch."""

    def __init__(self, sampler: Any, batch_size: int, place: Place):
        self.sampler, self.batch_size, self.place = sampler, batch_size, place

    def __len__(self) -> int:
        return -(-len(self.sampler) // self.batch_size)

    def rows(self, index: int) -> int:
        """How many rows batch number `index` has for all processes together."""
        return min(self.batch_size, len(self.sampler) - index * self.batch_size)

    def __iter__(self) -> Iterator[list[int]]:
        rank, world = self.place
        order = iter(self.sampler)
        while batch := [*islice(order, self.batch_size)]:
            yield [*islice(cycle(batch), rank, world * _each(len(batch), world), world)]


def part_of(whole: Tensor, place: Place) -> Tensor:
    """The rows of a whole batch that `Batches` gives a process."""
    rank, world = place
    rows = len(whole)
    return whole[torch.arange(rank, world * _each(rows, world), world, device=whole.device) % rows]


def whole_of(part: Tensor, place: Place, rows: int) -> Tensor:
    """The whole batch of `rows` rows from the parts that all processes have of it."""
    parts = part.new_empty((place.world, *part.shape))
    torch.distributed.all_gather_into_tensor(parts.flatten(0, 1), part.contiguous())
    return parts.transpose(0, 1).flatten(0, 1)[:rows]


def in_all(job: Callable[[T], float], given: T, count: int) -> float:
    """Call `job(given)` in `count` new processes on this machine that find each other; what the first of them gave.

    A mistake that one of them tells is told here, and a signal ends them all.
    """
    from torch.distributed.elastic.multiprocessing.api import SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.launcher.api import LaunchConfig, elastic_launch

    launch = LaunchConfig(1, 1, count, rdzv_backend="c10d", rdzv_endpoint="localhost:0", local_addr="localhost",
                          run_id="hms", max_restarts=0, start_method="spawn")  # fmt: skip
    for name in ("torch.distributed.elastic", "torch.multiprocessing"):  # of a failure they tell all they know
        logging.getLogger(name).setLevel(logging.CRITICAL)
    came = None
    handlers = {one: signal.getsignal(one) for one in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT)}
    try:
        given_by: dict[int, float] = elastic_launch(launch, _with_few_threads)(job, given, count)
    except ChildFailedError as failed:
        if told := re.findall(r"^\s*hms\.errors\.\w+: (.*)", str(failed), re.MULTILINE):
            raise UserError(told[-1]) from None
        raise
    except SignalException as signalled:  # torch takes the handlers, and its Exception would not end a sweep
        came = signalled.sigval
    finally:
        for one, handler in handlers.items():
            signal.signal(one, handler)
    if came is not None:
        signal.raise_signal(came)
    return given_by[0]


def _with_few_threads(job: Callable[[T], float], given: T, count: int) -> float:
    signal.signal(signal.SIGINT, partial(_end_if_left, os.getppid()))
    torch.set_num_threads(max(1, torch.get_num_threads() // count))
    with interruptible([signal.SIGTERM], tell=False):
        return job(given)


def _end_if_left(starter: int, number: int, frame: FrameType | None) -> None:
    """Leave Ctrl-C to the process that started us, which ends us; once that is gone, Linux sends SIGINT: end then."""
    if os.getppid() != starter:
        signal.raise_signal(signal.SIGTERM)


def first_decides(decide: Callable[[], bool], place: Place) -> bool:
    """What `decide` gives in the first process, told to all once it is known, however long that takes.

    They must be able to find each other, as Lightning's `setup_environment` sees to. Raises UserError in all of them
    where the first does, and in the others where it is gone.
    """
    if place == ALONE:
        return decide()
    patient = torch.distributed.new_group(backend="gloo", timeout=_LONGEST_WAIT)
    assert isinstance(patient, torch.distributed.ProcessGroup)
    told: list[Any] = [None]
    if place.rank == 0:
        try:
            told = [decide()]
        except UserError as error:
            told = [str(error)]
    try:
        torch.distributed.broadcast_object_list(told, 0, patient)
    except RuntimeError:  # of gloo, where a connection ends
        raise UserError("training ends: the first of the processes that train together is gone") from None
    if isinstance(told[0], str):
        raise UserError(told[0])
    return bool(told[0])


def make_alike(model: nn.Module) -> None:
    """Give all processes what the first has: without `sync_batchnorm` each has seen statistics of its own rows."""
    for tensor in model.state_dict().values():
        torch.distributed.broadcast(tensor, 0)


def gathered(mine: Any, place: Place) -> list[Any]:
    """What all processes have, in their order."""
    if place == ALONE:
        return [mine]
    found: list[Any] = [None] * place.world
    torch.distributed.all_gather_object(found, mine)
    return found


def _each(rows: int, world: int) -> int:
    """Rows of a batch for each process."""
    return -(-rows // world)
