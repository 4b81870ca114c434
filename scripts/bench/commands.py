"""(g) How long a command takes to its first answer, by the clock."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from time import perf_counter

from scripts.bench.measure import Figure
from scripts.bench.setting import store

_TELLING = """
import atexit, runpy, sys
from scripts.bench.measure import status_kb
atexit.register(lambda: print(status_kb("VmHWM")))
sys.argv[0] = "hms.train"
runpy.run_module("hms.train", run_name="__main__", alter_sys=True)
"""


def start_up(folder: Path, times: int) -> Iterator[Figure]:
    """Median of `times`, after one that is not counted: the files are then in the system's memory."""
    store(folder)
    step = ["fold=all", "epochs=1", "trainer.limit_train_batches=1", "data.size=tiny", f"data.root={folder / 'tiny'}"]
    step += [f"stores={folder}", f"runs={folder / 'runs'}"]
    for key, what, words, wanted in (
        ("help", "--help", ["--help"], "< 2"),
        ("mistake", "a mistake in a config", ["extractor=sftf", "fold=abc"], "< 2"),
        ("first_step", "a training of one step", ["experiment=smoke", *step], ""),
    ):
        found = [_run([*words, f"seed={number}"] if key == "first_step" else words) for number in range(times + 1)]
        seconds, mb = (median(column) for column in zip(*found[1:], strict=True))
        yield Figure(f"g_{key}_s", seconds, f"seconds to {what}", wanted, mb)


def _run(words: list[str]) -> tuple[float, float]:
    """Seconds of a training command, and the most memory in MB that it held; it tells that itself, on Linux."""
    begun = perf_counter()
    command = [sys.executable, "-c", _TELLING, *words]
    done = subprocess.run(command, capture_output=True, text=True)
    if "Traceback" in done.stderr or not done.stdout.strip():
        sys.exit(done.stderr)
    return perf_counter() - begun, int(done.stdout.rsplit(maxsplit=1)[-1]) / 2**10
