"""Six probabilities every few seconds of a recording, the events in them, and the burden of each hour."""

from collections.abc import Iterator
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import polars as pl
from jaxtyping import Bool, Float

from hms.labels import CLASSES
from hms.recording.duration import duration_text
from hms.recording.recording import Recording
from hms.timing import CENTRE_S

HOUR_S, DAY_S = 3600, 86_400


class Timeline(NamedTuple):
    """The predictions for one recording, and what is known about it."""

    path: Path
    start: datetime | None
    duration_s: float
    sfreq_hz: float
    """Sampling rate of the file."""
    table: pl.DataFrame
    """`onset_s` and `duration_s` of each window's central 10 s, which overlap if windows are closer, and the six
    probabilities, which are null if too little was recorded."""
    spectrogram: Float[np.ndarray, "region row frequency"]
    """µV²/Hz, row j centred at 2 + 2j s."""
    threshold: float
    """The probability from which a class counts as an event."""
    interpolated: tuple[str, ...]
    notes: list[str]
    """What a user should know about it, one sentence each."""


def timeline_of(
    recording: Recording,
    onsets_s: Float[np.ndarray, " window"],
    probabilities: Float[np.ndarray, "window label"],
    spectrogram: Float[np.ndarray, "region row frequency"],
    threshold: float,
) -> Timeline:
    """Assemble a timeline; a row of NaN is a window of which too little was recorded."""
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


def extent(timeline: Timeline) -> str:
    """How many windows there are, how far apart, and in how long a recording, in words."""
    count, long = len(timeline.table), duration_text(timeline.duration_s)
    return f"1 window in {long}" if count == 1 else f"{count:,} windows in {long}, one every {_step_s(timeline):g} s"


def edges_s(timeline: Timeline) -> Float[np.ndarray, " edge"]:
    """Where the time nearest to each window begins, halfway between centres, and where that of the last one ends."""
    onsets_s = timeline.table["onset_s"].to_numpy()
    halfway_s = (onsets_s[1:] + onsets_s[:-1]) / 2 + CENTRE_S / 2
    return np.array([onsets_s[0], *halfway_s, timeline.duration_s])


def spans_s(timeline: Timeline) -> tuple[Float[np.ndarray, " window"], Float[np.ndarray, " window"]]:
    """Begin and end of each window's span: the part of its central 10 s that no other window is nearer to.

    Spans do not overlap.
    """
    edges = edges_s(timeline)
    onsets_s = timeline.table["onset_s"].to_numpy()
    return np.maximum(edges[:-1], onsets_s), np.minimum(edges[1:], onsets_s + timeline.table["duration_s"].to_numpy())


def events(timeline: Timeline) -> pl.DataFrame:
    """Stretches in which a class reaches the threshold: `label onset_s duration_s` and its greatest `probability`.

    Windows whose spans touch form one event, so the events of a class add up to its burden. Sorted by onset.
    """
    begins_s, ends_s = spans_s(timeline)
    found: dict[str, list[Any]] = {"label": [], "onset_s": [], "duration_s": [], "probability": []}
    for name in CLASSES:
        share = timeline.table[name].fill_null(0.0).to_numpy()
        above = np.flatnonzero(share >= timeline.threshold)
        breaks = np.flatnonzero(begins_s[above[1:]] > ends_s[above[:-1]] + 1e-6)
        for first, last in pairwise([0, *(breaks + 1).tolist(), len(above)] if len(above) else []):
            inside = above[first:last]
            found["label"].append(name)
            found["onset_s"].append(float(begins_s[inside[0]]))
            found["duration_s"].append(float(ends_s[inside[-1]] - begins_s[inside[0]]))
            found["probability"].append(float(share[inside].max()))
    schema = {"label": pl.String} | dict.fromkeys(("onset_s", "duration_s", "probability"), pl.Float64)
    return pl.DataFrame(found, schema).sort("onset_s", maintain_order=True)


def burden(timeline: Timeline) -> Float[np.ndarray, "hour label"]:
    """Minutes of each hour in which each class reaches the threshold: the spans of the windows in which it does."""
    shares = timeline.table.select(pl.col(CLASSES).fill_null(0.0)).to_numpy()
    return _minutes(timeline, shares >= timeline.threshold)


def predicted_minutes(timeline: Timeline) -> Float[np.ndarray, " hour"]:
    """Minutes of each hour that have a prediction: outside gaps, and not between windows more than 10 s apart."""
    return _minutes(timeline, timeline.table.select(pl.col("other").is_not_null()).to_numpy())[:, 0]


def _minutes(timeline: Timeline, counts: Bool[np.ndarray, "window column"]) -> Float[np.ndarray, "hour column"]:
    """Minutes of each hour covered by the windows that count in a column; a span lies in one hour or in two."""
    begins_s, ends_s = spans_s(timeline)
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
        yield (
            f"The recording lasts {duration_text(duration_s)} and a window 50 s, "
            "so every window is padded with missing samples."
        )
    else:
        yield "Windows within 20 s of either end of the recording reach beyond it and are padded with missing samples."
    if lost := table["other"].null_count():
        yield f"Windows without a prediction, because they lie in gaps: {lost:,} of {len(table):,}."
    if (step_s := _step_s(timeline)) > CENTRE_S:
        yield f"Windows are {step_s:g} s apart and each predicts {CENTRE_S} s; the time between has no prediction."
    if (minutes := predicted_minutes(timeline).sum()) < (duration_s - CENTRE_S / 2) / 60:
        covered = f"{duration_text(60 * minutes)} of {duration_text(duration_s)}"
        yield f"Predictions cover {covered}; percentages refer to that time."


def _step_s(timeline: Timeline) -> float:
    """Seconds from one window to the next; 0 if there is only one."""
    return float(timeline.table["onset_s"][:2].diff().sum())
