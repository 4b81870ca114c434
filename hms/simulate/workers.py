"""Many like jobs in worker processes: how many, with one thread each, and gone when the first process is."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

T = TypeVar("T")

_WORKER_ENVIRONMENT = {
    **dict.fromkeys(("POLARS_MAX_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"),
    # glibc keeps freed arrays instead of handing their pages back: a sixth of the time went into page faults. Before
    # 2.35 it takes no more than the first, and the second alone would be worse than neither.
    "MALLOC_MMAP_THRESHOLD_": str(2**25),
    "MALLOC_TRIM_THRESHOLD_": str(2**30),
}
_FEW = 64
"""Below this many recordings, starting workers takes longer than the work."""


def in_workers(job: Callable[[T], None], items: Sequence[T], workers: int | None) -> Iterator[None]:
    """Call `job` with each item, in `workers` processes: one per core unless given, none beside this one for 1."""
    workers = workers or (cores() if len(items) >= _FEW else 1)
    if workers == 1:
        yield from map(job, items)
        return
    # Spawned, not forked: a forked child of a process in which Polars has run can wait for ever.
    with worker_environment():
        context = multiprocessing.get_context("spawn")
        pool = ProcessPoolExecutor(workers, mp_context=context, initializer=end_with_parent)
        try:
            yield from pool.map(job, items, chunksize=max(1, min(8, len(items) // (4 * workers))))
        finally:
            pool.shutdown(cancel_futures=True)


def cores() -> int:
    """Cores this process may use; macOS does not say."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextmanager
def worker_environment() -> Iterator[None]:
    """Processes started inside get one thread each, so that n workers are n cores."""
    before = {name: os.environ.get(name) for name in _WORKER_ENVIRONMENT}
    os.environ.update(_WORKER_ENVIRONMENT)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def end_with_parent() -> None:
    """End this worker when the process that started it is killed, or it would wait for more work for ever.

    Ctrl-C, which a terminal sends to both, is left to that process.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_wait_for_parent, daemon=True).start()


def _wait_for_parent() -> None:
    if parent := multiprocessing.parent_process():
        parent.join()
        os._exit(1)
