"""(f) Throughput of prediction with the demo's model: windows, and hours of a recording."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl

from hms.config.build import build
from hms.electrodes import ELECTRODES, SFREQ_HZ
from hms.prediction.inference import Compute, by_model
from hms.recording.options import ReadingOptions
from hms.recording.recording import open_recording
from hms.timeline.options import TimelineOptions
from hms.timeline.predicted import pairs_of, predict_recording
from scripts.bench.measure import Figure, peak_mb, seconds
from scripts.bench.setting import DEVICE, batch, config, store

BATCH, STEP_S = 32, 10.0


def prediction(folder: Path, minutes: int) -> Iterator[Figure]:
    """Averaging over the four flips; a window every 10 s of a recording of `minutes`."""
    model = build(config("experiment=quick")["model"])
    windows, compute = [batch(folder, BATCH)], Compute(DEVICE, flips=True)
    rate = BATCH / min(seconds(lambda: by_model([model], windows, compute)) for _ in range(3))
    yield Figure("f_windows_per_s", rate, "windows predicted per second")
    recording = folder / "recording.parquet"
    eeg = np.resize(store(folder).eeg[:100_000].astype(np.float32), (minutes * 60 * SFREQ_HZ, len(ELECTRODES)))
    pl.DataFrame(eeg, [*ELECTRODES]).write_parquet(recording)

    reading = ReadingOptions(unit=None, channels=None)

    def timeline() -> None:
        opened = open_recording(recording, pairs_of([model]), reading)
        options = TimelineOptions(STEP_S, threshold=0.5, reading=reading, batch_size=BATCH)
        predict_recording(opened, [model], lambda members: members.mean(axis=0), options, compute, {"models": []})

    mb = peak_mb(timeline)
    hours = minutes / 60 / (seconds(timeline) / 60)
    yield Figure("f_hours_per_minute", hours, "hours of EEG predicted per minute, from the file", "", mb)
