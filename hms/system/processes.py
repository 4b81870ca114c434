"""Run one job in several processes that train a model together, and let them agree."""

import logging
import os
import re
import signal
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from types import FrameType
from typing import Any, NamedTuple, TypeVar

import torch
from torch import nn

from hms.errors import UserError
from hms.system.interrupt import interruptible

T = TypeVar("T")


class Process(NamedTuple):
    """Process number `rank` of the `world_size` processes that train together, in PyTorch's terms."""

    rank: int
    world_size: int

    def own_rows(self, rows: int) -> int:
        """How many rows of a batch this process has, not counting repeated ones."""
        return len(range(self.rank, rows, self.world_size))


ALONE = Process(0, 1)

_LONGEST_WAIT = timedelta(days=30)
"""For another command that trains the same fold; PyTorch's default timeout is half an hour."""


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
    ends = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT)
    handlers = {number: signal.getsignal(number) for number in ends}
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
    """Ignore Ctrl-C: the parent then ends this process. If the parent has died, Linux sent the signal: end."""
    if os.getppid() != parent:
        signal.raise_signal(signal.SIGTERM)


def first_decides(decide: Callable[[], bool], process: Process) -> bool:
    """The result of `decide` in the first process, sent to all of them, however long it takes.

    The processes must form a group, as after Lightning's `setup_environment`. Raises UserError in all processes if
    `decide` does, and in the others if the first one dies.
    """
    if process == ALONE:
        return decide()
    group = torch.distributed.new_group(backend="gloo", timeout=_LONGEST_WAIT)
    assert isinstance(group, torch.distributed.ProcessGroup)
    decision: list[Any] = [None]
    if process.rank == 0:
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


def gather(mine: Any, process: Process) -> list[Any]:
    """The objects of all processes, in the order of their ranks."""
    if process == ALONE:
        return [mine]
    objects: list[Any] = [None] * process.world_size
    torch.distributed.all_gather_object(objects, mine)
    return objects
