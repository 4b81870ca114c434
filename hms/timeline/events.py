"""Events, the burden of each class, and whether seizures would meet the criterion of status epilepticus.

Source: the American Clinical Neurophysiology Society's terminology, 2021 version (Hirsch et al. 2021, *Journal of
Clinical Neurophysiology* 38, 1-29), in which an electrographic seizure lasts at least 10 s, and electrographic status
epilepticus is a seizure of at least 10 min, or seizures in at least 20 % of any 60 min. Changed: experts judge waves,
here only probabilities count, so a dip of one window between two stretches of a class is not taken for its end. Nor is
time as short that has no prediction (a gap, artefact marked as bad): that a seizure paused just then is less likely
than that it went on. Such time counts towards how long an event is, but not as seizure in the 20 % of 60 min.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import polars as pl
from jaxtyping import Float

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
    """How much of a recording a class takes."""

    minutes: float
    """In time that was predicted, like all but `longest_s`."""
    share: float
    """Of the time that was predicted; NaN if none was."""
    longest_s: float
    """Its longest event, with what was not predicted of it; of `other`, the longest stretch."""
    busiest_s: float
    """The most that lies in any 60 minutes."""
    busiest_at_s: float
    """When these 60 minutes begin."""


class Status(NamedTuple):
    """Where seizure events would meet the criterion of electrographic status epilepticus."""

    onset_s: float
    duration_s: float
    why: str


def stretches(timeline: Timeline) -> pl.DataFrame:
    """Stretches of each class: `label onset_s duration_s`, greatest `probability`, `surest_s`, the window that has it.

    Of a pattern, these are its events: it reaches the threshold in all windows, save for short dips and short times
    without a prediction (`BRIDGED_S`), and for at least 10 s in all. Of `other`, every stretch at the threshold. Sorted
    by onset.
    """
    begins_s, ends_s = spans_s(timeline)
    onsets_s = timeline.table["onset_s"].to_numpy()
    touch = step_s(timeline) <= CENTRE_S  # otherwise time without a prediction is between any two windows
    found: dict[str, list[Any]] = {"label": [], "onset_s": [], "duration_s": [], "probability": [], "surest_s": []}
    for name in CLASSES:
        bridged_s, shortest_s = (BRIDGED_S * touch, SHORTEST_S) if name in PATTERNS else (0, 0)
        share = timeline.table[name].fill_null(0.0).to_numpy()
        above = np.flatnonzero(share >= timeline.threshold)
        if not len(above):
            continue
        for first, last in _bridged(begins_s[above], ends_s[above], bridged_s):
            inside = above[first:last]
            duration_s = float(ends_s[inside[-1]] - begins_s[inside[0]])
            if duration_s >= shortest_s - _ROUNDING_S:
                surest = inside[share[inside].argmax()]
                found["label"].append(name)
                found["onset_s"].append(float(begins_s[inside[0]]))
                found["duration_s"].append(duration_s)
                found["probability"].append(float(share[surest]))
                found["surest_s"].append(float(onsets_s[surest]))
    schema = dict.fromkeys(found, pl.Float64) | {"label": pl.String}
    return pl.DataFrame(found, schema).sort("onset_s", maintain_order=True)


def events(timeline: Timeline) -> pl.DataFrame:
    """The stretches of patterns. What was predicted of a pattern's events adds up to its burden."""
    return stretches(timeline).filter(pl.col("label") != CLASSES[-1])


def burden(timeline: Timeline) -> Float[np.ndarray, "hour label"]:
    """Predicted minutes of each hour that the stretches of each class take; classes overlap where a dip is another's
    stretch."""
    known_s, each = predicted_s(timeline), _intervals(timeline)
    parts = (_common(each[name], known_s) for name in CLASSES)
    return np.stack([minutes_of_hours(part, timeline.duration_s) for part in parts], axis=1)


def totals(timeline: Timeline) -> dict[str, Total]:
    """How much of the whole recording each class takes."""
    known_s = predicted_s(timeline)
    all_s = np.diff(known_s).sum()
    found = {}
    for name, intervals in _intervals(timeline).items():
        parts = _common(intervals, known_s)
        own_s = float(np.diff(parts).sum())
        starts_s = np.clip([*parts[:, 0], *(parts[:, 1] - HOUR_S), 0.0], 0, None)
        within_s = seconds_before(parts, starts_s + HOUR_S) - seconds_before(parts, starts_s)
        share = float(own_s / all_s) if all_s else np.nan
        busiest = int(within_s.argmax())
        longest_s = float(np.diff(intervals).max(initial=0.0))
        found[name] = Total(own_s / 60, share, longest_s, float(within_s[busiest]), float(starts_s[busiest]))
    return found


def status_epilepticus(timeline: Timeline) -> Iterator[Status]:
    """Where the seizure events would meet the criterion: each of at least 10 min, and the 60 min with most of them."""
    for one in _intervals(timeline)["seizure"]:
        onset_s, end_s = one.tolist()
        if end_s - onset_s >= _CONTINUOUS_S - _ROUNDING_S:
            lost_s = end_s - onset_s - np.diff(_common(one[None], predicted_s(timeline))).sum()
            lost = f", {duration_text(lost_s)} of it without a prediction" if lost_s > _ROUNDING_S else ""
            why = f"an event of {(end_s - onset_s) / 60:.0f} min from {clock(onset_s, timeline)}{lost}"
            yield Status(onset_s, end_s - onset_s, why)
    seizure = totals(timeline)["seizure"]
    if seizure.busiest_s >= _OF_ANY_HOUR_S - _ROUNDING_S:
        why = f"{seizure.busiest_s / 60:.0f} min of events in the 60 min from {clock(seizure.busiest_at_s, timeline)}"
        yield Status(seizure.busiest_at_s, min(HOUR_S, timeline.duration_s - seizure.busiest_at_s), why)


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


def _common(
    stretches_s: Float[np.ndarray, "stretch 2"], known_s: Float[np.ndarray, "known 2"]
) -> Float[np.ndarray, "part 2"]:
    """The parts of stretches that are known; neither of the two overlap among themselves."""
    edges_s = np.unique(np.concatenate([stretches_s.ravel(), known_s.ravel()]))
    halfway_s = (edges_s[1:] + edges_s[:-1]) / 2
    inside = np.logical_and(*(np.searchsorted(each.ravel(), halfway_s) % 2 == 1 for each in (stretches_s, known_s)))
    first, end = (np.flatnonzero(np.diff(inside.astype(int), prepend=0, append=0) == sign) for sign in (1, -1))
    return np.stack([edges_s[first], edges_s[end]], axis=1)


def _intervals(timeline: Timeline) -> dict[str, Float[np.ndarray, "stretch 2"]]:
    """Begin and end of the stretches of each class."""
    table = stretches(timeline).with_columns(end_s=pl.col("onset_s") + pl.col("duration_s"))
    return {name: table.filter(label=name).select("onset_s", "end_s").to_numpy() for name in CLASSES}
