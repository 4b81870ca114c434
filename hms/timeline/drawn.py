"""Which windows of a recording the page draws: the surest of each event, then the surest of every class and hour."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import polars as pl

from hms.electrodes import SFREQ_HZ
from hms.labels import CLASSES
from hms.page import traces
from hms.recording.recording import Recording
from hms.timeline.events import events
from hms.timeline.timeline import HOUR_S, Timeline, spans_s
from hms.timing import BEFORE_S, EEG_SAMPLES

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
    """Up to `most` predicted windows: the surest of each listed event, then of each class and hour, then the next
    surest, the classes in turn in each case."""
    table = timeline.table
    sure, listed = pl.max_horizontal(CLASSES), listed_events(events(timeline))
    of_events = listed.select("label", "probability", onset_s="surest_s").with_columns(
        turn=pl.col("probability").rank("ordinal", descending=True).over("label")
    )
    of_events = of_events.sort("turn", "label").unique("onset_s", keep="first", maintain_order=True)
    rows = table.drop_nulls().with_columns(
        sure=sure, leading=pl.concat_list(CLASSES).list.arg_max(), hour=pl.col("onset_s") // HOUR_S
    )
    rank = pl.col("sure").rank("ordinal", descending=True).over("hour", "leading")
    rows = rows.with_columns(turn=rank).sort("turn", -pl.col("sure"), maintain_order=True)
    rows = rows.with_columns(turn=pl.int_range(pl.len()).over("leading")).sort("turn", "leading", maintain_order=True)
    order = pl.concat([of_events["onset_s"], rows["onset_s"]]).unique(maintain_order=True)[:most]
    return table.filter(pl.col("onset_s").is_in(order.implode()))


def listed_events(found: pl.DataFrame) -> pl.DataFrame:
    """The surest of the events, which the page lists, in chronological order."""
    return found.top_k(_MOST_EVENTS, by="probability").sort("onset_s", maintain_order=True)


def drawn_for(listed: pl.DataFrame, timeline: Timeline, drawn: Sequence[Drawn]) -> list[int | None]:
    """Which of the drawn windows shows each event: of those in it, the one where its class is most probable."""
    rows = np.searchsorted(timeline.table["onset_s"], [window.onset_s for window in drawn])
    spans = np.stack(spans_s(timeline), axis=1)[rows].tolist()
    found = []
    for event in listed.iter_rows(named=True):
        first_s, last_s = event["onset_s"] - 1e-6, event["onset_s"] + event["duration_s"] + 1e-6
        inside = [i for i, (begin_s, end_s) in enumerate(spans) if begin_s >= first_s and end_s <= last_s]
        found.append(max(inside, key=lambda i: drawn[i].probabilities[event["label"]], default=None))
    return found


def _drawing(recording: Recording, onset_s: float) -> traces.Drawing:
    first = round((onset_s - BEFORE_S) * SFREQ_HZ)
    return traces.draw(recording.eeg(first, first + EEG_SAMPLES))
