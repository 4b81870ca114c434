"""Events, and the burden of each class.

Source: the American Clinical Neurophysiology Society's terminology, 2021 version (Hirsch et al. 2021, *Journal of
Clinical Neurophysiology* 38, 1-29), in which an electrographic seizure lasts at least 10 s, and electrographic status
epilepticus is a seizure of at least 10 continuous minutes, or seizures in at least 20 % of any 60 min. Changed: experts
judge waves, here only probabilities count, so a dip of one window between two stretches of a class is not taken for its
end. Nor is an equally short time without a prediction (a gap, an artefact marked as bad): a seizure is more likely to
have gone on than to have paused just then. Such time adds to how long an event is from onset to end, and to nothing
else: burden, totals, and both parts of the criterion of status epilepticus (`hms.timeline.status`) count only the time
in which an event is at or above the threshold.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import polars as pl
from jaxtyping import Float, Int

from hms.labels import CLASSES
from hms.timeline.timeline import HOUR_S, Timeline, minutes_of_hours, seconds_before
from hms.window_lengths import CENTRE_S

PATTERNS = CLASSES[:-1]
"""The classes that have events: all but `other`."""

SHORTEST_S = 10
"""What is shorter is no event."""

BRIDGED_S = 10
"""A dip below the threshold, or time without a prediction, of up to this length, one window, does not end an event that
is as long on both sides."""

ROUNDING_S = 1e-6
"""Durations that differ by less are equal."""

_DIPPED = 1 / 3  # of an event at most


class Total(NamedTuple):
    """How much of a recording a class takes: its time at or above the threshold; of a pattern, only that in events."""

    minutes: float
    share: float
    """Of the time that was predicted; NaN if none was."""
    longest_s: float
    """Its longest event from onset to end, with what lies between its parts; of `other`, the longest stretch."""
    busiest_s: float
    """The most that lies in any 60 minutes."""


def events(timeline: Timeline) -> pl.DataFrame:
    """Events of each pattern: `label onset_s duration_s`, greatest `probability`, `surest_s`, the window that has it.

    A pattern reaches the threshold in all windows of an event, save for short dips and short times without a prediction
    (`BRIDGED_S`), and it lasts at least 10 s in all. Sorted by onset.
    """
    begins_s, ends_s = timeline.own_s.T
    onsets_s = timeline.table["onset_s"].to_numpy()
    found: dict[str, list[Any]] = {"label": [], "onset_s": [], "duration_s": [], "probability": [], "surest_s": []}
    for name in PATTERNS:
        probability = timeline.table[name].to_numpy()
        for windows in windows_of_events(timeline, name):
            surest = windows[probability[windows].argmax()]
            found["label"].append(name)
            found["onset_s"].append(float(begins_s[windows[0]]))
            found["duration_s"].append(float(ends_s[windows[-1]] - begins_s[windows[0]]))
            found["probability"].append(float(probability[surest]))
            found["surest_s"].append(float(onsets_s[surest]))
    schema = dict.fromkeys(found, pl.Float64) | {"label": pl.String}
    return pl.DataFrame(found, schema).sort("onset_s", maintain_order=True)


def burden(timeline: Timeline) -> Float[np.ndarray, "hour class"]:
    """Minutes of each hour that each class takes, counted as in `Total`."""
    by_class = (minutes_of_hours(counted_s(timeline, name), timeline.duration_s) for name in CLASSES)
    return np.stack([*by_class], axis=1)


def totals(timeline: Timeline) -> dict[str, Total]:
    """How much of the whole recording each class takes."""
    begins_s, ends_s = timeline.own_s.T
    all_s = np.diff(timeline.predicted_s).sum()
    found = {}
    for name in CLASSES:
        parts_s = counted_s(timeline, name)
        taken_s = float(np.diff(parts_s).sum())
        share = float(taken_s / all_s) if all_s else np.nan
        *_, busiest_s = next(busiest_hours(parts_s, timeline.duration_s, 0.0), (0.0,))
        lengths_s = [float(ends_s[windows[-1]] - begins_s[windows[0]]) for windows in windows_of_events(timeline, name)]
        found[name] = Total(taken_s / 60, share, max(lengths_s, default=0.0), busiest_s)
    return found


def busiest_hours(
    parts_s: Float[np.ndarray, "part 2"], until_s: float, least_s: float
) -> Iterator[tuple[float, float, float]]:
    """Yield the hour that holds most of the parts (begin, end, seconds), then the fullest of what is left, and so on.

    Hours do not overlap: what lies between two of them can be shorter. `parts_s` are sorted and apart. Of equals, the
    first counts; what holds less than `least_s` is left out.
    """
    apart = np.flatnonzero(parts_s[1:, 0] - parts_s[:-1, 1] > ROUNDING_S)
    begins_s = np.concatenate([parts_s[:1, 0], parts_s[apart + 1, 0]])  # parts that touch are one
    ends_s = np.concatenate([parts_s[apart, 1], parts_s[-1:, 1]])
    todo = [(np.stack([begins_s, ends_s], axis=1), until_s)]
    while todo:
        parts_s, until_s = todo.pop()
        if not len(parts_s):
            continue
        starts_s = parts_s[:, 0]  # from within a part back to its begin, from between two on to the next, none is lost
        within_s = (seconds_before(parts_s, starts_s + HOUR_S) - seconds_before(parts_s, starts_s)).round(6)
        busiest = int(within_s.argmax())
        if within_s[busiest] >= least_s:
            onset_s, end_s = float(starts_s[busiest]), min(float(starts_s[busiest]) + HOUR_S, until_s)
            yield onset_s, end_s, float(within_s[busiest])
            todo += [(_clipped(parts_s, end_s, np.inf), until_s), (_clipped(parts_s, 0.0, onset_s), onset_s)]


def windows_of_events(timeline: Timeline, name: str) -> Iterator[Int[np.ndarray, " window"]]:
    """The windows at or above the threshold of each event of a pattern; of `other`, of each stretch of such windows."""
    touch = timeline.step_s <= CENTRE_S  # otherwise time without a prediction is between any two windows
    bridged_s, shortest_s = (BRIDGED_S * touch, SHORTEST_S) if name in PATTERNS else (0, 0)
    above = np.flatnonzero(timeline.table[name].fill_null(0.0).to_numpy() >= timeline.threshold)
    if not len(above):
        return
    above_s = timeline.own_s[above]
    for first, last in bridged(above_s, bridged_s):
        if above_s[last - 1, 1] - above_s[first, 0] >= shortest_s - ROUNDING_S:
            yield above[first:last]


def counted_s(timeline: Timeline, name: str) -> Float[np.ndarray, "part 2"]:
    """Begin and end of the time (`Timeline.own_s`) of all windows at or above the threshold in a class's stretches."""
    windows = np.concatenate([np.array([], int), *windows_of_events(timeline, name)])
    return timeline.own_s[windows]


def _clipped(parts_s: Float[np.ndarray, "part 2"], begin_s: float, end_s: float) -> Float[np.ndarray, "kept 2"]:
    """What lies between two moments."""
    clipped_s = parts_s.clip(begin_s, end_s)
    return clipped_s[np.diff(clipped_s).ravel() > ROUNDING_S]


def bridged(parts_s: Float[np.ndarray, "part 2"], bridged_s: float) -> Iterator[tuple[int, int]]:
    """First and last (exclusive) of the parts that form each stretch, dips included; parts are sorted and apart.

    A dip, below the threshold or without a prediction, is no longer than `bridged_s` or the parts without a break on
    either side of it; all dips of a stretch take at most a third of it. Otherwise blips would add up to long events.
    """
    begins_s, ends_s = parts_s.T
    dips_s = begins_s[1:] - ends_s[:-1]
    firsts = [0, *(np.flatnonzero(dips_s > ROUNDING_S) + 1).tolist(), len(begins_s)]
    begin, dipped_s = 0, 0.0
    for before, first, last in zip(firsts, firsts[1:], firsts[2:], strict=False):
        dip_s = dips_s[first - 1]
        shortest_s = min(bridged_s, ends_s[first - 1] - begins_s[before], ends_s[last - 1] - begins_s[first])
        most_s = _DIPPED * (ends_s[last - 1] - begins_s[begin]) - dipped_s
        if dip_s <= min(shortest_s, most_s) + ROUNDING_S:
            dipped_s += dip_s
        else:
            yield begin, first
            begin, dipped_s = first, 0.0
    yield begin, len(begins_s)
