"""Time and memory on a shared machine: ratios of two workloads that take turns, and the peak memory of one."""

import ctypes
import gc
from collections.abc import Callable
from pathlib import Path
from statistics import median
from time import perf_counter, process_time
from typing import NamedTuple

Workload = Callable[[], object]


class Figure(NamedTuple):
    """One line of the table and of `bench.json`."""

    key: str
    """Begins with the letter of its benchmark."""
    value: float
    description: str
    target: str = ""
    peak_mb: float | None = None
    """Peak memory in excess of what was held before."""


def ratio(workload: Workload, other: Workload, pairs: int) -> float:
    """How many times as long `workload` takes as `other`: the median over pairs, after a warm-up.

    Measures the processor time of this process, which other load hardly affects; on a GPU, wall-clock time.
    """
    workload()
    other()
    return median(seconds(workload) / seconds(other) for _ in range(pairs))


def seconds(workload: Workload) -> float:
    """Time of a workload alone: a GPU first ends what it was given before, which may be another one's."""
    import torch

    if not torch.cuda.is_available():
        begun = process_time()
        workload()
        return process_time() - begun
    torch.cuda.synchronize()
    begun = perf_counter()
    workload()
    torch.cuda.synchronize()
    return perf_counter() - begun


def peak_mb(workload: Workload) -> float | None:
    """Peak memory in MB, of the GPU or else of the process, that `workload` adds to what was held before.

    The memory of a process is measured on Linux only. Memory freed by earlier workloads but kept does not count.
    """
    import torch

    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        workload()
        return (torch.cuda.max_memory_allocated() - before) / 2**20
    if hasattr(library := ctypes.CDLL(None), "malloc_trim"):
        library.malloc_trim(0)  # else memory kept from earlier workloads would be reused first
    try:
        Path("/proc/self/clear_refs").write_text("5")  # the kernel resets the peak
    except OSError:
        return None
    before_kb = status_kb("VmRSS")
    workload()
    return (status_kb("VmHWM") - before_kb) / 2**10


def status_kb(name: str) -> int:
    """A field of /proc/self/status in kB, such as VmRSS, the current memory, or VmHWM, its peak."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:"))
