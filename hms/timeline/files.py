"""Write a timeline as files, each atomically: tables, annotations that MNE-Python loads, a summary, and the page."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from hms.atomic import locked, scratch_folder
from hms.labels import CLASSES
from hms.timeline.events import Total, burden, events, status_epilepticus, totals
from hms.timeline.timeline import Timeline, edges_s, predicted_minutes

SUFFIXES = (".parquet", ".csv", ".json", ".html", "-annot.fif", "-annot.edf")
"""What a timeline's files append to their stem."""


def write_timeline(folder: Path, stem: str, timeline: Timeline, page: str, edf: bool) -> None:
    """Write `<stem>.parquet`, `.csv`, `.json`, `.html` and `-annot.fif` into `folder`, with `edf` also `-annot.edf`.

    The JSON holds what does not fit in a table: file, start, rate, interpolated electrodes, notes, threshold, how much
    was predicted, and burden.
    """
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / stem
    with locked(target, f"another process is writing {target}.html: waiting for it"), scratch_folder(target) as scratch:
        timeline.table.write_parquet(scratch / f"{stem}.parquet")
        timeline.table.write_csv(scratch / f"{stem}.csv", float_precision=6)
        (scratch / f"{stem}.json").write_text(json.dumps(_summary(timeline), indent=1))
        _annotations(timeline).save(scratch / f"{stem}-annot.fif")
        if edf:
            _write_edf(scratch / f"{stem}-annot.edf", timeline)
        (scratch / f"{stem}.html").write_text(page, encoding="utf-8")
        for suffix in SUFFIXES:
            if (written := scratch / f"{stem}{suffix}").exists():
                written.replace(folder / written.name)


def _summary(timeline: Timeline) -> dict[str, Any]:
    minutes, predicted = burden(timeline), predicted_minutes(timeline)
    return {
        "file": str(timeline.path),
        "start": None if timeline.start is None else timeline.start.isoformat(),
        "duration_s": timeline.duration_s,
        "sfreq_hz": timeline.sfreq_hz,
        "interpolated": list(timeline.interpolated),
        "notes": timeline.notes,
        "threshold": timeline.threshold,
        "windows": len(timeline.table),
        "minutes_predicted": round(float(predicted.sum()), 3),
        "minutes_predicted_of_each_hour": predicted.round(3).tolist(),
        "burden": {name: _total(total) for name, total in totals(timeline).items()},
        "status_epilepticus": [one._asdict() for one in status_epilepticus(timeline)],
        "minutes_of_each_hour": {
            name: column.round(3).tolist() for name, column in zip(CLASSES, minutes.T, strict=True)
        },
    }


def _total(total: Total) -> dict[str, float | None]:
    """How much of the recording a class takes; the share is null if nothing was predicted."""
    return {
        "minutes": round(total.minutes, 3),
        "share": None if np.isnan(total.share) else round(total.share, 4),
        "longest_minutes": round(total.longest_s / 60, 3),
        "most_minutes_of_60": round(total.busiest_s / 60, 3),
    }


def _annotations(timeline: Timeline) -> Any:
    """The events; onsets are in seconds from the first sample, whatever start time the file gives."""
    import mne  # slow to import

    found = events(timeline)
    return mne.Annotations(found["onset_s"].to_numpy(), found["duration_s"].to_numpy(), found["label"].to_list())


def _write_edf(path: Path, timeline: Timeline) -> None:
    """Write an EDF+ for any viewer: the probabilities of the nearest window as six signals at 1 Hz, and the events."""
    import mne

    seconds = np.arange(int(np.ceil(timeline.duration_s)))
    row = np.searchsorted(edges_s(timeline)[:-1], seconds, side="right") - 1
    share = timeline.table.select(pl.col(CLASSES).fill_null(0.0)).to_numpy()[row].T
    raw = mne.io.RawArray(share, mne.create_info([*CLASSES], 1.0, "misc"), verbose="error")
    if timeline.start is not None and 1985 <= timeline.start.year <= 2084:  # the years that EDF can express
        raw.set_meas_date(timeline.start)
    raw.set_annotations(_annotations(timeline))
    mne.export.export_raw(path, raw, fmt="edf", physical_range=(0.0, 1.0), verbose="error")
