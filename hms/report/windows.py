"""The windows that the page draws: everything about one, ready for its template."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import polars as pl

from hms.batch import Batch
from hms.console import track
from hms.labels import CLASSES, VOTE_COLUMNS
from hms.report import head, regions, traces
from hms.report.looks import Look, Looks, looks_of
from hms.report.subject import Subject, model_of
from hms.windows import Windows


class Bar(NamedTuple):
    """A class: what the experts said, what the model said, and what is true where that is known."""

    name: str
    votes: int
    voted: float
    predicted: float
    true: float | None


class Seen(NamedTuple):
    """What was recorded in a window, drawn, and where the model looked."""

    drawing: traces.Drawing
    spectrogram: dict[str, str]
    """A picture per region."""
    stretches: list[float]
    """How much each 2 s counted, from 0 to 1, the most of the window."""
    heads: list[tuple[Look, list[head.Line]]]
    images: list[Look]


class View(NamedTuple):
    """A window of the page."""

    row: dict[str, Any]
    """Its scored row of predictions, with `offset_s`, the second of the recording at which it begins (if known)."""
    bars: list[Bar]
    seen: Seen | None


def views(subject: Subject, rows: pl.DataFrame, device: str) -> tuple[list[View], regions.Range | None]:
    """Each scored row as a window to show, and the range of the spectrograms; unseen where there is no store."""
    bars = [_bars(row, subject.truth) for row in rows.iter_rows(named=True)]
    if subject.store is None or rows.is_empty():
        return [View(row, bar, None) for row, bar in zip(rows.iter_rows(named=True), bars, strict=True)], None
    offset = pl.col("eeg_label_offset_seconds").alias("offset_s")
    kept = rows.select("label_id").join(subject.store.rows, on="label_id", how="left", maintain_order="left")
    rows = rows.with_columns(kept.select(offset))
    windows = Windows(subject.store, kept, with_spectrogram=True)
    batches = [windows[i] for i in range(len(windows))]
    db = regions.decibels(np.concatenate([one.spectrogram for one in batches if one.spectrogram is not None]))
    within = regions.common_range(db)
    pictures = [regions.pictures(one, within) for one in db]
    looks = list(_looks(subject, rows["folder"].to_list(), batches, device))
    seen = [_seen(*one) for one in zip(batches, pictures, looks, strict=True)]
    return [View(*one) for one in zip(rows.iter_rows(named=True), bars, seen, strict=True)], within


def _bars(row: dict[str, Any], truth: pl.DataFrame | None) -> list[Bar]:
    known = None if truth is None else truth.row(by_predicate=pl.col("label_id") == row["label_id"], named=True)
    total = sum(row[name] for name in VOTE_COLUMNS)
    return [
        Bar(name, row[votes], row[votes] / total, row[name], None if known is None else known[name])
        for name, votes in zip(CLASSES, VOTE_COLUMNS, strict=True)
    ]


def _looks(subject: Subject, folders: list[str | None], batches: list[Batch], device: str) -> Iterator[Looks | None]:
    """Of each window by the model of its fold, the first of several seeds; none for an ensemble."""
    models = {name: model_of(subject, name).to(device) for name in {*folders} if name is not None}
    for folder, batch in track(zip(folders, batches, strict=True), len(batches), "look"):
        if folder is None:
            yield None
            continue
        here = batch._replace(
            eeg=batch.eeg.to(device), spectrogram=None if batch.spectrogram is None else batch.spectrogram.to(device)
        )
        yield looks_of(models[folder], here if models[folder].reads_spectrogram else here._replace(spectrogram=None))


def _seen(batch: Batch, pictures: dict[str, str], looks: Looks | None) -> Seen:
    drawing = traces.draw(batch.eeg[0].numpy())
    if looks is None:
        return Seen(drawing, pictures, [], [], [])
    top = max(looks.stretches) or 1.0
    return Seen(
        drawing=drawing,
        spectrogram=pictures,
        stretches=[moved / top for moved in looks.stretches],
        heads=[(look, head.lines(look.weights)) for look in looks.looks if look.kind == "pair"],
        images=[look for look in looks.looks if look.kind == "region"],
    )
