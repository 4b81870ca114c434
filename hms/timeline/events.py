"""Events, the burden of each class, and whether seizures would meet the criterion of status epilepticus.

Source: the American Clinical Neurophysiology Society's terminology, 2021 version (Hirsch et al. 2021, *Journal of
Clinical Neurophysiology* 38, 1-29), in which an electrographic seizure lasts at least 10 s, and electrographic status
epilepticus is a seizure of at least 10 continuous minutes, or seizures in at least 20 % of any 60 min. Changed: experts
judge waves, here only probabilities count, so a dip of one window between two stretches of a class is not taken for its
end. Nor is time as short that has no prediction (a gap, artefact marked as bad): that a seizure paused just then is
less likely than that it went on. Such time adds to how long an event is from onset to end, and to nothing else: burden,
totals, and both parts of the criterion count only the time in which an event is at or above the threshold. Ten minutes
with a dip are not continuous: seizures with pauses count by their part of 60 min.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import polars as pl
from jaxtyping import Float, Int

from hms.labels import CLASSES
from hms.recording.duration import duration_text
from hms.timeline.clock import clock
from hms.timeline.timeline import HOUR_S, Timeline, minutes_of_hours, predicted_s, seconds_before, spans_s, step_s
from hms.timing import CENTRE_S

PATTERNS = CLASSES[:-1]
"""The classes that have events: all but `other`."""

SHORTEST_S = 10
"""What is shorter is no event."""

BRIDGED_S = 10
"""A dip below the threshold, or time without a prediction, of up to this length, one window, does not end an event that
is as long on both sides."""

_CONTINUOUS_S, _OF_ANY_HOUR_S = 600, 720
_DIPPED = 1 / 3  # of an event at most
_ROUNDING_S = 1e-6


class Total(NamedTuple):
    """How much of a recording a class takes: the time at or above the threshold, of a pattern that of its events."""

    minutes: float
    share: float
    """Of the time that was predicted; NaN if none was."""
    longest_s: float
    """Its longest event from onset to end, with what lies between its parts; of `other`, the longest stretch."""
    busiest_s: float
    """The most that lies in any 60 minutes."""
    busiest_at_s: float
    """When these 60 minutes begin."""


class Status(NamedTuple):
    """Where seizure events would meet the criterion of electrographic status epilepticus."""

    onset_s: float
    duration_s: float
    why: str


def events(timeline: Timeline) -> pl.DataFrame:
    """Events of each pattern: `label onset_s duration_s`, greatest `probability`, `surest_s`, the window that has it.

    A pattern reaches the threshold in all windows of an event, save for short dips and short times without a prediction
    (`BRIDGED_S`), and it lasts at least 10 s in all. Sorted by onset.
    """
    begins_s, ends_s = spans_s(timeline)
    onsets_s = timeline.table["onset_s"].to_numpy()
    found: dict[str, list[Any]] = {"label": [], "onset_s": [], "duration_s": [], "probability": [], "surest_s": []}
    for name in PATTERNS:
        probability = timeline.table[name].to_numpy()
        for windows in _stretches(timeline, name):
            surest = windows[probability[windows].argmax()]
            found["label"].append(name)
            found["onset_s"].append(float(begins_s[windows[0]]))
            found["duration_s"].append(float(ends_s[windows[-1]] - begins_s[windows[0]]))
            found["probability"].append(float(probability[surest]))
            found["surest_s"].append(float(onsets_s[surest]))
    schema = dict.fromkeys(found, pl.Float64) | {"label": pl.String}
    return pl.DataFrame(found, schema).sort("onset_s", maintain_order=True)


def burden(timeline: Timeline) -> Float[np.ndarray, "hour label"]:
    """Minutes of each hour that each class takes, counted as in `Total`."""
    by_class = (minutes_of_hours(_counted_s(timeline, name), timeline.duration_s) for name in CLASSES)
    return np.stack([*by_class], axis=1)


def totals(timeline: Timeline) -> dict[str, Total]:
    """How much of the whole recording each class takes."""
    begins_s, ends_s = spans_s(timeline)
    all_s = np.diff(predicted_s(timeline)).sum()
    found = {}
    for name in CLASSES:
        parts_s = _counted_s(timeline, name)
        own_s = float(np.diff(parts_s).sum())
        starts_s = np.clip([*parts_s[:, 0], *(parts_s[:, 1] - HOUR_S), 0.0], 0, None)
        within_s = seconds_before(parts_s, starts_s + HOUR_S) - seconds_before(parts_s, starts_s)
        share = float(own_s / all_s) if all_s else np.nan
        busiest = int(within_s.round(6).argmax())  # the first of equals
        lengths_s = [float(ends_s[windows[-1]] - begins_s[windows[0]]) for windows in _stretches(timeline, name)]
        found[name] = Total(
            own_s / 60, share, max(lengths_s, default=0.0), float(within_s[busiest]), float(starts_s[busiest])
        )
    return found


def status_epilepticus(timeline: Timeline) -> Iterator[Status]:
    """Where the seizure events would meet the criterion: each 10 min without a dip, and the 60 min with most of them.

    Both count only time at or above the threshold.
    """
    begins_s, ends_s = spans_s(timeline)
    for windows in _continuous(timeline):
        reached_s = (ends_s - begins_s)[windows].sum()
        if reached_s >= _CONTINUOUS_S - _ROUNDING_S:
            onset_s = float(begins_s[windows[0]])
            duration_s = float(ends_s[windows[-1]] - onset_s)
            unknown_s = duration_s - reached_s
            of_which = f", of which {duration_text(unknown_s)} without a prediction" if unknown_s > _ROUNDING_S else ""
            why = f"{duration_text(duration_s)} without a dip from {clock(onset_s, timeline)}{of_which}"
            yield Status(onset_s, duration_s, why)
    seizure = totals(timeline)["seizure"]
    if seizure.busiest_s >= _OF_ANY_HOUR_S - _ROUNDING_S:
        onset_s = seizure.busiest_at_s
        why = f"{duration_text(seizure.busiest_s)} of events in the 60 min from {clock(onset_s, timeline)}"
        yield Status(onset_s, min(HOUR_S, timeline.duration_s - onset_s), why)


def _stretches(timeline: Timeline, name: str) -> Iterator[Int[np.ndarray, " window"]]:
    """The windows at or above the threshold of each event of a pattern; of `other`, of each stretch of such windows."""
    begins_s, ends_s = spans_s(timeline)
    touch = step_s(timeline) <= CENTRE_S  # otherwise time without a prediction is between any two windows
    bridged_s, shortest_s = (BRIDGED_S * touch, SHORTEST_S) if name in PATTERNS else (0, 0)
    above = np.flatnonzero(timeline.table[name].fill_null(0.0).to_numpy() >= timeline.threshold)
    if not len(above):
        return
    for first, last in _bridged(begins_s[above], ends_s[above], bridged_s):
        if ends_s[above[last - 1]] - begins_s[above[first]] >= shortest_s - _ROUNDING_S:
            yield above[first:last]


def _continuous(timeline: Timeline) -> Iterator[Int[np.ndarray, " window"]]:
    """The windows of the parts of each seizure event between which no window is below the threshold."""
    begins_s, ends_s = spans_s(timeline)
    number = timeline.table["other"].is_not_null().to_numpy().cumsum()  # among the windows with a prediction
    for windows in _stretches(timeline, "seizure"):
        for part in np.split(windows, np.flatnonzero(np.diff(number[windows]) > 1) + 1):
            for first, last in _bridged(begins_s[part], ends_s[part], BRIDGED_S):  # a third of each part at most
                yield part[first:last]


def _counted_s(timeline: Timeline, name: str) -> Float[np.ndarray, "part 2"]:
    """Begin and end of the spans of all windows at or above the threshold of a class's stretches."""
    windows = np.concatenate([np.array([], int), *_stretches(timeline, name)])
    return np.stack(spans_s(timeline), axis=1)[windows]


def _bridged(
    begins_s: Float[np.ndarray, " span"], ends_s: Float[np.ndarray, " span"], bridged_s: float
) -> Iterator[tuple[int, int]]:
    """First and last (exclusive) of the spans that form each stretch, dips included.

    A dip, below the threshold or without a prediction, is no longer than `bridged_s` or the spans without a break on
    either side of it; all dips of a stretch take at most a third of it. Otherwise blips would add up to long events.
    """
    dips_s = begins_s[1:] - ends_s[:-1]
    firsts = [0, *(np.flatnonzero(dips_s > _ROUNDING_S) + 1).tolist(), len(begins_s)]
    begin, dipped_s = 0, 0.0
    for before, first, last in zip(firsts, firsts[1:], firsts[2:], strict=False):
        dip_s = dips_s[first - 1]
        shortest_s = min(bridged_s, ends_s[first - 1] - begins_s[before], ends_s[last - 1] - begins_s[first])
        most_s = _DIPPED * (ends_s[last - 1] - begins_s[begin]) - dipped_s
        if dip_s <= min(shortest_s, most_s) + _ROUNDING_S:
            dipped_s += dip_s
        else:
            yield begin, first
            begin, dipped_s = first, 0.0
    yield begin, len(begins_s)
