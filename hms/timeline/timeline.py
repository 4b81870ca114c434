"""Six probabilities every few seconds of a recording, the events in them, and how much of each hour they take."""

from collections.abc import Iterator
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import polars as pl
from jaxtyping import Float

from hms.labels import CLASSES
from hms.recording.recording import Recording
from hms.timing import CENTRE_S

HOUR_S, DAY_S = 3600, 86_400


class Timeline(NamedTuple):
    """What is known of a recording after prediction."""

    path: Path
    start: datetime | None
    duration_s: float
    sfreq_hz: float
    """Of the file."""
    table: pl.DataFrame
    """`onset_s`, `duration_s` and the six probabilities, which are null where too little was recorded."""
    spectrogram: Float[np.ndarray, "region row frequency"]
    """µV²/Hz, row j centred at 2 + 2j s."""
    threshold: float
    """A class is an event where it is at least as probable."""
    interpolated: tuple[str, ...]
    notes: list[str]
    """What to know about it, a sentence each."""


def timeline_of(
    recording: Recording,
    onsets_s: Float[np.ndarray, " window"],
    probabilities: Float[np.ndarray, "window label"],
    spectrogram: Float[np.ndarray, "region row frequency"],
    threshold: float,
) -> Timeline:
    """Put together; a row of NaN is a window of which too little was recorded."""
    table = pl.DataFrame(
        {
            "onset_s": onsets_s.astype(float),
            "duration_s": np.minimum(CENTRE_S, recording.duration_s - onsets_s),
            **dict(zip(CLASSES, probabilities.T, strict=True)),
        }
    ).with_columns(pl.col(CLASSES).fill_nan(None))
    notes = [*recording.notes, *_notes(table, recording.duration_s)]
    return Timeline(
        recording.path,
        recording.start,
        recording.duration_s,
        recording.source.sfreq_hz,
        table,
        spectrogram,
        threshold,
        recording.interpolated,
        notes,
    )


def events(timeline: Timeline) -> pl.DataFrame:
    """Stretches in which a class reaches the threshold: `label onset_s duration_s` and its greatest `probability`.

    Windows that touch are one event. In the order of their onsets.
    """
    onsets_s = timeline.table["onset_s"].to_numpy()
    ends_s = onsets_s + timeline.table["duration_s"].to_numpy()
    found: dict[str, list[Any]] = {"label": [], "onset_s": [], "duration_s": [], "probability": []}
    for name in CLASSES:
        share = timeline.table[name].fill_null(0.0).to_numpy()
        above = np.flatnonzero(share >= timeline.threshold)
        apart = np.flatnonzero((np.diff(above) > 1) | (onsets_s[above[1:]] > ends_s[above[:-1]] + 1e-6))
        for first, last in pairwise([0, *(apart + 1).tolist(), len(above)] if len(above) else []):
            inside = above[first:last]
            found["label"].append(name)
            found["onset_s"].append(float(onsets_s[inside[0]]))
            found["duration_s"].append(float(ends_s[inside[-1]] - onsets_s[inside[0]]))
            found["probability"].append(float(share[inside].max()))
    kinds = {"label": pl.String} | dict.fromkeys(("onset_s", "duration_s", "probability"), pl.Float64)
    return pl.DataFrame(found, kinds).sort("onset_s", maintain_order=True)


def burden(timeline: Timeline) -> Float[np.ndarray, "hour label"]:
    """Minutes that the events of each class take of each hour."""
    hours = max(1, int(np.ceil(timeline.duration_s / HOUR_S)))
    minutes = np.zeros((hours, len(CLASSES)))
    for event in events(timeline).iter_rows(named=True):
        for hour, seconds in _by_hour(event["onset_s"], event["onset_s"] + event["duration_s"]):
            minutes[min(hour, hours - 1), CLASSES.index(event["label"])] += seconds / 60
    return minutes


def _by_hour(begin_s: float, end_s: float) -> Iterator[tuple[int, float]]:
    for hour in range(int(begin_s // HOUR_S), int(np.ceil(end_s / HOUR_S))):
        yield hour, min(end_s, (hour + 1) * HOUR_S) - max(begin_s, hour * HOUR_S)


def _notes(table: pl.DataFrame, duration_s: float) -> Iterator[str]:
    if duration_s < 50:
        yield f"The recording has {duration_s:g} s; a window has 50 s, so all of them are padded with missing samples."
    else:
        yield "Windows of the first 20 s and of the last 20 s reach over an end of the recording and are padded."
    if lost := table["other"].null_count():
        yield f"{lost} of {len(table)} windows lie in gaps and have no prediction."
