"""Timelines to test with: of given probabilities, or of noise that a model predicts."""

from datetime import datetime
from pathlib import Path

import numpy as np
import polars as pl

from hms.labels import CLASSES
from hms.timeline.timeline import Timeline

EVIL = "<img src=x onerror=alert(1)>&amp;'"
"""The name of a file that would run a script on a page that does not escape it."""


def noise(seconds: float, sfreq_hz: int, seed: int = 0) -> np.ndarray:
    """White noise of EEG's amplitude; that of `recordings` is smooth."""
    return 30 * np.random.default_rng(seed).normal(size=(19, round(seconds * sfreq_hz)))


def timeline(shares: dict[str, list[float | None]], step_s: float = 10, start: datetime | None = None) -> Timeline:
    """A timeline of these probabilities; `other` gets the rest."""
    rows = len(next(iter(shares.values())))
    columns = {name: shares.get(name, [0.0] * rows) for name in CLASSES[:-1]}
    rest = [None if None in row else 1 - sum(row) for row in zip(*columns.values(), strict=True)]
    onsets_s = float(step_s) * np.arange(rows)
    table = pl.DataFrame({"onset_s": onsets_s, "duration_s": np.full(rows, 10.0), **columns, "other": rest})
    power = np.full((4, 5 * rows, 100), 1.0, np.float32)
    return Timeline(
        Path(f"{EVIL}.edf"),
        start,
        step_s * (rows - 1) + max(step_s, 10),
        256.0,
        table,
        power,
        0.5,
        (),
        [],
        [],
        {"models": [], "predicted_by": "a model"},
        [],
    )
