"""Six probabilities every few seconds of a recording, and which of its time each of them refers to."""

from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import polars as pl
from jaxtyping import Float

from hms.recording.duration import duration_text
from hms.recording.source import Annotation, Span
from hms.window_lengths import CENTRE_S

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
    annotations: list[Annotation]
    """Those that the file itself holds."""
    origin: dict[str, Any]
    """What made it (`hms.timeline.origin`)."""
    spans: list[Span]
    """The stretches that were recorded, in samples of the file."""


def extent(timeline: Timeline) -> str:
    """How many windows there are, how far apart, and in how long a recording, in words."""
    count, long = len(timeline.table), duration_text(timeline.duration_s)
    return f"1 window in {long}" if count == 1 else f"{count:,} windows in {long}, one every {step_s(timeline):g} s"


def edges_s(timeline: Timeline) -> Float[np.ndarray, " edge"]:
    """Where the time nearest to each window begins, halfway between centres, and where that of the last one ends."""
    onsets_s = timeline.table["onset_s"].to_numpy()
    halfway_s = (onsets_s[1:] + onsets_s[:-1]) / 2 + CENTRE_S / 2
    return np.concatenate([onsets_s[:1], halfway_s, [timeline.duration_s]])


def spans_s(timeline: Timeline) -> tuple[Float[np.ndarray, " window"], Float[np.ndarray, " window"]]:
    """Begin and end of each window's span: the part of its central 10 s that no other window is nearer to.

    Spans do not overlap.
    """
    edges = edges_s(timeline)
    onsets_s = timeline.table["onset_s"].to_numpy()
    return np.maximum(edges[:-1], onsets_s), np.minimum(edges[1:], onsets_s + timeline.table["duration_s"].to_numpy())


def predicted_s(timeline: Timeline) -> Float[np.ndarray, "stretch 2"]:
    """Begin and end of the spans that have a prediction: outside gaps, and not between windows more than 10 s apart."""
    return np.stack(spans_s(timeline), axis=1)[timeline.table["other"].is_not_null().to_numpy()]


def predicted_minutes(timeline: Timeline) -> Float[np.ndarray, " hour"]:
    """Minutes of each hour that have a prediction."""
    return minutes_of_hours(predicted_s(timeline), timeline.duration_s)


def minutes_of_hours(stretches_s: Float[np.ndarray, "stretch 2"], duration_s: float) -> Float[np.ndarray, " hour"]:
    """Minutes of each hour of a recording that stretches take."""
    hours = max(1, int(np.ceil(duration_s / HOUR_S)))
    return np.diff(seconds_before(stretches_s, HOUR_S * np.arange(hours + 1.0))) / 60


def seconds_before(
    stretches_s: Float[np.ndarray, "stretch 2"], moments_s: Float[np.ndarray, " moment"]
) -> Float[np.ndarray, " moment"]:
    """How many seconds of stretches, sorted and apart, lie before each moment."""
    if not len(stretches_s):
        return np.zeros(len(moments_s))
    ends_s = np.cumsum(np.diff(stretches_s).ravel())
    begins_s = np.concatenate([[0.0], ends_s[:-1]])
    return np.interp(moments_s, stretches_s.ravel(), np.stack([begins_s, ends_s], axis=1).ravel())


def step_s(timeline: Timeline) -> float:
    """Seconds from one window to the next; 0 if there is only one."""
    return float(timeline.table["onset_s"][:2].diff().sum())
