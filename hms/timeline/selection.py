"""Which windows of a recording the page draws: the surest of each event, then the surest of every class and hour."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import polars as pl

from hms.electrodes import SFREQ_HZ
from hms.labels import CLASSES
from hms.page import traces
from hms.recording.recording import Recording
from hms.timeline.events import ROUNDING_S, events
from hms.timeline.timeline import HOUR_S, Timeline
from hms.window_lengths import BEFORE_S, EEG_SAMPLES

_MOST_EVENTS = 100


class Drawn(NamedTuple):
    """A window that is drawn, with its EEG."""

    onset_s: float
    """When its centre begins."""
    probabilities: dict[str, float]
    drawing: traces.Drawing

    @property
    def leading(self) -> str:
        """The most probable class."""
        return max(self.probabilities, key=lambda name: self.probabilities[name])


def drawn_windows(recording: Recording, timeline: Timeline, most: int) -> list[Drawn]:
    """Up to `most` predicted windows, in chronological order."""
    return [
        Drawn(row["onset_s"], {name: row[name] for name in CLASSES}, _drawing(recording, row["onset_s"]))
        for row in chosen_rows(timeline, most).iter_rows(named=True)
    ]


def chosen_rows(timeline: Timeline, most: int) -> pl.DataFrame:
    """Up to `most` predicted windows: the surest of each listed event, then the surest of each class in each hour, then
    the second surest there, and so on; in each case the classes take turns."""
    found = listed_events(events(timeline)).sort("probability", descending=True, maintain_order=True)
    windows = timeline.table.drop_nulls().with_columns(
        sure=pl.max_horizontal(CLASSES), label=pl.concat_list(CLASSES).list.arg_max(), hour=pl.col("onset_s") // HOUR_S
    )
    place = pl.col("sure").rank("ordinal", descending=True).over("hour", "label")  # 1: the surest of its class and hour
    windows = windows.with_columns(place=place).sort("place", -pl.col("sure"), maintain_order=True)
    wanted = pl.concat([_by_turns(found)["surest_s"], _by_turns(windows)["onset_s"]]).unique(maintain_order=True)
    return timeline.table.filter(pl.col("onset_s").is_in(wanted[:most].implode()))


def _by_turns(best_first: pl.DataFrame) -> pl.DataFrame:
    """The first row of each `label`, then the second of each, and so on."""
    turn = pl.int_range(pl.len()).over("label")
    return best_first.with_columns(turn=turn).sort("turn", "label", maintain_order=True)


def listed_events(found: pl.DataFrame) -> pl.DataFrame:
    """The surest of the events, which the page lists, in chronological order."""
    return found.top_k(_MOST_EVENTS, by="probability").sort("onset_s", maintain_order=True)


def drawn_for(listed: pl.DataFrame, timeline: Timeline, drawn: Sequence[Drawn]) -> list[int | None]:
    """Which of the drawn windows shows each event: of those in it, the one where its class is most probable."""
    rows = np.searchsorted(timeline.table["onset_s"], [window.onset_s for window in drawn])
    own_s = timeline.own_s[rows].tolist()
    found = []
    for event in listed.iter_rows(named=True):
        first_s, last_s = event["onset_s"] - ROUNDING_S, event["onset_s"] + event["duration_s"] + ROUNDING_S
        inside = [i for i, (begin_s, end_s) in enumerate(own_s) if begin_s >= first_s and end_s <= last_s]
        found.append(max(inside, key=lambda i: drawn[i].probabilities[event["label"]], default=None))
    return found


def opened(listed: pl.DataFrame, shown_by: Sequence[int | None]) -> int:
    """Which of the drawn windows a page opens with: that of the surest event, a seizure if there is any, or the first.

    `shown_by` tells for each event which drawn window shows it.
    """
    shown = listed.with_columns(window=pl.Series(shown_by, dtype=pl.Int64)).drop_nulls("window")
    by_interest = shown.sort(pl.col("label") == "seizure", "probability", descending=True, maintain_order=True)
    return int(by_interest["window"][0]) if len(by_interest) else 0


def _drawing(recording: Recording, onset_s: float) -> traces.Drawing:
    first = round((onset_s - BEFORE_S) * SFREQ_HZ)
    excerpt = recording.read(first, first + EEG_SAMPLES)
    return traces.draw(excerpt.eeg, excerpt.groups)
