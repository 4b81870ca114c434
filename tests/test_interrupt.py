"""Kill any command at any moment: run again, it ends with the same bytes as if it had never been interrupted.

`make test-kill KILLS=50` kills each command fifty times as often.
"""

import json
import multiprocessing
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from commands import contents
from conftest import python
from edf_files import write_edf
from interruption import Moment, children, exit_code, random_moment, run, start
from together import work_on

from hms.electrodes import SCALP
from hms.system.interrupt import interruptible
from hms.system.processes import run_in_processes

KILLS = int(os.environ.get("HMS_KILLS", "1"))
TIMES = {"simulate": 1, "prepare": 2, "multirun": 1, "train": 2, "ensemble": 2, "submit": 1, "collect": 1}
"""How often each command is killed, times `KILLS`."""

KINDS = {
    "ema": ["averaging=ema"],
    "swa": ["averaging=swa", "averaging.swa.share=0.5", "epochs=4"],
    "stopped": ["callbacks=early_stopping", "callbacks.early_stopping.patience=1", "epochs=9", "optimizer.lr=1e-2"],
    "pretrain": ["pretrain=low_votes", "pretrain.epochs=1"],
    "all": ["fold=all"],
    "live": ["live=simulated", "live.simulated.windows=12", "live.simulated.workers=2", "subset=all_votes"],
}
"""Overrides of trainings that keep more than weights between epochs, or simulate their windows."""


class Place(NamedTuple):
    """The folder that commands write to, and what they wrote there when not interrupted."""

    here: Path
    words: dict[str, list[str]]
    expected: dict[str, dict[str, bytes]]
    changes: dict[str, int]
    seconds: dict[str, float]


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory, corpus: Path) -> Place:
    base = tmp_path_factory.mktemp("interrupted")
    here, made = base / "here", base / "made"
    data = [f"data.root={corpus}", "data.size=tiny"]
    runs = str(made / "runs" / "smoke-*")
    train = ["experiment=smoke", "extractor=stft_short", "flips=false", "trainer=cpu", *data]
    train += [f"stores={made / 'stores'}", f"runs={here / 'runs'}"]
    words = {
        "simulate": ["simulate", f"data.root={here / 'tiny'}", "data.size=tiny", "data.workers=1"],
        "prepare": ["prepare", *data, f"stores={here / 'stores'}"],
        "multirun": ["train", "-m", "fold=0,1", *train, f"hydra.sweep.dir={here / 'runs'}"],
        "train": ["train", "fold=0", *train],
        "ensemble": ["ensemble", runs, f"out={here / 'ensemble'}", "folds=2", "draws=100"],
        "submit": ["submit", runs, *data, f"out={here / 'submission.csv'}", "accelerator=cpu"],
    }
    words |= {kind: ["train", *train, *more] for kind, more in KINDS.items()}
    for seed, name in enumerate(("day", "night")):
        signals = 30 * np.random.default_rng(seed).normal(size=(len(SCALP), 60 * 128))
        write_edf(base / f"{name}.edf", signals, SCALP, 128)
    timeline = [f"recording={base / '*.edf'}", f"out={here / 'timelines'}", "windows=1", "flips=false", "edf=true"]
    (base / "labels.csv").write_text("recording,time_s,label\nday,30,GPD\nnight,2,LPD\nnight,58,Other\n")
    own = [f"recording={base / '*.edf'}", f"labels={base / 'labels.csv'}"]
    words["collect"] = ["collect", *own, f"out={here / 'collected'}"]
    words["timeline"] = ["predict", runs, *timeline, "accelerator=cpu"]
    place = Place(here, words, {}, {}, {})
    for command in ("prepare", "multirun", "train", "ensemble", "submit", "collect"):
        run_uninterrupted(place, command, base / "log")
        if command in ("prepare", "multirun"):  # the other commands need them
            shutil.copytree(here, made, dirs_exist_ok=True)
        shutil.rmtree(here)
    place.expected["simulate"] = {f"tiny/{name}": held for name, held in contents(corpus).items()}
    place.changes["simulate"], place.seconds["simulate"] = 200, 5
    return place


@pytest.fixture
def place(uninterrupted: Place) -> Iterator[Place]:
    """The folder that commands write to, empty before each test and removed after it."""
    uninterrupted.here.mkdir()
    yield uninterrupted
    shutil.rmtree(uninterrupted.here)


def run_uninterrupted(place: Place, command: str, log: Path) -> None:
    """Run a command without interruption, and record what it writes."""
    empty(place.here)
    assert run(place.words[command], log) == 0, log.read_text()
    changes, seconds = re.findall(r"(\d+) changes in (\S+) s", log.read_text())[-1]
    place.changes[command], place.seconds[command] = int(changes), float(seconds)
    place.expected[command] = contents(place.here)


def empty(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()


def differing(actual: dict[str, bytes], expected: dict[str, bytes]) -> list[str]:
    return sorted(name for name in actual.keys() | expected.keys() if actual.get(name) != expected.get(name))


@pytest.mark.slow
@pytest.mark.parametrize("command", [*KINDS, "timeline"])
def test_a_killed_training_of_any_kind_and_a_killed_timeline_resume_to_the_same_bytes(
    command: str, place: Place, tmp_path: Path
):
    run_uninterrupted(place, command, tmp_path / "log")
    assert_same_after_kills(command, KILLS, place, tmp_path)


@pytest.mark.parametrize("command", TIMES)
def test_a_killed_command_resumes_to_the_same_bytes_and_leaves_nothing_else(command: str, place: Place, tmp_path: Path):
    assert_same_after_kills(command, TIMES[command] * KILLS, place, tmp_path)


def assert_same_after_kills(command: str, times: int, place: Place, tmp_path: Path) -> None:
    """`times` times, kill a command once or twice and run it to its end."""
    rng = random.Random(f"{command}{KILLS}")
    for number in range(times):
        log = tmp_path / f"log{number}"
        empty(place.here)
        last = place.changes[command], place.seconds[command]
        ends = [random_moment(rng, *last) for _ in range(rng.choice([1, 1, 2]))]
        for end in ends:
            run(place.words[command], log, end)
        assert run(place.words[command], log) == 0, log.read_text()
        assert differing(contents(place.here), place.expected[command]) == [], f"killed {ends}"
        assert "Traceback" not in log.read_text()


@pytest.mark.parametrize(("command", "number"), [("train", signal.SIGTERM), ("multirun", signal.SIGINT)])
def test_a_signal_ends_a_command_with_one_line_and_a_whole_sweep(
    command: str, number: int, place: Place, tmp_path: Path
):
    log = tmp_path / "log"
    assert run(place.words[command], log, Moment(place.changes["train"] // 2), by=number) == 128 + number
    said = log.read_text()
    assert said.splitlines()[-1] == (
        f"interrupted by {signal.Signals(number).name}; the same command does what is left to do"
    )
    assert "Traceback" not in said
    assert "did not finish" not in said
    assert not list(place.here.glob("runs/*/*/scores.json"))
    assert run(place.words[command], log) == 0, log.read_text()
    assert differing(contents(place.here), place.expected[command]) == []


def test_a_signal_becomes_an_exception_that_no_job_survives():
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(SystemExit) as ended:
        _terminated()
    assert ended.value.code == 128 + signal.SIGTERM
    assert signal.getsignal(signal.SIGTERM) is before


@interruptible()
def _terminated() -> None:
    try:
        signal.raise_signal(signal.SIGTERM)
    except Exception:
        pytest.fail("a signal must not be handled as an error of a job")


def test_a_second_signal_ends_the_process_at_once():
    stubborn = """
import signal, time
from hms.system.interrupt import Interrupted, interruptible
with interruptible():
    try:
        signal.raise_signal(signal.SIGUSR1)
    except Interrupted:
        signal.raise_signal(signal.SIGTERM)
        time.sleep(60)
"""
    assert subprocess.run(python("-c", stubborn), timeout=50).returncode == 128 + signal.SIGTERM


def test_a_signal_that_comes_where_python_drops_exceptions_is_not_lost():
    dropped = sys.unraisablehook
    with pytest.raises(SystemExit) as ended:
        _terminated_in_a_finaliser()
    assert ended.value.code == 128 + signal.SIGTERM
    assert sys.unraisablehook is dropped


@interruptible()
def _terminated_in_a_finaliser() -> None:
    class Last:
        def __del__(self) -> None:
            signal.raise_signal(signal.SIGTERM)

    Last()
    time.sleep(20)
    pytest.fail("the signal was lost")


def test_an_ignored_signal_stays_ignored():
    before = signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    try:
        with interruptible():
            signal.raise_signal(signal.SIGUSR1)
    finally:
        signal.signal(signal.SIGUSR1, before)


def test_two_processes_that_train_the_same_fold_train_it_once(place: Place, tmp_path: Path):
    logs = [tmp_path / "one", tmp_path / "other"]
    both = [start(place.words["train"], log) for log in logs]
    assert [exit_code(process, log) for process, log in zip(both, logs, strict=True)] == [0, 0]
    said = [log.read_text() for log in logs]
    assert sum("epoch 1/2" in one for one in said) == 1
    assert any("another process is training" in one or "is already trained" in one for one in said)
    assert differing(contents(place.here), place.expected["train"]) == []


def in_two_processes(place: Place, *words: str) -> list[str]:
    """The words of a training in two processes."""
    one = [word for word in place.words["train"] if word != "trainer=cpu"]
    return [*one, "trainer=ddp", "trainer.accelerator=cpu", "trainer.precision=32-true",
            "trainer.devices=2", "trainer.sync_batchnorm=false", *words]  # fmt: skip


def wait_for(text: str, log: Path) -> None:
    deadline_s = time.monotonic() + 200
    while not (log.exists() and text in log.read_text()):
        assert time.monotonic() < deadline_s, log.read_text()
        time.sleep(0.05)


def start_in_two_processes(place: Place, log: Path) -> tuple[BaseProcess, list[int]]:
    """Start a long training in two processes and wait for its first epoch; return it and its descendants."""
    process = start(in_two_processes(place, "epochs=500"), log)
    wait_for("epoch 1/500", log)
    return process, children(process.pid)


def test_a_signal_ends_all_processes_of_a_training_with_one_line(place: Place, tmp_path: Path):
    log = tmp_path / "log"
    process, descendants = start_in_two_processes(place, log)
    os.kill(process.pid, signal.SIGTERM)
    assert exit_code(process, log) == 128 + signal.SIGTERM
    said = log.read_text()
    assert said.count("interrupted by SIGTERM; the same command does what is left to do") == 1
    assert "Traceback" not in said
    assert len(descendants) >= 2
    assert not [one for one in descendants if Path(f"/proc/{one}").exists()]
    assert not [path for path in place.here.rglob(".*") if path.is_file()]


ONLY_LINUX = pytest.mark.skipif(sys.platform != "linux", reason="only Linux signals a process when its parent has died")


def assert_end_with_parent(process: BaseProcess, descendants: list[int]) -> None:
    """Kill a process, and assert that its descendants end, too."""
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    deadline_s = time.monotonic() + 60
    try:
        while left := [one for one in descendants if is_running(one)]:
            assert time.monotonic() < deadline_s, "still running"
            time.sleep(0.1)
    finally:
        for one in left:
            os.kill(one, signal.SIGKILL)


@ONLY_LINUX
def test_processes_end_when_their_parent_is_killed(tmp_path: Path):
    process = multiprocessing.get_context("forkserver").Process(target=run_in_processes, args=(work_on, tmp_path, 2))
    process.start()
    deadline_s = time.monotonic() + 200
    while len([*tmp_path.iterdir()]) < 2:
        assert time.monotonic() < deadline_s
        time.sleep(0.05)
    descendants = children(process.pid)
    assert {int(path.name) for path in tmp_path.iterdir()} <= {*descendants}
    assert_end_with_parent(process, descendants)


@pytest.mark.slow
@ONLY_LINUX
def test_processes_of_a_training_end_when_their_parent_is_killed(place: Place, tmp_path: Path):
    assert_end_with_parent(*start_in_two_processes(place, tmp_path / "log"))


def is_running(process: int) -> bool:
    """Whether a process exists and is not a zombie."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.slow
def test_a_loss_that_is_not_finite_ends_all_processes_of_a_training_with_one_line(place: Place, tmp_path: Path):
    log = tmp_path / "log"
    assert run(in_two_processes(place, "optimizer.lr=1e30"), log) == 1
    said = log.read_text()
    (line,) = [line for line in said.splitlines() if "training ends" in line]
    (path,) = place.here.rglob("not_finite.json")
    assert re.match(r"training ends: a loss of (nan|inf) at step \d+ \(epoch 1, learning rate 1e\+30", line)
    assert str(path) in line
    assert json.loads(path.read_text())["label_ids"]
    assert "Traceback" not in said


@pytest.mark.parametrize(
    ("command", "largest_file", "message"),
    [
        ("prepare", 50_000, r"stores/tiny-\w+: cannot be written \(File too large"),
        ("train", 300_000, r"last\.ckpt: cannot be written \(File too large\)"),
        ("ensemble", 1500, r"oof\.parquet: cannot be written \(.*File too large"),
    ],
)
def test_a_full_disk_gives_one_line_and_loses_nothing(
    command: str, largest_file: int, message: str, place: Place, tmp_path: Path
):
    log = tmp_path / "log"
    assert exit_code(start(place.words[command], log, largest_file=largest_file), log) == 1
    assert re.search(message, log.read_text().splitlines()[-1]), log.read_text()
    assert "Traceback" not in log.read_text()
    left = [path.name for path in place.here.rglob("*") if path.is_file()]
    assert {*left} <= {"config.yaml", "provenance.json", "metrics.csv"}


@pytest.mark.parametrize("command", ["simulate", "prepare", "train"])
def test_a_folder_that_cannot_be_written_to_gives_one_line(command: str, place: Place, tmp_path: Path):
    if not Path("/sys").is_dir():
        pytest.skip("no /sys here, in which no folder can be made")
    log = tmp_path / "log"
    words = [re.sub(r"=.*/here/.*", "=/sys/hms/here", word) for word in place.words[command]]
    assert run(words, log) == 1
    (line,) = [line for line in log.read_text().splitlines() if "/sys/hms" in line]
    assert re.fullmatch(r"/sys/hms\S*: (Permission denied|Operation not permitted|Read-only file system)", line)
    assert "Traceback" not in log.read_text()
