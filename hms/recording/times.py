"""When the samples of a file were recorded: the first by the clock of the ward, the others from that one on.

MNE-Python fills the pauses of FIF, and joins all others. A pause of BrainVision is known from the dates of its "New
Segment" markers (BrainVision Core Data Format 1.0), and one of Persyst from its sample times, which MNE ignores
(mne-python issue 12339).
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta, tzinfo
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

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
"""Pauses of BrainVision and Persyst; shorter ones are within what clocks are off, and longer ones are wrong dates."""

_FARTHEST_DRIFT_S = 60
"""By how much a clock may fall behind the samples before its time is taken to be wrong."""

_SAMPLE_TIMES = re.compile(r"^\[SampleTimes\]\s*$(.*?)(?=^\[|\Z)", re.MULTILINE | re.DOTALL | re.IGNORECASE)
_SAMPLE_TIME = re.compile(r"^\s*(\d+)\s*=\s*(\d+\.?\d*)\s*$", re.MULTILINE)
_DAY_S = 86_400

RECORDING_HAS = "The recording has "
"""How the note on gaps begins."""

_UNKNOWN = {datetime(year, 1, 1, tzinfo=UTC) for year in (1970, 1985, 2000)}
"""Written where the start was removed: nothing at all, EDF+'s placeholder, and that of MNE-Python's `anonymize`."""


def start_time(path: Path, raw: Any) -> tuple[datetime | None, list[str]]:
    """When the first sample was recorded, in local time (called UTC, as MNE does), and a note on it.

    MNE-Python gives the times of EGI, MEF and FIF in UTC. Such a time stays, with a note, if a FIF file gives no offset
    from UTC; None if the file gives no start or a placeholder.
    """
    acquired = raw.info["meas_date"]
    if acquired is None or acquired.replace(microsecond=0) in _UNKNOWN:
        return None, []
    start = acquired + timedelta(seconds=raw.first_time)  # a cropped file does not begin with the acquisition
    if zone := _zone(raw.info["utc_offset"]):
        return start.astimezone(zone).replace(tzinfo=UTC), [f"Times of day are local ({zone}), as the file says."]
    return start, ["Times of day are in UTC, as FIF files are meant to have them."] if ".fif" in path.suffixes else []


def _zone(offset: str | None) -> tzinfo | None:
    """The time zone of an offset such as +0100 or +01:00; None if there is none."""
    with suppress(ValueError):
        return datetime.strptime(offset or "", "%z").tzinfo
    return None


def stretches_of(path: Path, header: Header | None, raw: Any) -> tuple[list[Stretch], list[str]]:
    """The stretches that were recorded, and a note on the gaps between them.

    They are known by record times (EDF+), dates (BrainVision, Persyst), or the pauses that MNE notes.
    """
    rate, count = float(raw.info["sfreq"]), int(raw.n_times)
    starts_s = None if header is None else record_starts_s(path, header)
    if header is not None and starts_s is not None:
        size = round(header.record_s * rate)
        firsts = [*_firsts(starts_s.tolist(), header.record_s, 1 / rate), header.records]
        whole = [Stretch(round(starts_s[a] * rate), a * size, (b - a) * size) for a, b in pairwise(firsts)]
        stretches = [*(_until(one, later.at, _HELD_S * rate) for one, later in pairwise(whole)), whole[-1]]
    elif path.suffix.lower() == ".vhdr":
        stretches = [*_with_pauses(_dated_segments(path), rate, count)]
    elif path.suffix.lower() == ".lay":
        stretches = [*_with_pauses(_sample_times(path), rate, count)]
    else:
        pauses = [pause for pause in raw.annotations if pause["description"].upper() == "BAD_ACQ_SKIP"]
        begins = [0, *(round((pause["onset"] - raw.first_time + pause["duration"]) * rate) for pause in pauses)]
        ends = [*(round((pause["onset"] - raw.first_time) * rate) for pause in pauses), count]
        stretches = [Stretch(a, a, b - a) for a, b in zip(begins, ends, strict=True) if b > a]
    ends = [0, *(stretch.end + stretch.held for stretch in stretches)]
    gaps_s = [(stretch.at - end) / rate for stretch, end in zip(stretches, ends, strict=False) if stretch.at > end]
    gaps = f"{counted(len(gaps_s), 'gap')}, {duration_text(sum(gaps_s))} in all"
    return stretches, [f"{RECORDING_HAS}{gaps}."] if gaps_s else []


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
    lacking = at - stretch.end
    return stretch._replace(length=stretch.length + min(lacking, 0), held=lacking if 0 < lacking <= most else 0)


def _with_pauses(clock: Iterable[tuple[int, float]], rate: float, count: int) -> Iterator[Stretch]:
    """The stretches of `count` stored samples, given the numbers of some of them and when they were recorded, in s.

    Those without a pause between them are one. A stretch begins when its clock says; a clock that drifts makes none.
    """
    at = stored_at = 0
    began: tuple[int, float] | None = None  # the first time, and where it is: samples before it may have none
    drift_s = 0.0
    for first, time_s in clock:
        began = began or (first, time_s)
        since_s = began[0] / rate + time_s - began[1]
        late_s = since_s - (at + first - stored_at) / rate
        if not -_FARTHEST_DRIFT_S < late_s < _LONGEST_S:
            continue
        if stored_at < first < count and late_s - drift_s > _SHORTEST_S:
            yield Stretch(at, stored_at, first - stored_at)
            at, stored_at, late_s = round(since_s * rate), first, 0.0
        drift_s = late_s
    yield Stretch(at, stored_at, count - stored_at)


def _dated_segments(path: Path) -> Iterator[tuple[int, float]]:
    """First sample and date, in s, of each segment that has one, in the marker file next to the header at `path`."""
    named = re.search(rb"^MarkerFile=(.*?)\s*$", path.read_bytes(), re.MULTILINE)
    markers = path.parent / (named[1].decode("utf-8", "ignore") if named else "")
    if not markers.is_file():
        markers = path.with_suffix(".vmrk")
    for place, date in _SEGMENT.findall(markers.read_bytes()) if markers.is_file() else ():
        with suppress(ValueError):  # a date of zeros says that it is not known
            since = datetime.strptime(date.decode(), "%Y%m%d%H%M%S%f") - datetime.min
            yield int(place) - 1, since.total_seconds()


def _sample_times(path: Path) -> Iterator[tuple[int, float]]:
    """Numbers of samples of a Persyst file, and the second of the day at which each was recorded, counted on from the
    first day."""
    section = _SAMPLE_TIMES.search(path.read_text("latin-1"))
    days, before_s = 0, 0.0
    for place, second in _SAMPLE_TIME.findall(section[1]) if section else ():
        days += float(second) < before_s - _FARTHEST_DRIFT_S
        before_s = float(second)
        yield int(place), before_s + days * _DAY_S


def bounds_s(stretches: Sequence[Stretch], sfreq_hz: float) -> Float[np.ndarray, "stretch 2"]:
    """Begin and end of each stretch, in s from the first sample."""
    return np.array([[stretch.at, stretch.end] for stretch in stretches]) / sfreq_hz


def recording_s(stored_s: float, stretches: Sequence[Stretch], sfreq_hz: float) -> float:
    """The time in the recording, gaps included, of a sample that MNE-Python numbers as it is stored.

    At a joint of two stretches, it is the time in the later one.
    """
    begins_s = np.array([stretch.stored_at for stretch in stretches]) / sfreq_hz
    stretch = stretches[max(0, int(np.searchsorted(begins_s, stored_s + 0.5 / sfreq_hz, side="right")) - 1)]
    return stored_s + (stretch.at - stretch.stored_at) / sfreq_hz


def stored_s(
    time_s: Float[np.ndarray, " time"], stretches: Sequence[Stretch], sfreq_hz: float
) -> Float[np.ndarray, " time"]:
    """Convert times of a recording, gaps included, to those of `mne.io.read_raw`, which may join what is stored.

    A time inside a gap that is joined becomes the joint.
    """
    if all(stretch.at == stretch.stored_at for stretch in stretches):
        return time_s  # MNE keeps the pauses, or there are none
    stored = np.array([[stretch.stored_at, stretch.stored_at + stretch.length] for stretch in stretches])
    return np.interp(time_s, bounds_s(stretches, sfreq_hz).ravel(), stored.ravel() / sfreq_hz)
