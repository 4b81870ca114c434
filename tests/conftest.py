"""Fixtures for all tests: a tiny simulated corpus and its store, and real data where the machine has them."""

import os
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from browser import CHROMIUM, Page, browser
from commands import hms

from hms.data.store import Store, prepare_store
from hms.simulate.corpus import SimulatedFolder

ROOT = Path(__file__).parents[1]
SHARED = ROOT.parent / "shared"

os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # otherwise each subprocess would compile Lightning and SciPy anew
os.environ.pop("COLUMNS", None)  # tables are tested as in a pipe

Say = Callable[..., tuple[str, str]]


@pytest.fixture(scope="session")
def shared(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that all workers of this run share."""
    own = tmp_path_factory.getbasetemp()
    return own.parent if hasattr(request.config, "workerinput") else own


@pytest.fixture(scope="session")
def tiny_folder(shared: Path) -> SimulatedFolder:
    (shared / "corpora").mkdir(exist_ok=True)
    return SimulatedFolder(str(shared / "corpora" / "tiny"), "tiny", workers=1)


@pytest.fixture(scope="session")
def corpus(tiny_folder: SimulatedFolder) -> Path:
    """A tiny simulated corpus; do not write to it."""
    tiny_folder.make()
    return tiny_folder.root


@pytest.fixture(scope="session")
def store(tiny_folder: SimulatedFolder) -> Store:
    return prepare_store(tiny_folder, stores_of(tiny_folder.root), "raise")


@pytest.fixture
def config(corpus: Path, tmp_path: Path) -> dict[str, Any]:
    """The config of a small training, in a copy of one's own."""
    from trainings import composed  # which imports from here

    return composed(corpus, tmp_path)


@pytest.fixture
def say() -> Say:
    """Run `hms.predict`; return its stdout and stderr. Of several words with one key the last one counts."""
    return partial(_said_by, "predict")


@pytest.fixture
def say_submit() -> Say:
    """The same of `hms.submit`."""
    return partial(_said_by, "submit")


def _said_by(module: str, *words: str, code: int = 0) -> tuple[str, str]:
    last = {word.partition("=")[0]: word for word in ("accelerator=cpu", "flips=false", *words)}
    return hms(module, *last.values(), code=code)


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    """A real browser, shared by the tests of a module."""
    if CHROMIUM is None:
        pytest.skip("no chromium on this machine (apt-get install chromium)")
    with browser(tmp_path_factory.mktemp("profile")) as tab:
        yield tab


def stores_of(corpus: Path) -> Path:
    """The folder where commands find the store of the tiny corpus, or else build it for all other tests, too."""
    return corpus.parents[1] / "stores"


def real(path: str) -> Path:
    """Path of real data in ../shared; skips the test if it is absent."""
    if not (SHARED / path).exists():
        pytest.skip(f"../shared/{path} is not on this machine")
    return SHARED / path


def python(*args: str) -> list[str]:
    return [sys.executable, *args]
