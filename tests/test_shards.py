"""Work in shards gives the same bytes as work in one piece, in any order and after any interruption."""

import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from errno import ENOSPC
from pathlib import Path
from threading import Event
from time import sleep
from typing import Any, Literal

import polars as pl
import pytest
from conftest import python

from hms.data import store as store_module
from hms.data.store import Store, build_shard, build_store
from hms.errors import DataError
from hms.simulate.corpus import SimulatedFolder
from hms.system.interrupt import Interrupted
from hms.system.shards import Shard, make_shard, no_such_shard


def content(root: Path) -> dict[str, bytes]:
    """The bytes of every file in a folder."""
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


@pytest.mark.parametrize("items", [0, 1, 5, 8])
@pytest.mark.parametrize("of", [1, 2, 3, 8])
def test_the_parts_of_all_shards_make_the_whole(items: int, of: int):
    parts = [Shard(number, of).part(range(items)) for number in range(of)]
    assert [item for part in parts for item in part] == [*range(items)]
    assert max(map(len, parts)) - min(map(len, parts)) <= 1


def test_a_shard_that_does_not_exist_is_refused():
    assert [*no_such_shard({"shard": 4, "shards": 4})] == ["shard: want 0 to 3 (shards=4), got 4"]
    assert [*no_such_shard({"shard": 3, "shards": 4})] == []


def test_a_shard_that_fails_leaves_nothing_and_can_be_made_again(tmp_path: Path):
    whole, tries = tmp_path / "whole", []

    def make(into: Path) -> None:
        (into / "half").write_text("written")
        tries.append(into)
        if len(tries) == 1:
            raise RuntimeError("power cut")

    def merge(parts: list[Path]) -> None:
        whole.write_text(" ".join((part / "half").read_text() for part in parts))

    folder = tmp_path / ".whole.shards"
    with pytest.raises(RuntimeError, match="power cut"):
        make_shard(Shard(1, 2), folder, whole.exists, make, merge)
    assert list(tmp_path.iterdir()) == []
    assert [make_shard(Shard(number, 2), folder, whole.exists, make, merge) for number in (1, 1, 0)] == [
        False,
        False,
        True,
    ]
    assert len(tries) == 3  # a shard that exists is not made again
    assert whole.read_text() == "written written"
    assert not folder.exists()


@pytest.mark.parametrize("error", [RuntimeError("unreadable"), DataError("unreadable"), FileNotFoundError("gone")])
def test_shards_that_cannot_be_merged_are_made_again(tmp_path: Path, error: Exception):
    tries = []

    def merge(parts: list[Path]) -> None:
        if len(tries) == 1:
            raise error

    with pytest.raises(type(error)):
        make_shard(Shard(0, 1), tmp_path / "whole", lambda: False, tries.append, merge)
    assert list(tmp_path.iterdir()) == []
    assert make_shard(Shard(0, 1), tmp_path / "whole", lambda: False, tries.append, merge)
    assert len(tries) == 2


@pytest.mark.parametrize("stop", [Interrupted(15), OSError(ENOSPC, "No space left on device"), MemoryError()])
def test_a_merge_that_is_stopped_keeps_all_shards(tmp_path: Path, stop: BaseException):
    made, stops = [], [stop]

    def make(into: Path) -> None:
        made.append(into)

    def merge(parts: list[Path]) -> None:
        if stops:
            raise stops.pop()

    whole = tmp_path / "whole"
    assert not make_shard(Shard(1, 2), whole, lambda: False, make, merge)
    with pytest.raises(type(stop)):
        make_shard(Shard(0, 2), whole, lambda: False, make, merge)
    assert make_shard(Shard(0, 2), whole, lambda: False, make, merge)
    assert len(made) == 2
    assert list(tmp_path.iterdir()) == []


def test_of_two_commands_for_one_shard_the_second_leaves_nothing(tmp_path: Path):
    whole, folder = tmp_path / "whole", tmp_path / ".whole.shards"
    begun, proceed = Event(), Event()

    def make(into: Path) -> None:
        begun.set()
        assert proceed.wait(20)
        (into / "half").write_text("written")

    def merge(parts: list[Path]) -> None:
        temporary = tmp_path / "temporary"
        temporary.write_text(" ".join((part / "half").read_text() for part in parts))
        temporary.rename(whole)

    proceed.set()
    assert not make_shard(Shard(0, 2), folder, whole.exists, make, merge)
    proceed.clear()
    begun.clear()
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(make_shard, Shard(1, 2), folder, whole.exists, make, merge)
        assert begun.wait(20)
        begun.clear()
        second = pool.submit(make_shard, Shard(1, 2), folder, whole.exists, make, merge)
        while not second.running():
            sleep(0.01)
        sleep(0.1)  # for it to find the first one's lock
        proceed.set()
        assert (first.result(), second.result()) == (True, True)
    assert not begun.is_set()
    assert whole.read_text() == "written written"
    assert [path.name for path in tmp_path.iterdir()] == ["whole"]


def test_a_file_of_that_name_by_another_model_is_not_taken_for_the_result(tmp_path: Path):
    whole, folder = tmp_path / "whole", tmp_path / ".whole.shards"

    def make(into: Path) -> None:
        (into / "half").write_text("own")
        whole.write_text("of another model")

    def merge(parts: list[Path]) -> None:
        whole.write_text(" ".join((part / "half").read_text() for part in parts))

    assert not make_shard(Shard(0, 2), folder, lambda: False, make, merge)
    assert make_shard(Shard(1, 2), folder, lambda: False, make, merge)
    assert whole.read_text() == "own own"


def test_a_corpus_made_in_shards_is_identical(corpus: Path, tmp_path: Path):
    folder = SimulatedFolder(str(tmp_path / "tiny"), "tiny", workers=1)
    assert [folder.make_shard(Shard(number, 3)) for number in (2, 0, 1, 1)] == [False, False, True, True]
    assert content(folder.root) == content(corpus)


def test_a_store_made_in_shards_is_identical(store: Store, corpus: Path, tmp_path: Path):
    path = tmp_path / "stores" / "tiny"
    assert [build_shard(corpus, path, "raise", Shard(number, 3)) for number in (1, 2, 0, 0)] == [
        False,
        False,
        True,
        True,
    ]
    found, expected = content(path), content(store.path)
    assert found == expected


def test_a_shard_reports_its_own_bad_files_and_a_store_without_them_is_identical(corpus: Path, tmp_path: Path):
    root = Path(shutil.copytree(corpus, tmp_path / "spoilt"))
    for label in pl.read_csv(root / "train.csv").partition_by("spectrogram_id", maintain_order=True)[::5]:
        (root / "train_eegs" / f"{label['eeg_id'][0]}.parquet").write_text("no parquet")
    with pytest.raises(DataError, match=r"bad files?; on_bad=skip leaves their EEGs out"):
        build_shard(root, tmp_path / "stores" / "sharded", "raise", Shard(0, 2))
    assert list((tmp_path / "stores").iterdir()) == []
    for number in (1, 0):
        build_shard(root, tmp_path / "stores" / "sharded", "skip", Shard(number, 2))
    whole = build_store(root, tmp_path / "stores" / "whole", "skip")
    assert content(tmp_path / "stores" / "sharded") == content(whole.path)
    assert len(whole.left_out) > 1


def test_a_store_built_meanwhile_leaves_no_shard(corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path, write = tmp_path / "stores" / "tiny", store_module._write_signals

    def slow(root: Path, labels: pl.DataFrame, into: Path, on_bad: Literal["raise", "skip"]) -> Any:
        found = write(root, labels, into, on_bad)
        if not path.exists() and labels.height < pl.read_csv(corpus / "train.csv").height:
            build_store(corpus, path)
        return found

    monkeypatch.setattr(store_module, "_write_signals", slow)
    assert build_shard(corpus, path, "raise", Shard(0, 2))
    assert [*path.parent.iterdir()] == [path]


def test_shards_can_be_swept_by_any_launcher(corpus: Path, store: Store, tmp_path: Path):
    words = ["-m", "shard=0,1", "shards=2", "launcher=joblib", f"hydra.sweep.dir={tmp_path / 'sweep'}"]
    places = ["data=competition", f"data.root={corpus}", f"stores={tmp_path / 'stores'}"]
    command = python("-m", "hms.prepare", *words, *places)
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "1 to come" in done.stderr or "another process is merging" in done.stderr  # if both end at once
    (path,) = (path for path in (tmp_path / "stores").iterdir() if path.is_dir())
    assert "12 patients, " in done.stdout
    assert done.stdout.endswith(f"-> {path}\n")
    assert content(path) == {**content(store.path), "store.json": (path / "store.json").read_bytes()}
