"""Commands that are interrupted at a chosen moment, each in a process that has everything imported beforehand."""

import multiprocessing
import os
import random
import resource
import signal
import sys
import time
from importlib import import_module
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, NamedTuple

PRELOADED = """
    hms.train hms.training.fit hms.data.stream hms.prediction.predictors hms.prediction.submission
    hms.ensemble.fitted
""".split()

CHANGES = {"os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.symlink", "os.truncate"}
"""Python's audit events for creating, removing and changing files, besides `open` for writing."""

WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT


class Moment(NamedTuple):
    """`delay_s` after file change number `change` (from 1) is about to happen; 0: after the command starts."""

    change: int
    delay_s: float = 0


def random_moment(rng: random.Random, changes: int, seconds: float) -> Moment:
    """A moment in a command that takes `seconds`: at a change of a file, just after one, or any."""
    if rng.random() < 0.3:
        return Moment(0, rng.uniform(0.001, seconds))
    return Moment(rng.randint(1, changes), rng.choice([0, rng.uniform(0.001, 0.01)]))


def run(words: list[str], log: Path, end: Moment | None = None, by: int = signal.SIGKILL) -> int | None:
    """Run a command, given by the `words` of its command line, until it ends by itself or by a signal.

    Returns its exit code. Appends its output to `log`, and at the end its number of file changes and its duration.
    """
    return exit_code(start(words, log, end, by), log)


def start(
    words: list[str], log: Path, end: Moment | None = None, by: int = signal.SIGKILL, largest_file: int | None = None
) -> BaseProcess:
    """Start a command in a process of its own; `largest_file` limits the bytes of a file, as a full disk would."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOADED)
    process = context.Process(target=_command, args=(words, str(log), end, by, largest_file))
    process.start()
    return process


def exit_code(process: BaseProcess, log: Path) -> int | None:
    process.join(300)
    if process.exitcode is None:
        process.kill()
        raise TimeoutError(f"the command hangs: {log.read_text()}")
    return process.exitcode


def children(process: int) -> list[int]:
    """All descendants of a process."""
    path = Path(f"/proc/{process}/task/{process}/children")
    own = [int(number) for number in path.read_text().split()] if path.exists() else []
    return [*own, *(below for child in own for below in children(child))]


def _command(words: list[str], log: str, end: Moment | None, by: int, largest_file: int | None) -> None:
    file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(file, 1)
    os.dup2(file, 2)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job ignores it
    if largest_file:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (largest_file, largest_file))
    sys.dont_write_bytecode = True  # late imports would otherwise count as file changes
    count = 0

    def watch(event: str, args: tuple[Any, ...]) -> None:
        nonlocal count
        if event in CHANGES or (event == "open" and isinstance(args[2], int) and args[2] & WRITES):
            count += 1
            if end and count == end.change:
                _send(by, end.delay_s)

    command, *rest = words
    sys.argv = [f"hms.{command}", *rest]
    sys.addaudithook(watch)
    if end and end.change == 0:
        _send(by, end.delay_s)
    package = command in ("simulate", "ensemble", "export", "report")
    started_s = time.monotonic()
    import_module(f"hms.{command}.__main__" if package else f"hms.{command}").main()
    print(f"{count} changes in {time.monotonic() - started_s:.3f} s", flush=True)


def _send(number: int, delay_s: float) -> None:
    """Signal this process; with a delay by a timer, whose unhandled signal ends it at any point, as kill -9 does."""
    if delay_s:
        signal.setitimer(signal.ITIMER_REAL, delay_s)
    else:
        os.kill(os.getpid(), number)
