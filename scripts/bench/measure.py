"""Times and memory on a shared machine: ratios of two works that take turns, and the most that one of them held."""

import ctypes
import gc
from collections.abc import Callable
from pathlib import Path
from statistics import median
from time import perf_counter, process_time
from typing import NamedTuple

Work = Callable[[], object]


class Figure(NamedTuple):
    """One line of the table, and of `bench.json`."""

    key: str
    """Its letter first."""
    value: float
    what: str
    wanted: str = ""
    peak_mb: float | None = None
    """The most memory that it held beside what was there before."""


def ratio(work: Work, other: Work, pairs: int) -> float:
    """How many times as long `work` takes as `other`: the median over pairs, after one that is not counted.

    Processor time of this process, which other work on the machine changes little; on a GPU, time by the clock.
    """
    work()
    other()
    return median(seconds(work) / seconds(other) for _ in range(pairs))


def seconds(work: Work) -> float:
    import torch

    clock = perf_counter if torch.cuda.is_available() else process_time
    begun = clock()
    work()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return clock() - begun


def peak_mb(work: Work) -> float | None:
    """The most memory in MB, of the GPU or else of the process, that `work` held beside what was there before.

    Of a process on Linux alone; what an earlier work has left for the next one does not count.
    """
    import torch

    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        work()
        return (torch.cuda.max_memory_allocated() - before) / 2**20
    if hasattr(library := ctypes.CDLL(None), "malloc_trim"):
        library.malloc_trim(0)  # what the process has kept of earlier works would be used first
    try:
        Path("/proc/self/clear_refs").write_text("5")  # the kernel counts the peak anew
    except OSError:
        return None
    before_kb = status_kb("VmRSS")
    work()
    return (status_kb("VmHWM") - before_kb) / 2**10


def status_kb(name: str) -> int:
    """A line of what Linux says of this process, such as VmRSS, its memory now, or VmHWM, the most of it."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:"))
