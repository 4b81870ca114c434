"""What the files of a folder tell of its timelines, and of recordings that failed, as the overview lists them."""

import json
import os
from contextlib import suppress
from os.path import abspath
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

from hms.timeline.files import FAILED
from hms.timeline.notes import of_models
from hms.timeline.status import Status, reasons


class ListedTimeline(NamedTuple):
    """A recording with a timeline."""

    name: str
    """That of the timeline's files, from the folder."""
    recording: str
    """Its absolute path."""
    written_s: float
    start: str | None
    duration_s: float
    minutes_predicted: float
    threshold: float
    predicted_by: str
    on_models: list[str]
    """What a user should know about the models."""
    notes: list[str]
    """What a user should know about the recording and its models."""
    burden: dict[str, dict[str, Any]]
    """`minutes` and `share` of each class, as `hms.timeline.files` writes them."""
    events: int
    seizures: int
    longest_seizure_s: float
    status: str
    """Where its seizure events would meet the criterion of status epilepticus; empty if nowhere."""
    failed: str | None = None
    """Why it failed when it was last tried, after which this timeline was kept."""

    @property
    def page(self) -> str:
        """The address of its page."""
        return quote(f"{self.name}.html")


class FailedRecording(NamedTuple):
    """A recording that could not be predicted when it was last tried."""

    name: str
    recording: str
    written_s: float
    reason: str


def entries_and_failures(folder: Path) -> tuple[list[ListedTimeline], list[FailedRecording]]:
    """The timelines and the failures in a folder and those below it, without files that are not of hms."""
    entries, failures = [], []
    for place, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not name.endswith(".tmp")]
        for file in files:
            path = Path(place) / file
            with suppress(OSError, ValueError, KeyError, TypeError):  # none, damaged, or somebody else's
                if file.endswith(".html"):
                    entries.append(_entry(folder, path.with_suffix(".json")))
                elif file.endswith(FAILED):
                    failures.append(_failure(folder, path))
    return entries, failures


def _entry(folder: Path, path: Path) -> ListedTimeline:
    """What a timeline's JSON file tells."""
    held = json.loads(path.read_text(encoding="utf-8"))
    return ListedTimeline(
        name=_name(folder, path),
        recording=abspath(held["file"]),
        written_s=path.stat().st_mtime,
        start=held["start"],
        duration_s=held["duration_s"],
        minutes_predicted=held["minutes_predicted"],
        threshold=held["threshold"],
        predicted_by=held["origin"]["predicted_by"],
        on_models=[*of_models(held["origin"])],
        notes=held["notes"],
        burden=held["burden"],
        events=len(held["events"]),
        seizures=sum(event["label"] == "seizure" for event in held["events"]),
        longest_seizure_s=round(60 * held["burden"]["seizure"]["longest_minutes"], 1),
        status=reasons([Status(**status) for status in held["status_epilepticus"]]),
    )


def _failure(folder: Path, path: Path) -> FailedRecording:
    held = json.loads(path.read_text(encoding="utf-8"))
    return FailedRecording(_name(folder, path), abspath(held["file"]), path.stat().st_mtime, held["failed"])


def _name(folder: Path, path: Path) -> str:
    return path.relative_to(folder).with_suffix("").as_posix()
