"""What long work says: a line a minute in a log, nothing in worker processes, a bar in a terminal."""

import multiprocessing
import os
import subprocess
import sys
import time

import pytest

from hms.system.console import duration_text, of_several, some, track


def work(count: int, every_s: float, total: int = 4000) -> None:
    """Pieces of 1,000 windows each."""
    for _ in track(range(count), total, "predict night (3 of 9)", "window", lambda _: 1000, every_s):
        time.sleep(0.001)


@pytest.mark.parametrize(
    ("most", "noun", "said"),
    [
        (3, "name", "a, b, c"),
        (2, "name", "a, b and 1 more name"),
        (1, "name", "a and 2 more names"),
        (1, "", "a and 2 more"),
    ],
)
def test_of_many_names_the_first_are_told_and_how_many_more_there_are(most: int, noun: str, said: str):
    assert some(["a", "b", "c"], most, noun) == said
    assert some([], most, noun) == ""


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (9.59375, "9.6 s"),
        (30, "30 s"),
        (59.97, "1 min"),
        (100.4, "1 min 40 s"),
        (3605, "1 h 5 s"),
        (86_390, "23 h 59 min 50 s"),
        (4_000_000, "1,111 h 6 min 40 s"),
    ],
)
def test_durations_read_as_people_write_them(seconds: float, text: str):
    assert duration_text(seconds) == text


def test_a_log_says_how_far_long_work_is_until_it_is_done(capsys: pytest.CaptureFixture):
    work(4, 0)
    lines = capsys.readouterr().err.splitlines()
    done = ("1,000", "2,000", "3,000")
    assert lines == [f"predict night (3 of 9): {count} of 4,000 windows, about 1 minute left" for count in done]
    for _ in track("ab", 2, "prepare", every_s=0):
        pass
    assert capsys.readouterr().err == "prepare: 1 of 2, about 1 minute left\n"


def test_a_log_says_nothing_of_work_that_is_short(capsys: pytest.CaptureFixture):
    work(4, 60)
    assert capsys.readouterr().err == ""


def test_the_time_that_is_left_is_estimated_from_what_is_done(capsys: pytest.CaptureFixture):
    work(1, 0, total=10**10)  # of 0.001 s or more for 1,000
    said = capsys.readouterr().err
    assert said.startswith("predict night (3 of 9): 1,000 of 10,000,000,000 windows, about ")
    assert int(said.split()[-3].replace(",", "")) >= 2
    assert said.endswith(" hours left\n")


def test_a_worker_process_says_nothing(capfd: pytest.CaptureFixture):
    worker = multiprocessing.get_context("spawn").Process(target=work, args=(4, 0))
    worker.start()
    worker.join()
    assert worker.exitcode == 0
    assert capfd.readouterr().err == ""


def test_a_terminal_shows_which_of_how_many_and_how_far():
    ours, theirs = os.openpty()
    code = "from test_console import work; work(4, 0)"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "TERM": "xterm", "COLUMNS": "100"}
    subprocess.run([sys.executable, "-c", code], stderr=theirs, env=environment, check=True)
    shown = os.read(ours, 65536).decode()
    os.close(ours)
    os.close(theirs)
    assert "predict night (3 of 9)" in shown
    assert "4000/4000" in shown
    assert "left" not in shown


def test_one_alone_has_no_number():
    assert of_several("night", 3, 9) == "night (3 of 9)"
    assert of_several("night", 1, 1) == "night"
