"""Events, the burden of each class, and whether seizures would meet the criterion of status epilepticus.

Source: the American Clinical Neurophysiology Society's terminology, 2021 version (Hirsch et al. 2021, *Journal of
Clinical Neurophysiology* 38, 1-29), in which an electrographic seizure lasts at least 10 s, and electrographic status
epilepticus is a seizure of at least 10 min, or seizures in at least 20 % of any 60 min. Changed: experts judge waves,
here only probabilities count, so a dip of one window between two stretches of a class is not taken for its end.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import polars as pl
from jaxtyping import Float

from hms.labels import CLASSES
from hms.timeline.clock import clock
from hms.timeline.timeline import HOUR_S, Timeline, minutes_of_hours, predicted_s, seconds_before, spans_s

PATTERNS = CLASSES[:-1]
"""The classes that have events: all but `other`."""

SHORTEST_S = 10
"""What is shorter is no event."""

BRIDGED_S = 10
"""A dip below the threshold of up to this length, one window, does not end an event that is as long on both sides."""

_CONTINUOUS_S, _OF_ANY_HOUR_S = 600, 720
_DIPPED = 1 / 3  # of an event at most
_ROUNDING_S = 1e-6


class Total(NamedTuple):
    """How much of a recording a class takes."""

    minutes: float
    share: float
    """Of the time that was predicted; NaN if none was."""
    longest_s: float
    """Its longest event; of `other`, the longest stretch."""
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

    Of a pattern, these are its events: it reaches the threshold in all windows, save for short dips in time that was
    predicted (`BRIDGED_S`), and for at least 10 s in all. Of `other`, every stretch at the threshold. Sorted by onset.
    """
    begins_s, ends_s = spans_s(timeline)
    onsets_s, known_s = timeline.table["onset_s"].to_numpy(), predicted_s(timeline)
    found: dict[str, list[Any]] = {"label": [], "onset_s": [], "duration_s": [], "probability": [], "surest_s": []}
    for name in CLASSES:
        bridged_s, shortest_s = (BRIDGED_S, SHORTEST_S) if name in PATTERNS else (0, 0)
        share = timeline.table[name].fill_null(0.0).to_numpy()
        above = np.flatnonzero(share >= timeline.threshold)
        if not len(above):
            continue
        for first, last in _bridged(begins_s[above], ends_s[above], known_s, bridged_s):
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
    """The stretches of patterns. The events of a pattern add up to its burden."""
    return stretches(timeline).filter(pl.col("label") != CLASSES[-1])


def burden(timeline: Timeline) -> Float[np.ndarray, "hour label"]:
    """Minutes of each hour that the stretches of each class take; classes overlap where a dip is another's stretch."""
    each = _intervals(timeline)
    return np.stack([minutes_of_hours(each[name], timeline.duration_s) for name in CLASSES], axis=1)


def totals(timeline: Timeline) -> dict[str, Total]:
    """How much of the whole recording each class takes."""
    known_s = np.diff(predicted_s(timeline)).sum()
    found = {}
    for name, intervals in _intervals(timeline).items():
        long_s = np.diff(intervals).ravel()
        starts_s = np.clip([*intervals[:, 0], *(intervals[:, 1] - HOUR_S), 0.0], 0, None)
        within_s = seconds_before(intervals, starts_s + HOUR_S) - seconds_before(intervals, starts_s)
        share = float(long_s.sum() / known_s) if known_s else np.nan
        busiest = int(within_s.argmax())
        longest_s = float(long_s.max(initial=0.0))
        found[name] = Total(
            float(long_s.sum() / 60), share, longest_s, float(within_s[busiest]), float(starts_s[busiest])
        )
    return found


def status_epilepticus(timeline: Timeline) -> Iterator[Status]:
    """Where the seizure events would meet the criterion: each of at least 10 min, and the 60 min with most of them."""
    for onset_s, end_s in _intervals(timeline)["seizure"].tolist():
        if end_s - onset_s >= _CONTINUOUS_S - _ROUNDING_S:
            why = f"an event of {(end_s - onset_s) / 60:.0f} min from {clock(onset_s, timeline)}"
            yield Status(onset_s, end_s - onset_s, why)
    seizure = totals(timeline)["seizure"]
    if seizure.busiest_s >= _OF_ANY_HOUR_S - _ROUNDING_S:
        why = f"{seizure.busiest_s / 60:.0f} min of events in the 60 min from {clock(seizure.busiest_at_s, timeline)}"
        yield Status(seizure.busiest_at_s, min(HOUR_S, timeline.duration_s - seizure.busiest_at_s), why)


def _bridged(
    begins_s: Float[np.ndarray, " span"],
    ends_s: Float[np.ndarray, " span"],
    known_s: Float[np.ndarray, "stretch 2"],
    bridged_s: float,
) -> Iterator[tuple[int, int]]:
    """First and last (exclusive) of the spans that form each stretch, dips included.

    A dip was predicted throughout, and is no longer than `bridged_s` or the spans without a break on either side of it;
    all dips of a stretch take at most a third of it. Otherwise blips would add up to long events.
    """
    predicted_dips_s = seconds_before(known_s, begins_s[1:]) - seconds_before(known_s, ends_s[:-1])
    dips_s = begins_s[1:] - ends_s[:-1]
    firsts = [0, *(np.flatnonzero(dips_s > _ROUNDING_S) + 1).tolist(), len(begins_s)]
    begin, dipped_s = 0, 0.0
    for before, first, last in zip(firsts, firsts[1:], firsts[2:], strict=False):
        dip_s = dips_s[first - 1]
        known = dip_s - predicted_dips_s[first - 1] <= _ROUNDING_S
        shortest_s = min(bridged_s, ends_s[first - 1] - begins_s[before], ends_s[last - 1] - begins_s[first])
        most_s = _DIPPED * (ends_s[last - 1] - begins_s[begin]) - dipped_s
        if known and dip_s <= min(shortest_s, most_s) + _ROUNDING_S:
            dipped_s += dip_s
        else:
            yield begin, first
            begin, dipped_s = first, 0.0
    yield begin, len(begins_s)


def _intervals(timeline: Timeline) -> dict[str, Float[np.ndarray, "stretch 2"]]:
    """Begin and end of the stretches of each class."""
    table = stretches(timeline).with_columns(end_s=pl.col("onset_s") + pl.col("duration_s"))
    return {name: table.filter(label=name).select("onset_s", "end_s").to_numpy() for name in CLASSES}
