"""What an open file is to the rest of the package: its channels, its samples, its gaps and its annotations.

Time that was not recorded (the gaps of a discontinuous EDF+, the pauses of a FIF or BrainVision file) is NaN.
"""

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from hms.recording.channel_names import Lead
from hms.recording.meanings import Meanings

_PROBE_S = 10


class Stretch(NamedTuple):
    """Samples without a gap: their place in time, their place among the stored samples, and their number."""

    at: int
    stored_at: int
    length: int
    held: int = 0
    """For how many samples more the last one stands, where a device's clock runs ahead of its sampling rate."""

    @property
    def end(self) -> int:
        """The place after its last sample; what is held comes from there on."""
        return self.at + self.length


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
    """Of the first sample, in local time or UTC (`hms.recording.times.start_time`)."""
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
        return self.stretches[-1].end

    def probes(self, most: int) -> Iterator[Float[np.ndarray, "channel time"]]:
        """Read up to `most` recorded stretches of 10 s, in µV; they cover a short recording completely."""
        size, ends = round(_PROBE_S * self.sfreq_hz), np.cumsum([stretch.length for stretch in self.stretches])
        places = np.linspace(0, max(0, ends[-1] - size), min(most, -(-ends[-1] // size))).astype(int)
        for place, i in zip(places, np.searchsorted(ends, places, side="right"), strict=True):
            stretch = self.stretches[i]
            first = stretch.at + int(max(0, min(place - ends[i] + stretch.length, stretch.length - size)))
            yield self.read(first, min(first + size, stretch.end))
