"""End a command on a signal as on an exception: unfinished files are removed, workers ended, and one line printed."""

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from types import FrameType
from typing import Any

from hms.system.console import say

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)
"""Sent by Ctrl-C; by a batch queue or a machine that shuts down; and by Slurm if `--signal=USR1@90` asks for it."""


class Interrupted(BaseException):
    """A signal arrived. Not an Exception, or a sweep would take it for the failure of one job and start the next."""

    def __init__(self, number: int):
        super().__init__(number)
        self.number = number


@contextmanager
def interruptible(signals: Sequence[int] = SIGNALS, announce: bool = True) -> Iterator[None]:
    """Raise Interrupted in the block when a signal arrives, then exit with 128 + the signal's number.

    A second signal ends the process at once. A signal that this process was started to ignore stays ignored. A worker
    passes `announce=False` to print nothing, because the process that started it prints the line.
    """
    handled = [number for number in signals if signal.getsignal(number) is not signal.SIG_IGN]
    if threading.current_thread() is not threading.main_thread():
        handled = []  # only the main thread may set handlers
    handlers, unraisable = {number: signal.signal(number, _interrupt) for number in handled}, sys.unraisablehook
    sys.unraisablehook = partial(_send_again, unraisable)
    try:
        yield
    except Interrupted as interrupted:
        if announce:
            say(f"interrupted by {signal.Signals(interrupted.number).name}; the same command does what is left to do")
        sys.exit(128 + interrupted.number)
    finally:
        sys.unraisablehook = unraisable
        for number, handler in handlers.items():
            signal.signal(number, handler)


def _send_again(unraisable: Callable[["sys.UnraisableHookArgs"], Any], args: "sys.UnraisableHookArgs") -> None:
    """Send a signal again if Python dropped its exception, as it does while it closes an unreferenced generator."""
    if not isinstance(args.exc_value, Interrupted):
        unraisable(args)
        return
    number, ending = args.exc_value.number, threading.Event()
    signal.signal(number, _interrupt)
    threading.Thread(target=_send_after, args=(ending, number)).start()  # may take longer than it sleeps
    ending.set()


def _send_after(ending: threading.Event, number: int) -> None:
    """Send a signal soon after the hook has ended, within which Python would drop the exception once more."""
    ending.wait()
    time.sleep(0.02)
    os.kill(os.getpid(), number)


def _interrupt(number: int, frame: FrameType | None) -> None:
    for ending in SIGNALS:
        signal.signal(ending, _exit_at_once)
    raise Interrupted(number)


def _exit_at_once(number: int, frame: FrameType | None) -> None:
    os._exit(128 + number)
