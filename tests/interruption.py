"""Commands that end at a chosen moment, each in a process that begins with everything imported."""

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

PRELOADED = "hms.train hms.fit hms.stream hms.predictors hms.submission hms.ensemble.nested hms.ensemble.tables".split()

CHANGES = {"os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.symlink", "os.truncate"}
"""Audit events of Python by which files come, go, and change; beside `open` for writing."""

WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT


class Moment(NamedTuple):
    """`delay_s` after the change of files number `change`, which is about to happen; the first has number 1."""

    change: int
    delay_s: float = 0


def drawn(rng: random.Random, changes: int, seconds: float) -> Moment:
    """A moment of a command that takes so long: at a change of files, just after one, or any."""
    if rng.random() < 0.3:
        return Moment(0, rng.uniform(0.001, seconds))
    return Moment(rng.randint(1, changes), rng.choice([0, rng.uniform(0.001, 0.01)]))


def run(words: list[str], log: Path, end: Moment | None = None, by: int = signal.SIGKILL) -> int | None:
    """Run a command, `words` being those of its command line, until it ends, by itself or by a signal; its exit code.

    What it prints is added to `log`, and at its end the number of its changes of files, and how long it took.
    """
    return ended(begun(words, log, end, by), log)


def begun(
    words: list[str], log: Path, end: Moment | None = None, by: int = signal.SIGKILL, largest_file: int | None = None
) -> BaseProcess:
    """The process of a command; with `largest_file` the disk takes no more bytes than that of one file."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOADED)
    process = context.Process(target=_command, args=(words, str(log), end, by, largest_file))
    process.start()
    return process


def ended(process: BaseProcess, log: Path) -> int | None:
    process.join(300)
    if process.exitcode is None:
        process.kill()
        raise TimeoutError(f"hangs: {log.read_text()}")
    return process.exitcode


def children(process: int) -> list[int]:
    """All processes below one."""
    path = Path(f"/proc/{process}/task/{process}/children")
    found = [int(number) for number in path.read_text().split()] if path.exists() else []
    return [*found, *(below for one in found for below in children(one))]


def _command(words: list[str], log: str, end: Moment | None, by: int, largest_file: int | None) -> None:
    file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(file, 1)
    os.dup2(file, 2)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # which a background job ignores
    if largest_file:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (largest_file, largest_file))
    sys.dont_write_bytecode = True  # of what is imported late: it would count as changes of files
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
    began_s = time.monotonic()
    import_module(f"hms.{command}.__main__" if package else f"hms.{command}").main()
    print(f"{count} changes in {time.monotonic() - began_s:.3f} s", flush=True)


def _send(number: int, delay_s: float) -> None:
    """Signal this process; a timer's signal, left as it is, ends it as kill -9 does, wherever it is."""
    if delay_s:
        signal.setitimer(signal.ITIMER_REAL, delay_s)
    else:
        os.kill(os.getpid(), number)
