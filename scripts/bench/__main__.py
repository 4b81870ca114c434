"""Benchmark, as ratios that hold on any machine: `python -m scripts.bench [letters]`, by default all letters.

Single-threaded; the two workloads of a ratio take turns. Prints a table, and writes each line of it to `bench.json`.
"""

import json
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from rich.console import Console
from rich.table import Table

from scripts.bench.measure import Figure

ENVIRONMENT = {"OMP_NUM_THREADS": "1"}  # takes effect when NumPy is imported


def letters() -> dict[str, Callable[[Path], Iterator[Figure]]]:
    """The benchmark of each letter, which gets a folder to write to."""
    import torch

    from scripts.bench import commands, cost, data, gpu, networks, prediction, simulator

    benchmarks: dict[str, Callable[[Path], Iterator[Figure]]] = {
        "a": partial(data.store_build, pairs=5),
        "b": partial(data.batches, pairs=5),
        "c": partial(networks.extractors, pairs=3),
        "d": partial(networks.whole_step, pairs=5 if torch.cuda.is_available() else 1),
        "e": partial(networks.wavenet, pairs=3),
        "f": partial(prediction.prediction, minutes=30),
        "g": partial(commands.start_up, times=3),
        "m": partial(cost.estimates, times=3),
        "s": partial(simulator.simulation, count=20),
    }
    return benchmarks | ({"h": partial(gpu.on_gpu, steps=25)} if torch.cuda.is_available() else {})


def main(chosen: str) -> None:
    benchmarks = letters()
    if unknown := {*chosen} - {*benchmarks}:
        sys.exit(f"letters: want some of {''.join(benchmarks)}, got '{''.join(sorted(unknown))}'")
    figures: list[Figure] = []
    with tempfile.TemporaryDirectory() as folder:
        for letter in chosen or benchmarks:
            for figure in benchmarks[letter](Path(folder)):
                print(f"{figure.key} {figure.value:.3g}", file=sys.stderr, flush=True)
                figures.append(figure)
    table = Table("", "measured", "target", "peak MB")
    for figure in figures:
        mb = "" if figure.peak_mb is None else f"{figure.peak_mb:,.0f}"
        table.add_row(f"({figure.key[0]}) {figure.description}", f"{figure.value:.3g}", figure.target, mb)
    Console(width=110).print(table)
    if "h" not in benchmarks:
        print("No GPU here: benchmark (h), and the WaveNet's targets on a GPU, were skipped.")
    Path("bench.json").write_text(json.dumps(flat(figures), indent=1) + "\n")


def flat(figures: list[Figure]) -> dict[str, float]:
    """One key for each figure, and one for its peak memory."""
    values = {figure.key: figure.value for figure in figures}
    return values | {f"{figure.key}_peak_mb": figure.peak_mb for figure in figures if figure.peak_mb is not None}


if __name__ == "__main__":
    if not os.environ.items() >= ENVIRONMENT.items():
        os.execve(sys.executable, [sys.executable, "-m", "scripts.bench", *sys.argv[1:]], os.environ | ENVIRONMENT)
    main("".join(sys.argv[1:]))
