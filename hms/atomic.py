"""Write files and folders whole or not at all, whoever is killed meanwhile and however many write at once.

All is written under a temporary name beside its own, and renamed. What a killed process left under that name is
written over by the next that wants the same; two that want it at once take turns.
"""

import contextlib
import errno
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import polars as pl

from hms.console import say
from hms.errors import UserError, first_line

_NO_LOCKS = {errno.ENOSYS, errno.ENOTSUP, errno.ENOLCK}
"""What a file system without locks answers; there, two at once are on their own."""


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a temporary name to write to; it becomes `path` when the block ends well and vanishes when it does not.

    Raises UserError where that cannot be written.
    """
    temporary = _beside(path, "tmp")
    with _refused(path), _held(temporary):
        try:
            yield temporary
            os.replace(temporary, path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise


@contextlib.contextmanager
def scratch_folder(path: Path) -> Iterator[Path]:
    """Give an empty folder beside `path` to write to; it is gone when the block ends, unless it became `path`.

    Only who holds `path` (`locked`) may ask for it. Raises UserError where it cannot be written.
    """
    folder = _beside(path, "tmp")
    with _refused(path):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def locked(path: Path, waiting: str) -> Iterator[None]:
    """Keep other processes that want to make `path` out of the block; says `waiting` where it has to wait for another.

    Who ends, however it ends, lets the next one in.
    """
    lock = _beside(path, "lock")
    with contextlib.ExitStack() as stack:
        with _refused(path):
            stack.enter_context(_held(lock, waiting))
        try:
            yield
        finally:
            lock.unlink(missing_ok=True)


def _beside(path: Path, what: str) -> Path:
    """A name that patterns do not match."""
    return path.with_name(f".{path.name}.{what}")


@contextlib.contextmanager
def _held(path: Path, waiting: str = "") -> Iterator[None]:
    """Keep others from the file `path`, which is made where it is not there, until the block ends."""
    file = _open_locked(path, waiting)
    try:
        while not _is_at(file, path):  # who held it before has renamed or removed it
            os.close(file)
            file = _open_locked(path, waiting)
        yield
    finally:
        os.close(file)


def _open_locked(path: Path, waiting: str) -> int:
    import fcntl  # which Windows lacks

    file = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        if waiting:
            say(waiting)
        fcntl.flock(file, fcntl.LOCK_EX)
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise
    return file


def _is_at(file: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file), path.stat())
    except FileNotFoundError:
        return False


@contextlib.contextmanager
def _refused(path: Path) -> Iterator[None]:
    """Raise UserError where the operating system, or Polars for it, refuses to write."""
    try:
        yield
    except (OSError, pl.exceptions.PolarsError) as error:
        reason = getattr(error, "strerror", None) or first_line(error)
        raise UserError(f"{path}: cannot be written ({reason})") from None
