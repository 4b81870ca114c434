"""Run many similar jobs in worker processes of one thread each, which end with their parent process."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

from hms.system.memory import keep_freed

T = TypeVar("T")

_THREADS = ("POLARS_MAX_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
_MIN_PARALLEL = 64
"""With fewer items, starting workers takes longer than the work itself."""


def in_workers(job: Callable[[T], None], items: Sequence[T], workers: int | None) -> Iterator[None]:
    """Call `job` with each item in `workers` processes: by default one per core; with 1, in this process."""
    workers = workers or (cores() if len(items) >= _MIN_PARALLEL else 1)
    if workers == 1:
        yield from map(job, items)
        return
    # Spawned, not forked: a forked child of a process in which Polars has run can hang.
    with one_thread_each():
        context = multiprocessing.get_context("spawn")
        pool = ProcessPoolExecutor(workers, mp_context=context, initializer=_begin)
        try:
            yield from pool.map(job, items, chunksize=max(1, min(8, len(items) // (4 * workers))))
        finally:
            pool.shutdown(cancel_futures=True)


def cores() -> int:
    """Number of cores that this process may use, also in a container that was given a share of them."""
    import joblib  # slow to import

    return int(joblib.cpu_count())


@contextmanager
def one_thread_each() -> Iterator[None]:
    """Processes started within this context use one thread each, so that n workers use n cores."""
    before = {name: os.environ.get(name) for name in _THREADS}
    os.environ.update(dict.fromkeys(_THREADS, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _begin() -> None:
    keep_freed()  # page faults took a sixth of the time
    end_with_parent()


def end_with_parent() -> None:
    """End this worker if its parent process is killed; otherwise it would wait for more work for ever.

    Ctrl-C, which a terminal sends to both, is left to the parent.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_wait_for_parent, daemon=True).start()


def _wait_for_parent() -> None:
    if parent := multiprocessing.parent_process():
        parent.join()
        os._exit(1)
