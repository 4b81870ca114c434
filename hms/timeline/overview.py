"""What a ward looks at first: one page and one table of all timelines in a folder, those with most seizure on top.

Both are made anew from the timelines' JSON files, so that they also hold what earlier commands and other shards wrote,
and what is deleted is gone from them. Of several timelines of one recording, they hold the newest.
"""

from collections.abc import Callable, Iterable
from operator import attrgetter
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl

from hms.errors import UserError
from hms.labels import CLASSES
from hms.page.document import document
from hms.system.atomic import locked, write_table, write_text
from hms.timeline.entries import FailedRecording, ListedTimeline, entries_and_failures

PAGE, TABLE = "index.html", "recordings.csv"

STEMS = (Path(PAGE).stem, Path(TABLE).stem)
"""What no timeline in the folder may be called."""


class _Row(NamedTuple):
    """An entry with what is true of it, but not of all."""

    entry: ListedTimeline
    notes: list[str]
    settings: dict[str, str]


_SETTINGS: dict[str, Callable[[ListedTimeline], str]] = {
    "threshold": lambda entry: f"{entry.threshold:g}",
    "predicted by": attrgetter("predicted_by"),
}
"""What a reader should know of how a timeline was made; where timelines differ in it, each says its own."""

_OURS = {PAGE: "hms overview</title>", TABLE: "recording,page,start,"}
"""A text by which a file of that name is recognised as one of ours."""


def want_own(folder: Path) -> None:
    """Raise UserError if the folder holds a file of somebody else's that an overview would replace."""
    for name, mark in _OURS.items():
        if (path := folder / name).exists() and mark not in path.read_text(encoding="utf-8", errors="replace"):
            wish = f"want a folder without a {name} from elsewhere, which an overview would replace"
            raise UserError(f"out: {wish}, got '{folder}'")


def write_overview(folder: Path) -> None:
    """Write the page and the table of all timelines in a folder and those below it."""
    page = folder / PAGE
    with locked(page, f"writing {page}"):  # the last one sees the timelines of all
        timelines, failures = entries_and_failures(folder)
        timelines.sort(key=attrgetter("written_s"))
        newest = {entry.recording: entry for entry in timelines}  # it may have had another name before
        left = [failure for failure in failures if not _has_since_succeeded(failure, newest)]
        again = {failure.name: failure.reason for failure in left}
        made = sorted(newest.values(), key=_most_seizure_first)
        entries = [entry._replace(failed=again.get(entry.name)) for entry in made]
        without = {*again} - {entry.name for entry in entries}  # the others have an earlier timeline
        failures = sorted((failure for failure in left if failure.name in without), key=attrgetter("name"))
        write_text(page, _page(entries, failures))
        write_table(folder / TABLE, _table(entries, failures))


def _has_since_succeeded(failure: FailedRecording, newest: dict[str, ListedTimeline]) -> bool:
    """Whether there is a later timeline of a recording that failed, under another name."""
    entry = newest.get(failure.recording)
    return entry is not None and entry.name != failure.name and entry.written_s > failure.written_s


def _most_seizure_first(entry: ListedTimeline) -> tuple[float, str]:
    share = entry.burden["seizure"]["share"]
    return (1.0 if share is None else -share), entry.name


def _page(entries: list[ListedTimeline], failures: list[FailedRecording]) -> str:
    of_all = set.intersection(*({*entry.notes} for entry in entries)) if len(entries) > 1 else set()
    on_models = [note for entry in entries for note in entry.on_models]  # which may differ from row to row
    common = _each([*on_models, *(note for entry in entries for note in entry.notes if note in of_all)])
    settings = {setting: _each(value(entry) for entry in entries) for setting, value in _SETTINGS.items()}
    differ = [setting for setting, values in settings.items() if values[1:]]
    rows = [
        _Row(entry, _own_notes(entry, common), {setting: _SETTINGS[setting](entry) for setting in differ})
        for entry in entries
    ]
    return document(
        "hms.timeline", "overview", rows=rows, failures=failures, common=common, settings=settings if entries else {}
    )


def _own_notes(entry: ListedTimeline, common: list[str]) -> list[str]:
    again = [] if entry.failed is None else [f"When last tried: {entry.failed}"]
    return [*(note for note in entry.notes if note not in common), *again]


def _each(values: Iterable[str]) -> list[str]:
    return [*dict.fromkeys(values)]


def _table(entries: list[ListedTimeline], failures: list[FailedRecording]) -> pl.DataFrame:
    """A row for each recording with a timeline, then for each without one; times in s."""
    rows = [_row(entry) for entry in entries]
    rows += [{"recording": failure.name, "failed": failure.reason} for failure in failures]
    classes = [f"{name}_{unit}" for name in CLASSES for unit in ("s", "percent")]
    schema = {
        **dict.fromkeys(("recording", "page", "start"), pl.String),
        **dict.fromkeys(("duration_s", "predicted_s", *classes), pl.Float64),
        **dict.fromkeys(("events", "seizure_events"), pl.Int64),
        **dict.fromkeys(("longest_seizure_s", "threshold"), pl.Float64),
        **dict.fromkeys(("status_epilepticus", "predicted_by", "notes", "failed"), pl.String),
    }
    return pl.DataFrame(rows, schema)


def _row(entry: ListedTimeline) -> dict[str, Any]:
    row = {
        "recording": entry.name,
        "page": f"{entry.name}.html",
        "start": entry.start and entry.start.replace("T", " ")[:19],
        "duration_s": entry.duration_s,
        "predicted_s": round(60 * entry.minutes_predicted, 1),
        "events": entry.events,
        "seizure_events": entry.seizures,
        "longest_seizure_s": entry.longest_seizure_s,
        "threshold": entry.threshold,
        "status_epilepticus": entry.status or None,
        "predicted_by": entry.predicted_by,
        "notes": " ".join(entry.notes) or None,
        "failed": entry.failed,
    }
    for name, total in entry.burden.items():
        row[f"{name}_s"] = round(60 * total["minutes"], 1)
        row[f"{name}_percent"] = None if total["share"] is None else round(100 * total["share"], 2)
    return row
