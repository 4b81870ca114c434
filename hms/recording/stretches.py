"""Find out when the samples of a file were recorded: MNE-Python fills the pauses of FIF, and joins all others.

A pause of BrainVision is known from the dates of its "New Segment" markers (BrainVision Core Data Format 1.0).
"""

import re
from collections.abc import Iterator
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

from hms.recording.edf import Header
from hms.recording.records import record_starts_s
from hms.recording.source import Stretch
from hms.system.console import counted, duration_text

_SEGMENT = re.compile(rb"^Mk\d+=New Segment,[^,\r\n]*,(\d+),[^,\r\n]*,[^,\r\n]*,(\d{20})\s*$", re.MULTILINE)
_FARTHEST_S = 0.01
"""By how much the samples of EDF+ may be away from the time that their record states."""

_HELD_S = 0.02
"""Missing time up to which it is no gap: the spectrogram lacks every row that a gap touches."""

_SHORTEST_S, _LONGEST_S = 0.1, 400 * 86_400
"""Pauses of BrainVision; shorter ones are within what its clocks are off, and longer ones are wrong dates."""


def stretches_of(path: Path, header: Header | None, raw: Any) -> tuple[list[Stretch], list[str]]:
    """The stretches that were recorded: by record times (EDF+), dates (BrainVision), or the pauses that MNE notes."""
    rate, count = float(raw.info["sfreq"]), int(raw.n_times)
    starts_s = None if header is None else record_starts_s(path, header)
    if header is not None and starts_s is not None:
        size = round(header.record_s * rate)
        firsts = [*_firsts(starts_s.tolist(), header.record_s, 1 / rate), header.records]
        whole = [Stretch(round(starts_s[a] * rate), a * size, (b - a) * size) for a, b in pairwise(firsts)]
        stretches = [*(_until(one, later.at, _HELD_S * rate) for one, later in pairwise(whole)), whole[-1]]
    elif path.suffix.lower() == ".vhdr":
        stretches = [*_segments(path, rate, count)]
    else:
        pauses = [pause for pause in raw.annotations if pause["description"].upper() == "BAD_ACQ_SKIP"]
        begins = [0, *(round((pause["onset"] - raw.first_time + pause["duration"]) * rate) for pause in pauses)]
        ends = [*(round((pause["onset"] - raw.first_time) * rate) for pause in pauses), count]
        stretches = [Stretch(a, a, b - a) for a, b in zip(begins, ends, strict=True) if b > a]
    ends = [0, *(stretch.at + stretch.length + stretch.held for stretch in stretches)]
    gaps_s = [(stretch.at - end) / rate for stretch, end in zip(stretches, ends, strict=False) if stretch.at > end]
    gaps = f"{counted(len(gaps_s), 'gap')}, {duration_text(sum(gaps_s))} in all"
    return stretches, [f"The recording has {gaps}."] if gaps_s else []


def _firsts(starts_s: list[float], record_s: float, sample_s: float) -> Iterator[int]:
    """Numbers of the records that begin a stretch: their time stamp is not where the samples before them end.

    Differences below a sample add up where a device's clock and its sampling rate do not agree.
    """
    first = 0
    yield first
    for record, start_s in enumerate(starts_s):
        expected_s = starts_s[first] + (record - first) * record_s
        if abs(start_s - expected_s) > max(sample_s, _FARTHEST_S):
            first = record
            yield first


def _until(stretch: Stretch, at: int, most: float) -> Stretch:
    """The stretch without samples from the place `at` of the next one on, or held until there for `most` samples."""
    lacking = at - stretch.at - stretch.length
    return stretch._replace(length=stretch.length + min(lacking, 0), held=lacking if 0 < lacking <= most else 0)


def _segments(path: Path, rate: float, count: int) -> Iterator[Stretch]:
    """The segments of a BrainVision file of `count` samples; those without a pause between them are one."""
    at = stored_at = 0
    clock: tuple[int, datetime] | None = None  # the first date, and where it is: segments before it may have none
    for first, date in _dated_segments(path):
        clock = clock or (first, date)
        since = clock[0] / rate + (date - clock[1]).total_seconds()
        pause_s = since - (at + first - stored_at) / rate
        if stored_at < first < count and _SHORTEST_S < pause_s < _LONGEST_S:
            yield Stretch(at, stored_at, first - stored_at)
            at, stored_at = round(since * rate), first
    yield Stretch(at, stored_at, count - stored_at)


def _dated_segments(path: Path) -> Iterator[tuple[int, datetime]]:
    """First sample and date of each segment that has one, in the marker file next to the header at `path`."""
    named = re.search(rb"^MarkerFile=(.*?)\s*$", path.read_bytes(), re.MULTILINE)
    markers = path.parent / (named[1].decode("utf-8", "ignore") if named else "")
    if not markers.is_file():
        markers = path.with_suffix(".vmrk")
    for place, date in _SEGMENT.findall(markers.read_bytes()) if markers.is_file() else ():
        try:
            yield int(place) - 1, datetime.strptime(date.decode(), "%Y%m%d%H%M%S%f")
        except ValueError:
            continue  # a date of zeros says that it is not known
