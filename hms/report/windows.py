"""The windows that the page shows: everything about each, ready for the template."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import polars as pl

from hms.batch import Batch, mapped
from hms.data.windows import Windows
from hms.labels import CLASSES, VOTE_COLUMNS
from hms.page import head, regions, traces
from hms.report.attribution import Attribution, Attributions, attributions_of
from hms.report.subject import Subject, model_of
from hms.system.console import track


class Bar(NamedTuple):
    """One class in one window: the experts' votes, the prediction, and the true probability, None if unknown."""

    name: str
    votes: int
    voted: float
    predicted: float
    true: float | None


class Pictures(NamedTuple):
    """The recorded signals of a window, drawn, and what the prediction rests on."""

    eeg: traces.Drawing
    spectrograms: dict[str, str]
    """An image per region, as a data URI."""
    bins: list[float]
    """Attribution of each 2 s by occlusion, relative to the largest of the window; empty for an ensemble."""
    heads: list[tuple[Attribution, list[head.Line]]]
    images: list[Attribution]


class DrawnWindow(NamedTuple):
    """One window of the page."""

    row: dict[str, Any]
    """Its scored row of predictions; if there is a store, with `offset_s`, the start of the window in its EEG."""
    bars: list[Bar]
    pictures: Pictures | None


def drawn_windows(
    subject: Subject, rows: pl.DataFrame, device: str
) -> tuple[list[DrawnWindow], regions.DbRange | None]:
    """Each scored row as the page draws it, and the common range of their spectrograms; no pictures without a store."""
    bars = [_bars(row, subject.truth) for row in rows.iter_rows(named=True)]
    if subject.store is None or rows.is_empty():
        return [DrawnWindow(row, bar, None) for row, bar in zip(rows.iter_rows(named=True), bars, strict=True)], None
    offset = pl.col("eeg_label_offset_seconds").alias("offset_s")
    kept = rows.select("label_id").join(subject.store.rows, on="label_id", how="left", maintain_order="left")
    rows = rows.with_columns(kept.select(offset))
    windows = Windows(subject.store, kept, with_spectrogram=True)
    batches = [windows[i] for i in range(len(windows))]
    db = regions.decibels(np.concatenate([batch.spectrogram for batch in batches if batch.spectrogram is not None]))
    within = regions.common_range(db)
    spectrograms = [regions.pictures(window, within) for window in db]
    attributions = list(_attributions(subject, rows["predicted_by"].to_list(), batches, device))
    pictures = [_pictures(*window) for window in zip(batches, spectrograms, attributions, strict=True)]
    return [DrawnWindow(*parts) for parts in zip(rows.iter_rows(named=True), bars, pictures, strict=True)], within


def _bars(row: dict[str, Any], truth: pl.DataFrame | None) -> list[Bar]:
    known = None if truth is None else truth.row(by_predicate=pl.col("label_id") == row["label_id"], named=True)
    total = sum(row[name] for name in VOTE_COLUMNS)
    return [
        Bar(name, row[votes], row[votes] / total, row[name], None if known is None else known[name])
        for name, votes in zip(CLASSES, VOTE_COLUMNS, strict=True)
    ]


def _attributions(
    subject: Subject, fold_names: list[str | None], batches: list[Batch], device: str
) -> Iterator[Attributions | None]:
    """Attribution of each window by the model of its fold, the first of several seeds; None for an ensemble."""
    models = {name: model_of(subject, name).to(device) for name in {*fold_names} if name is not None}
    for name, batch in track(zip(fold_names, batches, strict=True), len(batches), "attribute"):
        if name is None:
            yield None
            continue
        model, moved = models[name], mapped(batch, lambda values: values.to(device))
        yield attributions_of(model, moved if model.reads_spectrogram else moved._replace(spectrogram=None))


def _pictures(batch: Batch, spectrograms: dict[str, str], attributions: Attributions | None) -> Pictures:
    eeg = traces.draw(batch.eeg[0].numpy())
    if attributions is None:
        return Pictures(eeg, spectrograms, [], [], [])
    top = max(attributions.bins) or 1.0
    return Pictures(
        eeg=eeg,
        spectrograms=spectrograms,
        bins=[moved / top for moved in attributions.bins],
        heads=[(part, head.lines(part.weights)) for part in attributions.parts if part.kind == "pair"],
        images=[part for part in attributions.parts if part.kind == "image"],
    )
