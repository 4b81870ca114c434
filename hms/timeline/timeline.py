"""Six probabilities every few seconds of a recording, the events in them, and how much of each hour they take."""

from collections.abc import Iterator
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import polars as pl
from jaxtyping import Bool, Float

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
    """`onset_s` and `duration_s` of each window's central 10 s, which overlap where windows are closer, and the six
    probabilities, which are null where too little was recorded."""
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
    timeline = Timeline(
        recording.path,
        recording.start,
        recording.duration_s,
        recording.source.sfreq_hz,
        table,
        spectrogram,
        threshold,
        recording.interpolated,
        recording.notes,
    )
    return timeline._replace(notes=[*recording.notes, *_notes(timeline)])


def edges_s(timeline: Timeline) -> Float[np.ndarray, " edge"]:
    """Where the time nearest to each window begins, half way between centres, and where the last one's ends."""
    onsets_s = timeline.table["onset_s"].to_numpy()
    half_ways_s = (onsets_s[1:] + onsets_s[:-1]) / 2 + CENTRE_S / 2
    return np.array([onsets_s[0], *half_ways_s, timeline.duration_s])


def own_s(timeline: Timeline) -> tuple[Float[np.ndarray, " window"], Float[np.ndarray, " window"]]:
    """Where the time of each window begins and ends: what is nearest to it of its central 10 s. None is of two."""
    edges = edges_s(timeline)
    onsets_s = timeline.table["onset_s"].to_numpy()
    return np.maximum(edges[:-1], onsets_s), np.minimum(edges[1:], onsets_s + timeline.table["duration_s"].to_numpy())


def events(timeline: Timeline) -> pl.DataFrame:
    """Stretches in which a class reaches the threshold: `label onset_s duration_s` and its greatest `probability`.

    Windows whose own times touch are one event, so that the events of a class last as long as its burden. In the order
    of their onsets.
    """
    begins_s, ends_s = own_s(timeline)
    found: dict[str, list[Any]] = {"label": [], "onset_s": [], "duration_s": [], "probability": []}
    for name in CLASSES:
        share = timeline.table[name].fill_null(0.0).to_numpy()
        above = np.flatnonzero(share >= timeline.threshold)
        one, following = above[:-1], above[1:]
        apart = np.flatnonzero(begins_s[following] > ends_s[one] + 1e-6)
        for first, last in pairwise([0, *(apart + 1).tolist(), len(above)] if len(above) else []):
            inside = above[first:last]
            found["label"].append(name)
            found["onset_s"].append(float(begins_s[inside[0]]))
            found["duration_s"].append(float(ends_s[inside[-1]] - begins_s[inside[0]]))
            found["probability"].append(float(share[inside].max()))
    kinds = {"label": pl.String} | dict.fromkeys(("onset_s", "duration_s", "probability"), pl.Float64)
    return pl.DataFrame(found, kinds).sort("onset_s", maintain_order=True)


def burden(timeline: Timeline) -> Float[np.ndarray, "hour label"]:
    """Minutes of each hour in which each class reaches the threshold: the time that is those windows' own."""
    shares = timeline.table.select(pl.col(CLASSES).fill_null(0.0)).to_numpy()
    return _minutes(timeline, shares >= timeline.threshold)


def predicted_minutes(timeline: Timeline) -> Float[np.ndarray, " hour"]:
    """Minutes of each hour that have a prediction: neither in a gap, nor between windows more than 10 s apart."""
    return _minutes(timeline, timeline.table.select(pl.col("other").is_not_null()).to_numpy())[:, 0]


def _minutes(timeline: Timeline, counts: Bool[np.ndarray, "window column"]) -> Float[np.ndarray, "hour column"]:
    """Of the windows that count in a column, by the hour; a window's own time lies in one hour, or in two."""
    begins_s, ends_s = own_s(timeline)
    hour = (begins_s // HOUR_S).astype(int)
    borders_s = np.clip((hour + 1.0) * HOUR_S, begins_s, ends_s)
    hours = max(1, int(np.ceil(timeline.duration_s / HOUR_S)))
    minutes = np.zeros((hours + 1, counts.shape[1]))
    np.add.at(minutes, hour, (borders_s - begins_s)[:, None] / 60 * counts)
    np.add.at(minutes, hour + 1, (ends_s - borders_s)[:, None] / 60 * counts)
    return minutes[:hours]


def _notes(timeline: Timeline) -> Iterator[str]:
    table, duration_s = timeline.table, timeline.duration_s
    if duration_s < 50:
        yield f"The recording has {duration_s:g} s; a window has 50 s, so all of them are padded with missing samples."
    else:
        yield "Windows of the first 20 s and of the last 20 s reach over an end of the recording and are padded."
    if lost := table["other"].null_count():
        yield f"{lost} of {len(table)} windows lie in gaps and have no prediction."
    if (step_s := table["onset_s"][:2].diff().sum()) > CENTRE_S:
        yield f"Windows are {step_s:g} s apart and each is about {CENTRE_S} s; nothing is said of what lies between."
    if (minutes := predicted_minutes(timeline).sum()) < (duration_s - CENTRE_S / 2) / 60:
        yield f"{minutes:.1f} of {duration_s / 60:.1f} min have a prediction; percentages are of these."
