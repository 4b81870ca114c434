"""Write files and folders atomically, even if a process is killed or several write at once.

Everything is written under a temporary name next to its own, then renamed. What a killed process left under that name
is overwritten by the next one that writes the same; processes that write the same at once take turns.
"""

import contextlib
import errno
import multiprocessing
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryFile

import polars as pl

from hms.errors import UserError, first_line
from hms.system.console import say

_NO_LOCKS = {errno.ENOSYS, errno.ENOTSUP, errno.ENOLCK}
"""Errors of a file system without locks, on which simultaneous writers are not kept apart."""


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a temporary name to write to; the file becomes `path` if the block succeeds, and is removed if it fails.

    Raises UserError if it cannot be written.
    """
    temporary = _hidden(path, "tmp")
    with _as_user_error(path), _held(temporary):
        try:
            yield temporary
            os.replace(temporary, path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise


def want_writable(key: str, folder: Path) -> None:
    """Raise UserError about the config's `key`, before work that would be lost, if a folder cannot be written to."""
    try:
        with TemporaryFile(dir=next(path for path in (folder, *folder.parents) if path.exists())):
            pass
    except OSError as error:
        raise UserError(f"{key}: cannot write to '{folder}' ({error.strerror})") from None


def write_text(path: Path, text: str) -> None:
    """Write a text file, as `replacing` does."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_table(path: Path, table: pl.DataFrame) -> None:
    """Write a table as Parquet, if `path` ends so, or else as CSV, as `replacing` does."""
    with replacing(path) as temporary:
        table.write_parquet(temporary) if path.suffix == ".parquet" else table.write_csv(temporary)


@contextlib.contextmanager
def scratch_folder(path: Path) -> Iterator[Path]:
    """Give an empty folder next to `path` to write to; it is removed after the block, unless it was renamed to `path`.

    To be used only while `path` is `locked`. Raises UserError if the folder cannot be written.
    """
    folder = _hidden(path, "tmp")
    with _as_user_error(path):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def locked(path: Path, doing: str) -> Iterator[None]:
    """Let one process at a time into the block, which makes `path`; one that waits for another prints `doing`.

    `doing` says what that one is doing, as in "training runs/quick-6e9676ef/fold0_seed0".

    The lock is released however the process ends. Raises UserError in a worker that is only importing the script that
    started it: that script may hold the lock, and waits for the worker.
    """
    if getattr(multiprocessing.current_process(), "_inheriting", False):
        raise UserError(
            "a worker process imports the script that started it: put its code under if __name__ == '__main__'"
        )
    lock = _hidden(path, "lock")
    with contextlib.ExitStack() as stack:
        with _as_user_error(path):
            stack.enter_context(_held(lock, doing))
        try:
            yield
        finally:
            lock.unlink(missing_ok=True)


def _hidden(path: Path, ending: str) -> Path:
    """A name next to `path` that glob patterns do not match."""
    return path.with_name(f".{path.name}.{ending}")


@contextlib.contextmanager
def _held(path: Path, doing: str = "") -> Iterator[None]:
    """Hold a lock on the file `path`, which is created if missing, until the block ends."""
    file = _open_locked(path, doing)
    try:
        while not _is_at(file, path):  # its previous holder has renamed or removed it
            os.close(file)
            file = _open_locked(path, doing)
        yield
    finally:
        os.close(file)


def _open_locked(path: Path, doing: str) -> int:
    import fcntl  # Windows lacks it

    file = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        if doing:
            say(f"another process is {doing}; waiting for it")
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
def _as_user_error(path: Path) -> Iterator[None]:
    """Raise UserError if the operating system refuses to write, to us or to Polars."""
    try:
        yield
    except (OSError, pl.exceptions.PolarsError) as error:
        reason = getattr(error, "strerror", None) or first_line(error)
        raise UserError(f"{path}: cannot be written ({reason})") from None
