"""What an open file is to the rest of the package: its channels, its samples, its gaps and its annotations.

Time that was not recorded (the gaps of a discontinuous EDF+, the pauses of a FIF or BrainVision file) is NaN.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from hms.recording.channel_names import Lead
from hms.recording.meanings import Meanings


class Stretch(NamedTuple):
    """Samples without a gap: their place in time, their place among the stored samples, and their number."""

    at: int
    stored_at: int
    length: int
    held: int = 0
    """For how many samples more the last one stands, where a device's clock runs ahead of its sampling rate."""


class Annotation(NamedTuple):
    """A remark that the file itself holds, such as a technician's note or a stretch marked as bad."""

    onset_s: float
    """From the first sample, gaps included."""
    duration_s: float
    """0 if it marks a moment."""
    text: str


class Source(NamedTuple):
    """An open file: its channels, each of them the difference given by its lead."""

    leads: list[Lead]
    sfreq_hz: float
    stretches: list[Stretch]
    start: datetime | None
    """Of the first sample, in local time or UTC (`hms.recording.start_time`)."""
    annotations: list[Annotation]
    """In chronological order."""
    notes: list[str]
    """What a user should know about the file, one sentence each."""
    meanings: Meanings
    """What the channels of the file measure, read or not."""
    read: Callable[[int, int], Float[np.ndarray, "channel time"]]
    """`read(first, last)` returns samples `first` up to `last` in µV, both within the recording."""

    @property
    def samples(self) -> int:
        """Number of samples from the first to the last, gaps included."""
        return self.stretches[-1].at + self.stretches[-1].length


def stored_s(
    time_s: Float[np.ndarray, " time"], stretches: Sequence[Stretch], sfreq_hz: float
) -> Float[np.ndarray, " time"]:
    """Convert times of a recording, gaps included, to those of `mne.io.read_raw`, which may join what is stored.

    A time inside a gap that is joined becomes the joint.
    """
    if all(stretch.at == stretch.stored_at for stretch in stretches):
        return time_s  # MNE keeps the pauses, or there are none
    ends = np.array([[stretch.at, stretch.at + stretch.length] for stretch in stretches])
    stored = np.array([[stretch.stored_at, stretch.stored_at + stretch.length] for stretch in stretches])
    return np.interp(time_s, ends.ravel() / sfreq_hz, stored.ravel() / sfreq_hz)
