"""(g) Wall-clock time until a command's first result."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from time import perf_counter

from scripts.bench.measure import Figure
from scripts.bench.setting import store

_PRINT_PEAK = """
import atexit, runpy, sys
from scripts.bench.measure import status_kb
atexit.register(lambda: print(status_kb("VmHWM")))
sys.argv[0] = "hms.train"
runpy.run_module("hms.train", run_name="__main__", alter_sys=True)
"""


def start_up(folder: Path, times: int) -> Iterator[Figure]:
    """Median of `times` runs after a warm-up, which brings the files into the page cache."""
    store(folder)
    step = ["fold=all", "epochs=1", "trainer.limit_train_batches=1", "data.size=tiny", f"data.root={folder / 'tiny'}"]
    step += [f"stores={folder}", f"runs={folder / 'runs'}"]
    for key, description, arguments, target in (
        ("help", "--help", ["--help"], "< 2"),
        ("mistake", "a mistake in a config", ["extractor=sftf", "fold=abc"], "< 2"),
        ("first_step", "a training of one step", ["experiment=smoke", *step], ""),
    ):
        runs = [
            _run([*arguments, f"seed={number}"] if key == "first_step" else arguments) for number in range(times + 1)
        ]
        seconds, mb = (median(column) for column in zip(*runs[1:], strict=True))
        yield Figure(f"g_{key}_s", seconds, f"seconds to {description}", target, mb)


def _run(arguments: list[str]) -> tuple[float, float]:
    """Duration (s) and peak memory (MB) of a training command, which reports the latter itself (Linux only)."""
    begun = perf_counter()
    command = [sys.executable, "-c", _PRINT_PEAK, *arguments]
    done = subprocess.run(command, capture_output=True, text=True)
    if "Traceback" in done.stderr or not done.stdout.strip():
        sys.exit(done.stderr)
    return perf_counter() - begun, int(done.stdout.rsplit(maxsplit=1)[-1]) / 2**10
