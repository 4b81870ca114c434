"""Write a timeline as files, each atomically: tables, annotations that MNE-Python loads, a summary, and the page."""

import json
from contextlib import suppress
from datetime import timedelta
from os.path import abspath
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from hms.labels import CLASSES
from hms.system.atomic import locked, scratch_folder, write_text
from hms.timeline.annotations import write_edf, write_fif
from hms.timeline.events import Total, burden, events, totals
from hms.timeline.status import status_epilepticus
from hms.timeline.timeline import Timeline

SUFFIXES = (".parquet", ".csv", ".json", ".html", "-annot.fif", "-annot.edf")
"""What a timeline's files append to their stem."""

FAILED = ".failed"
"""What the file appends that says why there is no timeline; no other file of a timeline ends with it."""


def write_timeline(folder: Path, stem: str, timeline: Timeline, page: str, edf: bool) -> None:
    """Write `<stem>.parquet`, `.csv`, `.json`, `.html` and `-annot.fif` into `folder`, with `edf` also `-annot.edf`.

    The JSON holds what does not fit in a table: file, start (without an offset: local time, or UTC if a FIF file has
    none), rate, interpolated electrodes, notes, what made it, how much was predicted, events, and burden. The Parquet
    file's metadata hold what made it, too; the CSV file has the time of day. Removes what `write_failure` wrote.
    """
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / stem
    with locked(target, f"writing {target}.html"), scratch_folder(target) as scratch:
        timeline.table.write_parquet(scratch / f"{stem}.parquet", metadata={"origin": json.dumps(timeline.origin)})
        _with_clock(timeline).write_csv(scratch / f"{stem}.csv", float_precision=6)
        (scratch / f"{stem}.json").write_text(json.dumps(_summary(timeline), indent=1))
        write_fif(scratch / f"{stem}-annot.fif", timeline)
        if edf:
            write_edf(scratch / f"{stem}-annot.edf", timeline)
        (scratch / f"{stem}.html").write_text(page, encoding="utf-8")
        for suffix in SUFFIXES:
            if (written := scratch / f"{stem}{suffix}").exists():
                written.replace(folder / written.name)
        (folder / f"{stem}{FAILED}").unlink(missing_ok=True)


def recording_of(folder: Path, stem: str) -> Path | None:
    """The recording that has this name in a folder, with a timeline or without; None if there is none."""
    for suffix in (".json", FAILED):
        with suppress(OSError, ValueError, KeyError, TypeError):  # if it is no file of ours
            return Path(json.loads((folder / f"{stem}{suffix}").read_text(encoding="utf-8"))["file"])
    return None


def write_failure(folder: Path, stem: str, path: Path, reason: str) -> None:
    """Write `<stem>.failed`, in JSON, which says why the recording at `path` has no timeline."""
    folder.mkdir(parents=True, exist_ok=True)
    write_text(folder / f"{stem}{FAILED}", json.dumps({"file": abspath(path), "failed": reason}, indent=1))


def _with_clock(timeline: Timeline) -> pl.DataFrame:
    """The table with the `time` at which each window's central 10 s begin, if the start is known."""
    if timeline.start is None:
        return timeline.table
    times = [f"{timeline.start + timedelta(seconds=s):%Y-%m-%d %H:%M:%S}" for s in timeline.table["onset_s"]]
    return timeline.table.select("onset_s", "duration_s", pl.Series("time", times), *CLASSES)


def _summary(timeline: Timeline) -> dict[str, Any]:
    minutes, predicted = burden(timeline), timeline.predicted_minutes
    return {
        "file": abspath(timeline.path),
        "start": None if timeline.start is None else timeline.start.replace(tzinfo=None).isoformat(),
        "duration_s": timeline.duration_s,
        "sfreq_hz": timeline.sfreq_hz,
        "interpolated": list(timeline.interpolated),
        "notes": timeline.notes,
        "origin": timeline.origin,
        "threshold": timeline.threshold,
        "windows": len(timeline.table),
        "minutes_predicted": round(float(predicted.sum()), 3),
        "minutes_predicted_of_each_hour": predicted.round(3).tolist(),
        "burden": {name: _total(total) for name, total in totals(timeline).items()},
        "status_epilepticus": [status._asdict() for status in status_epilepticus(timeline)],
        "minutes_of_each_hour": {
            name: column.round(3).tolist() for name, column in zip(CLASSES, minutes.T, strict=True)
        },
        "events": events(timeline).with_columns(pl.col(pl.Float64).round(6)).to_dicts(),
    }


def _total(total: Total) -> dict[str, float | None]:
    """How much of the recording a class takes; the share is null if nothing was predicted."""
    return {
        "minutes": round(total.minutes, 3),
        "share": None if np.isnan(total.share) else round(total.share, 4),
        "longest_minutes": round(total.longest_s / 60, 3),
        "most_minutes_of_60": round(total.busiest_s / 60, 3),
    }
