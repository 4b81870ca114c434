"""A signal ends a command as an exception does: files in hand are removed, workers ended, and one line says so."""

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from types import FrameType
from typing import Any

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)
"""Ctrl-C; what a queue or a machine that goes down sends; and what Slurm sends where `--signal=USR1@90` asks for it."""


class Interrupted(BaseException):
    """A signal came. No Exception, so that nobody takes it for the mistake of one job and goes on with the next."""

    def __init__(self, number: int):
        super().__init__(number)
        self.number = number


@contextmanager
def interruptible(signals: Sequence[int] = SIGNALS, tell: bool = True) -> Iterator[None]:
    """Raise Interrupted within the block when a signal comes, and end the process with 128 + its number after it.

    A second signal ends the process at once. A signal that this process was told to ignore stays ignored. Without
    `tell` nothing is said, as by a process that another one started, which says it.
    """
    heard = [one for one in signals if signal.getsignal(one) is not signal.SIG_IGN]
    if threading.current_thread() is not threading.main_thread():
        heard = []  # no other thread may ask for signals
    before, dropped = {one: signal.signal(one, _interrupt) for one in heard}, sys.unraisablehook
    sys.unraisablehook = partial(_not_lost, dropped)
    try:
        yield
    except Interrupted as interrupted:
        if tell:
            from hms.console import say  # slow to import; no command should wait for it that is not interrupted

            say(f"interrupted by {signal.Signals(interrupted.number).name}: the same command again goes on from here")
        sys.exit(128 + interrupted.number)
    finally:
        sys.unraisablehook = dropped
        for one, handler in before.items():
            signal.signal(one, handler)


def _not_lost(dropped: Callable[["sys.UnraisableHookArgs"], Any], args: "sys.UnraisableHookArgs") -> None:
    """Send a signal again that came where Python drops exceptions, as while it ends a generator that nobody holds."""
    if not isinstance(args.exc_value, Interrupted):
        dropped(args)
        return
    number = args.exc_value.number
    signal.signal(number, _interrupt)
    threading.Timer(0.01, os.kill, (os.getpid(), number)).start()  # once Python has left that place


def _interrupt(number: int, frame: FrameType | None) -> None:
    for one in SIGNALS:
        signal.signal(one, _leave)
    raise Interrupted(number)


def _leave(number: int, frame: FrameType | None) -> None:
    os._exit(128 + number)
