"""What a ward looks at first: one page and one table of all timelines in a folder, those with most seizure on top.

Both are made anew from the timelines' JSON files, so that they also hold what earlier commands and other shards wrote,
and what is deleted is gone from them. Of several timelines of one recording, they hold the newest.
"""

import json
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from operator import itemgetter
from os.path import abspath
from pathlib import Path
from typing import Any
from urllib.parse import quote

import polars as pl

from hms.errors import UserError
from hms.labels import CLASSES
from hms.page.document import document
from hms.system.atomic import locked, write_text
from hms.timeline.files import FAILED
from hms.timeline.notes import of_models
from hms.timeline.status import Status, reasons

PAGE, TABLE = "index.html", "recordings.csv"

STEMS = (Path(PAGE).stem, Path(TABLE).stem)
"""What no timeline in the folder may be called."""

_SETTINGS: dict[str, Callable[[dict[str, Any]], str]] = {
    "threshold": lambda one: f"{one['threshold']:g}",
    "predicted by": lambda one: one["origin"]["predicted_by"],
}
"""What a reader should know of how a timeline was made; where timelines differ in it, each says its own."""

_OURS = {PAGE: "hms overview</title>", TABLE: "recording,page,start,"}
"""What a file of that name holds that was written here."""


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
        found = sorted(_found(folder), key=itemgetter("written_s"))
        newest = {abspath(one["file"]): one for one in found if "burden" in one}  # it may have had another name before
        made = sorted(newest.values(), key=_most_seizure_first)
        failed = [one for one in found if "failed" in one and not _has_since_succeeded(one, newest)]
        failures = sorted(failed, key=itemgetter("name"))
        write_text(page, _page(made, failures))
        write_text(folder / TABLE, _table(made, failures).write_csv())


def _has_since_succeeded(failure: dict[str, Any], newest: dict[str, dict[str, Any]]) -> bool:
    """Whether there is a later timeline of a recording that failed, under another name."""
    made = newest.get(abspath(failure["file"]))
    return made is not None and made["name"] != failure["name"] and made["written_s"] > failure["written_s"]


def _found(folder: Path) -> Iterator[dict[str, Any]]:
    """What the JSON files of timelines and of failures hold, with the `name` and the address of the page of each."""
    for place, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not name.endswith(".tmp")]
        pages = [file.removesuffix(".html") for file in files if file.endswith(".html")]
        failed = [file.removesuffix(FAILED) for file in files if file.endswith(FAILED)]
        for stem, suffix in [*((page, ".json") for page in pages), *((one, FAILED) for one in failed)]:
            held, name = _held(Path(place) / f"{stem}{suffix}"), (Path(place).relative_to(folder) / stem).as_posix()
            with suppress(KeyError, TypeError):  # if it is no timeline's
                of_seizures = {} if "failed" in held else _of_seizures(held)
                yield held | of_seizures | {"name": name, "page": quote(f"{name}.html")}


def _held(path: Path) -> dict[str, Any]:
    """What a JSON file holds; nothing if there is none, or a damaged one, or no timeline's."""
    try:
        held, written_s = json.loads(path.read_text(encoding="utf-8")), path.stat().st_mtime
    except (OSError, ValueError):
        return {}
    return held | {"written_s": written_s} if isinstance(held, dict) and "file" in held else {}


def _most_seizure_first(one: dict[str, Any]) -> tuple[float, str]:
    share = one["burden"]["seizure"]["share"]
    return (1.0 if share is None else -share), one["name"]


def _page(made: list[dict[str, Any]], failures: list[dict[str, Any]]) -> str:
    of_all = set.intersection(*({*one["notes"]} for one in made)) if len(made) > 1 else set()
    on_models = [note for one in made for note in of_models(one["origin"])]  # which may differ from row to row
    common = [*dict.fromkeys([*on_models, *(note for one in made for note in one["notes"] if note in of_all)])]
    failed = {one["name"]: f"When last tried: {one['failed']}" for one in failures}
    again = [[failed.pop(one["name"])] if one["name"] in failed else [] for one in made]
    failures = [one for one in failures if one["name"] in failed]  # the others have an earlier timeline
    settings = {setting: _each(value(one) for one in made) for setting, value in _SETTINGS.items()}
    differ = [setting for setting, values in settings.items() if values[1:]]
    rows = [
        one
        | {
            "own_notes": [*(note for note in one["notes"] if note not in common), *more],
            "own_settings": {setting: _SETTINGS[setting](one) for setting in differ},
        }
        for one, more in zip(made, again, strict=True)
    ]
    return document(
        "hms.timeline", "overview", rows=rows, failures=failures, common=common, settings=settings if made else {}
    )


def _each(values: Iterable[str]) -> list[str]:
    return [*dict.fromkeys(values)]


def _of_seizures(one: dict[str, Any]) -> dict[str, Any]:
    return {
        "seizures": sum(event["label"] == "seizure" for event in one["events"]),
        "longest_seizure_s": round(60 * one["burden"]["seizure"]["longest_minutes"], 1),
        "reasons": reasons([Status(**status) for status in one["status_epilepticus"]]),
    }


def _table(made: list[dict[str, Any]], failures: list[dict[str, Any]]) -> pl.DataFrame:
    """A row for each recording with a timeline, then for each without one; times in s."""
    failed = {one["name"]: one for one in failures}
    rows = [_row(one, failed.pop(one["name"], {})) for one in made]
    rows += [{"recording": name, "failed": one["failed"]} for name, one in failed.items()]
    classes = [f"{name}_{unit}" for name in CLASSES for unit in ("s", "percent")]
    schema = {
        **dict.fromkeys(("recording", "page", "start"), pl.String),
        **dict.fromkeys(("duration_s", "predicted_s", *classes), pl.Float64),
        **dict.fromkeys(("events", "seizure_events"), pl.Int64),
        **dict.fromkeys(("longest_seizure_s", "threshold"), pl.Float64),
        **dict.fromkeys(("status_epilepticus", "predicted_by", "notes", "failed"), pl.String),
    }
    return pl.DataFrame(rows, schema)


def _row(one: dict[str, Any], failure: dict[str, Any]) -> dict[str, Any]:
    row = {
        "recording": one["name"],
        "page": f"{one['name']}.html",
        "start": one["start"] and one["start"].replace("T", " ")[:19],
        "duration_s": one["duration_s"],
        "predicted_s": round(60 * one["minutes_predicted"], 1),
        "events": len(one["events"]),
        "seizure_events": one["seizures"],
        "longest_seizure_s": one["longest_seizure_s"],
        "threshold": one["threshold"],
        "status_epilepticus": one["reasons"] or None,
        "predicted_by": one["origin"]["predicted_by"],
        "notes": " ".join(one["notes"]) or None,
        "failed": failure.get("failed"),
    }
    for name, total in one["burden"].items():
        row[f"{name}_s"] = round(60 * total["minutes"], 1)
        row[f"{name}_percent"] = None if total["share"] is None else round(100 * total["share"], 2)
    return row
