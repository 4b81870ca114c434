"""Which windows of a recording the page draws: those where the model is surest, from every class and hour."""

from typing import NamedTuple

import polars as pl

from hms.electrodes import SFREQ_HZ
from hms.labels import CLASSES
from hms.page import traces
from hms.recording.recording import Recording
from hms.timeline.timeline import HOUR_S, Timeline
from hms.timing import BEFORE_S, EEG_SAMPLES


class Drawn(NamedTuple):
    """A window that is drawn, with its EEG."""

    onset_s: float
    """When its centre begins."""
    shares: dict[str, float]
    drawing: traces.Drawing

    @property
    def leading(self) -> str:
        """The most probable class."""
        return max(self.shares, key=lambda name: self.shares[name])


def drawn_windows(recording: Recording, timeline: Timeline, most: int) -> list[Drawn]:
    """Up to `most` predicted windows, in chronological order."""
    return [
        Drawn(row["onset_s"], {name: row[name] for name in CLASSES}, _drawing(recording, row["onset_s"]))
        for row in chosen_rows(timeline.table, most).iter_rows(named=True)
    ]


def chosen_rows(table: pl.DataFrame, most: int) -> pl.DataFrame:
    """Up to `most` predicted windows: the surest of each class and hour, then the next surest, the classes in turn."""
    sure = pl.max_horizontal(CLASSES)
    rows = table.drop_nulls().with_columns(
        sure=sure, leading=pl.concat_list(CLASSES).list.arg_max(), hour=pl.col("onset_s") // HOUR_S
    )
    rank = pl.col("sure").rank("ordinal", descending=True).over("hour", "leading")
    rows = rows.with_columns(turn=rank).sort("turn", -pl.col("sure"), maintain_order=True)
    rows = rows.with_columns(turn=pl.int_range(pl.len()).over("leading"))
    return rows.sort("turn", "leading", maintain_order=True)[:most].sort("onset_s").select(table.columns)


def _drawing(recording: Recording, onset_s: float) -> traces.Drawing:
    first = round((onset_s - BEFORE_S) * SFREQ_HZ)
    return traces.draw(recording.eeg(first, first + EEG_SAMPLES))
