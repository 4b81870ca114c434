"""Make the folder of a corpus from recordings and their labels.

It is written under a hidden name next to its own and renamed when it is complete, so that an interrupted run leaves
nothing that could be taken for a corpus; the next run begins anew. `collected.json` says what it was made from.
"""

import hashlib
import json
import os
from collections.abc import Mapping
from itertools import combinations
from pathlib import Path
from typing import Any, Literal, NamedTuple

import polars as pl

from hms.collected.annotated import annotated
from hms.collected.labels import read_labels
from hms.collected.names import with_paths
from hms.collected.places import added_up, beyond_end, patient_problems
from hms.collected.writer import Writer
from hms.electrodes import SCALP
from hms.errors import DataError, UserError
from hms.labels import CONSENSUS_NAMES
from hms.recording.absent import want_channels
from hms.recording.found import recording_paths
from hms.recording.mapping import by_name
from hms.recording.recording import Recording, open_recording
from hms.system.atomic import locked, scratch_folder
from hms.system.console import counted, say, track
from hms.system.reading import read_json

FORMAT = 1
"""Raise it whenever the same recordings and labels would give different bytes."""

_ABOUT = "collected.json"

_LOOKED_AT = 2**20
"""Bytes at the beginning of a recording by which another one of its name and size is told from it."""

_PAIRS = [*combinations(SCALP, 2)]
"""Any model may read the corpus, so the difference of any two electrodes must be known."""


class HowToRead(NamedTuple):
    """How recordings are read, and what is done about one that cannot be."""

    unit: str | None
    """Of their values, if their files state none or a wrong one."""
    channels: Mapping[str, str] | None
    """Electrodes of channels whose names do not say."""
    on_bad: Literal["raise", "skip"]

    def open(self, path: str) -> Recording:
        """The recording at a path. Raises DataError if it cannot be used."""
        try:
            return open_recording(Path(path), _PAIRS, self.unit, self.channels)
        except OSError as error:
            raise DataError(f"{path}: {error}") from None

    def left_out(self, bad: Mapping[str, str], recordings: int) -> None:
        """Say which of the `recordings` are `bad`, by path. Raises DataError for them unless they are to be skipped."""
        head = f"{len(bad)} of {counted(recordings, 'recording')} cannot be used"
        if bad and len(bad) == recordings:
            raise DataError("\n  ".join([f"{head}:", *bad.values()]))
        if bad and self.on_bad == "raise":
            raise DataError("\n  ".join([f"{head}; on_bad=skip leaves them out:", *bad.values()]))
        if bad:
            say("\n  ".join([f"{head}; left out:", *bad.values()]))


def collect(recording: str | list[str], labels: Path | None, out: Path, reading: HowToRead) -> None:
    """Make the corpus `out` of the recordings that words stand for and of a table of labels, unless it is there.

    Without a table, the labels are the recordings' own annotations. Raises DataError with a line for every mistake in
    the labels, or for every recording that cannot be used, and UserError for a folder that holds anything else.
    """
    out.parent.mkdir(parents=True, exist_ok=True)
    with locked(out, f"another process is collecting {out}: waiting for it"):
        paths = recording_paths(recording)
        if gone := [str(path) for path in paths if not path.exists()]:
            raise UserError(f"recording: no such file or folder: {', '.join(gone)}")
        placed, bad = (_placed(labels, paths), {}) if labels else _annotated(paths, reading)
        made_from = _made_from(labels, placed, reading)
        if _is_there(out, made_from):
            return
        bad |= _checked(labels, placed, reading) if labels else {}
        with scratch_folder(out) as scratch:
            _write(scratch, placed, reading, bad)
            (scratch / _ABOUT).write_text(json.dumps(made_from, indent=1))
            os.replace(scratch, out)


def _placed(path: Path, recordings: list[Path]) -> pl.DataFrame:
    """The labels in the table at `path`, with the `path` of each one's recording. Raises DataError for any mistake."""
    labels, problems = read_labels(path)
    placed, unknown = with_paths(labels, recordings, of_all=True)
    problems += [f"{path}: {problem}" for problem in (*unknown, *patient_problems(placed))]
    if problems:
        raise DataError("\n".join(problems))
    if placed["patient_id"].is_null().all():
        say(f"{path}: has no patient_id, so each recording counts as a patient of its own")
    return placed


def _annotated(paths: list[Path], reading: HowToRead) -> tuple[pl.DataFrame, dict[str, str]]:
    """The labels that annotations of the recordings are, and what is wrong with those that cannot be used, by path.

    Raises DataError if there are none, and for such recordings unless they are to be skipped.
    """
    want_channels(paths, reading.channels)
    tables: list[pl.DataFrame] = []
    bad: dict[str, str] = {}
    for path in track(paths, len(paths), "read annotations"):
        try:
            tables.append(annotated(reading.open(str(path))))
        except DataError as error:
            bad[str(path)] = str(error)
    reading.left_out(bad, len(paths))
    if (placed := pl.concat(tables)).is_empty():
        names = ", ".join(CONSENSUS_NAMES)
        none = f"got none in {counted(len(tables), 'recording')}"
        raise DataError(f"labels: want a table, or annotations that are called {names} and last 5 s or more, {none}")
    say("labels are the recordings' own annotations, and each recording counts as a patient of its own")
    return placed, bad


def _made_from(labels: Path | None, placed: pl.DataFrame, reading: HowToRead) -> dict[str, Any]:
    """What determines the bytes of a corpus: hashes of the table, and of the recordings' names and sizes, and keys."""
    paths = [Path(path) for path in placed["path"].unique()]
    table = labels.read_bytes() if labels else added_up(placed).drop("path").write_csv().encode()
    hashes = {"labels": table, "recordings": repr(sorted(map(_look, paths))).encode()}
    return {
        "format": FORMAT,
        **{name: hashlib.blake2b(content, digest_size=8).hexdigest() for name, content in hashes.items()},
        "unit": reading.unit,
        "channels": by_name(reading.channels),
    }


def _look(path: Path) -> tuple[str, int, str]:
    """The name, the size and a hash of the beginning of a recording, which tell it from others without reading it."""
    if not path.is_file():  # a folder, or what is missing
        return path.name, 0, ""
    with path.open("rb") as file:
        return path.name, path.stat().st_size, hashlib.blake2b(file.read(_LOOKED_AT), digest_size=8).hexdigest()


def _is_there(out: Path, made_from: dict[str, Any]) -> bool:
    """Whether the corpus is there. Raises UserError if the folder holds anything else."""
    if (out / _ABOUT).is_file():
        held = read_json(out / _ABOUT, *made_from)
        if not (other := [key for key, value in made_from.items() if held[key] != value]):
            return True
        contents = f"a corpus that was collected with other {' and '.join(other)}"
    elif not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return False
    else:
        contents = "what was not collected"
    raise UserError(f"out: want a new folder, got '{out}', which holds {contents}; delete it or choose another")


def _checked(path: Path, placed: pl.DataFrame, reading: HowToRead) -> dict[str, str]:
    """Open every labelled recording; return what is wrong with those that cannot be used, by path.

    Raises DataError for labels outside their recordings, and for such recordings unless they are to be skipped.
    """
    paths = placed["path"].unique(maintain_order=True).to_list()
    want_channels([*map(Path, paths)], reading.channels)
    outside: list[str] = []
    bad: dict[str, str] = {}
    for recording in track(paths, len(paths), "check recordings"):
        try:
            end_s = reading.open(recording).duration_s
        except DataError as error:
            bad[recording] = str(error)
        else:
            outside += [f"{path}: {line}" for line in beyond_end(placed, recording, end_s)]
    try:
        reading.left_out(bad, len(paths))
    except DataError as error:
        outside.append(str(error))
    if outside:
        raise DataError("\n".join(outside))
    return bad


def _write(folder: Path, placed: pl.DataFrame, reading: HowToRead, bad: Mapping[str, str]) -> None:
    """Write the files of a corpus of all recordings but the `bad` ones."""
    labels = added_up(placed)
    writer = Writer(folder)
    broken: dict[str, str] = {}
    good = [group for group in labels.partition_by("path", maintain_order=True) if group["path"][0] not in bad]
    for group in track(good, len(good), "collect"):
        try:
            recording = reading.open(group["path"][0])
            lost = writer.add(recording, group)
        except DataError as error:  # the file ends before its header says so
            broken[group["path"][0]] = str(error)
            continue
        said = f"{counted(lost, 'label')} left out, where nothing is predicted either." if lost else ""
        if notes := [*filter(None, (said, *recording.notes))]:
            say("\n  ".join([f"{recording.path}:", *notes]))
    reading.left_out(broken, len(good))
    if not writer.rows:
        raise DataError("labels: want some where something was recorded, got none")
    writer.finish()
