"""(s) Throughput of the simulator per core: windows, whole recordings, and recordings written to disk."""

from collections.abc import Callable, Iterator
from pathlib import Path
from time import process_time
from typing import Any

from hms.data.files import write_eeg, write_spectrogram
from hms.simulate.corpus import SIZES
from hms.simulate.plan import make_plan
from hms.simulate.recording import SimulatedRecording
from hms.simulate.rows import label_rows
from hms.system.memory import keep_freed
from scripts.bench.measure import Figure


def simulation(folder: Path, count: int) -> Iterator[Figure]:
    """Processor time of `count` of each, after a warm-up."""
    keep_freed()  # as in the workers that make a corpus
    small = make_plan(SIZES["small"], 0)
    single = [plan for plan in small if plan.group == "test"]  # one EEG of one window
    mixed = [plan for plan in small if plan.group == "high"][:: len(small) // (count + 1) or 1]

    def labelled_window(number: int) -> None:
        recording = SimulatedRecording(single[number], 0)
        recording.eeg(0)
        label_rows(recording)

    def whole(number: int) -> list[Any]:
        recording = SimulatedRecording(mixed[number % len(mixed)], 0)
        eegs = [recording.eeg(k) for k in range(len(recording.plan.eegs))]
        return [*eegs, recording.spectrogram(eegs), label_rows(recording)]

    def written(number: int) -> None:
        *eegs, spectrogram, _ = whole(number)
        for k, eeg in enumerate(eegs):
            write_eeg(folder / f"{k}.parquet", eeg)
        write_spectrogram(folder / "spectrogram.parquet", spectrogram)

    yield Figure("s_windows_per_s", _per_second(labelled_window, count), "windows per second, with votes", ">= 20")
    yield Figure("s_recordings_per_s", _per_second(whole, count), "recordings per second, with spectrogram", ">= 2")
    rate = _per_second(written, count)
    yield Figure("s_written_per_s", rate, "the same, written to disk")
    for size in ("small", "medium", "large"):
        minutes = len(make_plan(SIZES[size], 0)) / rate / 60 / 2
        yield Figure(f"s_{size}_minutes", minutes, f"minutes to simulate data.size={size} on two free cores")


def _per_second(job: Callable[[int], object], count: int) -> float:
    job(0)
    begun = process_time()
    for number in range(1, count + 1):
        job(number)
    return count / (process_time() - begun)
