"""Commands that are killed at a chosen moment, each in a process that begins with everything imported."""

import multiprocessing
import os
import random
import signal
import sys
import time
from importlib import import_module
from pathlib import Path
from typing import Any

PRELOADED = "hms.train hms.fit hms.stream hms.predictors hms.submission hms.ensemble.nested hms.ensemble.tables".split()

CHANGES = {"os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.symlink", "os.truncate"}
"""Audit events of Python by which files come, go, and change; beside `open` for writing."""

WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT


class Moment:
    """Where a process ends: `delay_s` after the change of files number `change`."""

    def __init__(self, change: int, delay_s: float):
        self.change, self.delay_s = change, delay_s

    def __repr__(self) -> str:
        return f"{1000 * self.delay_s:.0f} ms after change {self.change}"


def drawn(rng: random.Random, changes: int, seconds: float) -> Moment:
    """A moment of a command that takes so long: at a change of files, just after one, or any time."""
    if rng.random() < 0.3:
        return Moment(0, rng.uniform(0, seconds))
    return Moment(rng.randrange(changes), rng.choice([0, rng.uniform(0, 0.01)]))


def run(words: list[str], log: Path, end: Moment | None = None) -> int:
    """Run a command, `words` being those of its command line, until it ends or is killed; its exit code.

    Its output is added to `log`, and at its end the number of changes of files.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOADED)
    process = context.Process(target=_command, args=(words, str(log), end))
    process.start()
    process.join(300)
    if process.exitcode is None:
        process.kill()
        raise TimeoutError(f"{' '.join(words)}: hangs, see {log}")
    return process.exitcode


def _command(words: list[str], log: str, end: Moment | None) -> None:
    file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(file, 1)
    os.dup2(file, 2)
    count = 0

    def watch(event: str, args: tuple[Any, ...]) -> None:
        nonlocal count
        if event in CHANGES or (event == "open" and isinstance(args[2], int) and args[2] & WRITES):
            count += 1
            if end and count == end.change:
                _kill(end.delay_s)

    command, *rest = words
    sys.argv = [f"hms.{command}", *rest]
    sys.addaudithook(watch)
    if end and end.change == 0:
        _kill(end.delay_s)
    package = command in ("simulate", "ensemble")
    began_s = time.monotonic()
    import_module(f"hms.{command}.__main__" if package else f"hms.{command}").main()
    print(f"{count} changes in {time.monotonic() - began_s:.3f} s", flush=True)


def _kill(delay_s: float) -> None:
    """End this process as kill -9 does; a timer's signal, left as it is, does so wherever the process is."""
    if delay_s:
        signal.setitimer(signal.ITIMER_REAL, delay_s)
    else:
        os.kill(os.getpid(), signal.SIGKILL)
