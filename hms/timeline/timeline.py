"""Six probabilities every few seconds of a recording, and which of its time each of them refers to."""

from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import polars as pl
from jaxtyping import Float

from hms.recording.source import Annotation, Stretch
from hms.system.console import duration_text
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
    stretches: list[Stretch]
    """The stretches that were recorded, in samples of the file."""

    @property
    def step_s(self) -> float:
        """From one window to the next; 0 if there is only one."""
        return float(self.table["onset_s"][:2].diff().sum())

    @property
    def extent(self) -> str:
        """How many windows there are, how far apart, and in how long a recording, in words."""
        count, long = len(self.table), duration_text(self.duration_s)
        return f"1 window in {long}" if count == 1 else f"{count:,} windows in {long}, one every {self.step_s:g} s"

    @property
    def edges_s(self) -> Float[np.ndarray, " edge"]:
        """Where the time nearest to each window begins, halfway between centres, and where the last one's ends."""
        onsets_s = self.table["onset_s"].to_numpy()
        halfway_s = (onsets_s[1:] + onsets_s[:-1]) / 2 + CENTRE_S / 2
        return np.concatenate([onsets_s[:1], halfway_s, [self.duration_s]])

    @property
    def own_s(self) -> Float[np.ndarray, "window 2"]:
        """Begin and end of the time of each window alone: the part of its central 10 s that no other is nearer to."""
        edges_s, onsets_s = self.edges_s, self.table["onset_s"].to_numpy()
        ends_s = np.minimum(edges_s[1:], onsets_s + self.table["duration_s"].to_numpy())
        return np.stack([np.maximum(edges_s[:-1], onsets_s), ends_s], axis=1)

    @property
    def predicted_s(self) -> Float[np.ndarray, "window 2"]:
        """`own_s` of the windows that have a prediction: not in gaps, nor between windows more than 10 s apart."""
        return self.own_s[self.table["other"].is_not_null().to_numpy()]

    @property
    def predicted_minutes(self) -> Float[np.ndarray, " hour"]:
        """Minutes of each hour that have a prediction."""
        return minutes_of_hours(self.predicted_s, self.duration_s)


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
