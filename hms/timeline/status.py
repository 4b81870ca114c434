"""Whether the seizure events would meet the criterion of electrographic status epilepticus, and where.

Source: Hirsch et al. 2021 (`hms.timeline.events`): a seizure of at least 10 continuous minutes, or seizures in at least
20 % of any 60 min. Changed: ten minutes with a dip are not continuous and count only towards the rule of 20 %; and of
the 60 min, those are reported that do not overlap, the fullest first.
"""

from collections.abc import Iterator
from operator import attrgetter
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from hms.system.console import duration_text
from hms.timeline.clock import clock
from hms.timeline.events import BRIDGED_S, ROUNDING_S, bridged, busiest_hours, counted_s, windows_of_events
from hms.timeline.timeline import HOUR_S, Timeline, seconds_before
from hms.window_lengths import CENTRE_S

CONTINUOUS_S, OF_ANY_HOUR_S = 600, 720
"""What meets the criterion: a seizure of this length, or seizures that take this much of 60 min."""

_MOST_NAMED = 10  # in one sentence


class Status(NamedTuple):
    """Where seizure events would meet the criterion of electrographic status epilepticus."""

    onset_s: float
    duration_s: float
    why: str


def status_epilepticus(timeline: Timeline) -> list[Status]:
    """Where the seizure events would meet the criterion, in order of time: each 10 min without a dip, and each 60 min.

    Both count only time at or above the threshold. An hour is left out if all its seizures are reported as continuous.
    """
    found, continuous_s = [], [np.empty((0, 2))]
    for parts_s in _continuous_s(timeline):
        reached_s = np.diff(parts_s).sum()
        if reached_s >= CONTINUOUS_S - ROUNDING_S:
            onset_s = float(parts_s[0, 0])
            duration_s = float(parts_s[-1, 1] - onset_s)
            unknown_s = duration_s - reached_s
            of_which = f", of which {duration_text(unknown_s)} without a prediction" if unknown_s > ROUNDING_S else ""
            why = f"{duration_text(duration_s)} without a dip from {clock(onset_s, timeline)}{of_which}"
            found.append(Status(onset_s, duration_s, why))
            continuous_s.append(parts_s)
    reported_s = np.concatenate(continuous_s)
    for onset_s, end_s, within_s in busiest_hours(counted_s(timeline, "seizure"), timeline.duration_s, OF_ANY_HOUR_S):
        if within_s > np.diff(seconds_before(reported_s, np.array([onset_s, end_s]))).item() + ROUNDING_S:
            long = "60 min" if end_s - onset_s >= HOUR_S - ROUNDING_S else duration_text(end_s - onset_s)
            why = f"{duration_text(within_s)} of events in the {long} from {clock(onset_s, timeline)}"
            found.append(Status(onset_s, end_s - onset_s, why))
    return sorted(found, key=attrgetter("onset_s"))


def reasons(found: list[Status]) -> str:
    """Why the criterion would be met, in words: the first, and how many more."""
    more = len(found) - _MOST_NAMED
    named = [one.why for one in found[:_MOST_NAMED]]
    return "; ".join([*named, f"and {more:,} more, listed in the JSON file"] if more > 0 else named)


def missed(apart_s: float) -> str:
    """Why windows that are `apart_s` apart, more than the 10 s that each predicts, can miss status epilepticus."""
    whole, rest_s = divmod(HOUR_S, apart_s)
    most_s = CENTRE_S * whole + min(CENTRE_S, rest_s)
    missed = "may be missed" if most_s >= OF_ANY_HOUR_S else "cannot be found"
    return (
        f"Status epilepticus {missed}: only predicted time counts, which is never 10 continuous minutes, and at most "
        f"{duration_text(most_s)} of 60 min. With step_s={CENTRE_S}, all time would count."
    )


def _continuous_s(timeline: Timeline) -> Iterator[Float[np.ndarray, "window 2"]]:
    """Begin and end of the windows of each part of a seizure event in which no window is below the threshold."""
    own_s = timeline.own_s
    number = timeline.table["other"].is_not_null().to_numpy().cumsum()  # among the windows with a prediction
    for windows in windows_of_events(timeline, "seizure"):
        for part in np.split(windows, np.flatnonzero(np.diff(number[windows]) > 1) + 1):
            for first, last in bridged(own_s[part], BRIDGED_S):  # a third of each part at most
                yield own_s[part[first:last]]
