"""Why jobs fail: in a single line where that says all, and each reason once in a sweep."""

import shlex
import sys
import traceback
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple, TypeGuard

from hydra.errors import CompactHydraException

from hms.errors import UserError, with_lines
from hms.system.console import say

_AGAIN = "; the same command runs them again, or in place of what it sweeps"


class Failure(NamedTuple):
    """Why a job failed, whether it would fail again unless something is changed, and whether this process told why."""

    why: str
    is_refusal: bool
    is_told: bool


class SweptJob(NamedTuple):
    """A job of a sweep: its overrides, less those that all jobs share, its config, and why it failed, if known."""

    words: list[str]
    config: dict[str, Any]
    failure: Failure | None

    def __str__(self) -> str:
        return " ".join(map(shlex.quote, self.words))


class _Refused(CompactHydraException):
    """A UserError of a job, as other processes can pass it on."""


@contextmanager
def errors_in_one_line() -> Iterator[None]:
    """Exit with just the text of a UserError, or of an error of the operating system."""
    try:
        yield
    except (UserError, OSError) as error:
        if not _is_of_user_or_system(error):
            raise
        print(_message(error), file=sys.stderr)
        sys.exit(1)


@contextmanager
def told_at_once(words: str, told: set[str]) -> Iterator[None]:
    """Print why the job of a sweep that `words` name fails, unless it is `told`, to which it is added; raise it again.

    What is raised has no trace if its text is all there is to say.
    """
    try:
        yield
    except Exception as error:
        if _is_of_user_or_system(error):
            _tell(words, _message(error), told)
            raise (_Refused if isinstance(error, UserError) else CompactHydraException)(_message(error)) from None
        _tell(words, traceback.format_exc().rstrip(), told)
        told.add(_last_line(error))
        raise


def failure_of(raised: Exception, told: Collection[str]) -> Failure:
    """Why a job failed that raised this; `told` are the reasons that this process told."""
    why = str(raised) if isinstance(raised, CompactHydraException) else _last_line(raised)
    return Failure(why, isinstance(raised, _Refused), why in told)


def print_failed(jobs: list[SweptJob]) -> None:
    """Print which jobs of a sweep failed."""
    print_unfinished([(str(job), job.failure) for job in jobs if job.failure], len(jobs))


def print_unfinished(unfinished: list[tuple[str, Failure | None]], jobs: int) -> None:
    """Print the names of those of a sweep's `jobs` that did not finish, by the reason, told in full if it is new.

    It helps to run jobs again unless they were refused.
    """
    reasons: dict[Failure | None, str] = {}  # each with the first job that it ended
    for name, failure in unfinished:
        reasons.setdefault(failure, name)
    for failure, name in reasons.items():
        if failure and not failure.is_told and "\n" in failure.why:
            say(f"{name}: {failure.why}")
    told = all(failure and failure.is_told for failure in reasons)
    as_told = told and len(reasons) in (1, len(unfinished))  # otherwise only these lines say which job failed why
    by_heading: dict[str, list[str]] = {}
    for name, failure in unfinished:
        by_heading.setdefault(_heading(failure, as_told), []).append(name)
    for heading, names in by_heading.items():
        say(with_lines(f"{len(names)} of {jobs} jobs did not finish{heading}:", filter(None, names)))


def _heading(failure: Failure | None, as_told: bool) -> str:
    """In brief why jobs did not finish, unless it was told (`as_told`), and whether it helps to run them again."""
    why = failure.why.splitlines()[0].rstrip(":") if failure else ""
    brief = ", as told above" if as_told else f" ({why})" if why else ""
    return brief if failure and failure.is_refusal else brief + _AGAIN


def _tell(words: str, why: str, told: set[str]) -> None:
    if why not in told:
        say(f"{words}: {why}")
    told.add(why)


def _is_of_user_or_system(error: Exception) -> TypeGuard[UserError | OSError]:
    """Whether the text of an error is all there is to say; libraries raise OSError without a number, too."""
    return isinstance(error, UserError) or (isinstance(error, OSError) and error.errno is not None)


def _message(error: UserError | OSError) -> str:
    if isinstance(error, OSError):
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror or str(error)
    return str(error)


def _last_line(error: Exception) -> str:
    return traceback.format_exception_only(error)[-1].strip()
