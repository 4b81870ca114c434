"""What costs time, as ratios that hold on any machine: `python -m scripts.bench [letters]`, all letters unless given.

One thread; what is compared takes turns. Prints a table and writes `bench.json`, a key for each line of it.
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

ENVIRONMENT = {"OMP_NUM_THREADS": "1"}  # counts when NumPy is imported


def letters() -> dict[str, Callable[[Path], Iterator[Figure]]]:
    """What each letter measures; it gets a folder to write to."""
    import torch

    from scripts.bench import commands, cost, data, gpu, networks, prediction, simulator

    works: dict[str, Callable[[Path], Iterator[Figure]]] = {
        "a": partial(data.store_build, pairs=5),
        "b": partial(data.batches, pairs=5),
        "c": partial(networks.extractors, pairs=3),
        "d": partial(networks.whole_step, pairs=1),
        "e": partial(networks.wavenet, pairs=3),
        "f": partial(prediction.prediction, minutes=30),
        "g": partial(commands.start_up, times=3),
        "m": partial(cost.estimates, times=3),
        "s": partial(simulator.simulation, count=20),
    }
    return works | ({"h": partial(gpu.on_gpu, steps=25)} if torch.cuda.is_available() else {})


def main(chosen: str) -> None:
    works = letters()
    if unknown := {*chosen} - {*works}:
        sys.exit(f"letters: want some of {''.join(works)}, got '{''.join(sorted(unknown))}'")
    found: list[Figure] = []
    with tempfile.TemporaryDirectory() as folder:
        for letter in chosen or works:
            for figure in works[letter](Path(folder)):
                print(f"{figure.key} {figure.value:.3g}", file=sys.stderr, flush=True)
                found.append(figure)
    table = Table("", "found", "wanted", "MB at most")
    for figure in found:
        mb = "" if figure.peak_mb is None else f"{figure.peak_mb:,.0f}"
        table.add_row(f"({figure.key[0]}) {figure.what}", f"{figure.value:.3g}", figure.wanted, mb)
    Console(width=110).print(table)
    if "h" not in works:
        print("No GPU here: what the bench measures on one, (h) and the WaveNet's other marks, was not measured.")
    Path("bench.json").write_text(json.dumps(flat(found), indent=1) + "\n")


def flat(figures: list[Figure]) -> dict[str, float]:
    """A key for each figure, and one for its memory."""
    values = {figure.key: figure.value for figure in figures}
    return values | {f"{figure.key}_peak_mb": figure.peak_mb for figure in figures if figure.peak_mb is not None}


if __name__ == "__main__":
    if not os.environ.items() >= ENVIRONMENT.items():
        os.execve(sys.executable, [sys.executable, "-m", "scripts.bench", *sys.argv[1:]], os.environ | ENVIRONMENT)
    main("".join(sys.argv[1:]))
