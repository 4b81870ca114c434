"""How many windows and whole recordings does a core simulate in a second, and how long does a corpus take?

Counts the processor's time of this process, so a busy machine changes little. `python scripts/bench_simulator.py [N]`
simulates N recordings of each sort (40 unless given), after one that is not counted.
"""

import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from time import process_time

from rich.console import Console
from rich.table import Table

# Before NumPy is imported: one thread, and freed arrays are kept, as in the workers that make a corpus.
ENVIRONMENT = {"OMP_NUM_THREADS": "1", "POLARS_MAX_THREADS": "1"}
ENVIRONMENT |= dict.fromkeys(("MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_"), "1000000000")


def per_second(work: Callable[[int], None], count: int) -> float:
    work(0)
    begun = process_time()
    for number in range(1, count + 1):
        work(number)
    return count / (process_time() - begun)


def main(count: int) -> None:
    from hms.simulate.corpus import SIZES
    from hms.simulate.plan import make_plan
    from hms.simulate.recording import Recording, write_eeg, write_spectrogram
    from hms.simulate.rows import label_rows

    small = make_plan(SIZES["small"], 0)
    single = [plan for plan in small if plan.group == "test"]  # one EEG of one window
    mixed = [plan for plan in small if plan.group == "high"][:: len(small) // (count + 1) or 1]

    def labelled_window(number: int) -> None:
        recording = Recording(single[number], 0)
        recording.eeg(0)
        label_rows(recording)

    def whole(number: int) -> tuple[Recording, list]:
        recording = Recording(mixed[number % len(mixed)], 0)
        eegs = [recording.eeg(k) for k in range(len(recording.plan.eegs))]
        return recording, [*eegs, recording.spectrogram(eegs), label_rows(recording)]

    with tempfile.TemporaryDirectory() as folder:

        def written(number: int) -> None:
            _, (*eegs, spectrogram, _) = whole(number)
            for k, eeg in enumerate(eegs):
                write_eeg(Path(folder) / f"{k}.parquet", eeg)
            write_spectrogram(Path(folder) / "spectrogram.parquet", spectrogram)

        found = {
            "windows of 50 s, 20 channels at 200 Hz, with their votes": (per_second(labelled_window, count), 20),
            "whole recordings with ten-minute spectrogram and votes": (per_second(whole, count), 2),
            "the same, written to disk": (per_second(written, count), None),
        }
    table = Table("one core makes, a second", "found", "wanted")
    for name, (rate, wanted) in found.items():
        table.add_row(name, f"{rate:.1f}", "" if wanted is None else str(wanted))
    for name in ("small", "medium", "large"):
        recordings = len(make_plan(SIZES[name], 0))
        minutes = recordings / found["the same, written to disk"][0] / 60 / 2
        table.add_row(f"size {name}: {recordings:,} recordings, minutes on two free cores", f"{minutes:.1f}", "")
    Console(width=110).print(table)


if __name__ == "__main__":
    if not os.environ.items() >= ENVIRONMENT.items():
        os.execve(sys.executable, [sys.executable, *sys.argv], os.environ | ENVIRONMENT)
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 40)
