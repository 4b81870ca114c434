"""Make the folder of a corpus from recordings and their labels.

It is written under a hidden name next to its own and renamed when it is complete, so that an interrupted run leaves
nothing that could be taken for a corpus; the next run begins anew. `collected.json` says what it was made from.
"""

import os
from collections.abc import Mapping
from pathlib import Path

import polars as pl

from hms.collected.cut import why_left_out
from hms.collected.labelled import of_annotations, of_table
from hms.collected.made_from import is_there, made_from, write_about
from hms.collected.own_terms import Terms
from hms.collected.patients import with_patients
from hms.collected.usable import OnBad, open_for_any_model, want_usable
from hms.collected.votes import added_up, beyond_end
from hms.collected.writer import Writer
from hms.errors import DataError, UserError, with_lines
from hms.recording.options import ReadingOptions
from hms.recording.paths import recording_paths
from hms.recording.recording import want_channels
from hms.system.atomic import locked, scratch_folder
from hms.system.console import say, track


def collect(
    recording: str | list[str],
    labels: Path | None,
    patients: Path | None,
    out: Path,
    reading: ReadingOptions,
    terms: Terms,
    on_bad: OnBad,
) -> None:
    """Make the corpus `out` of the recordings that words stand for and of a table of labels, unless it is there.

    Without a table, the labels are the recordings' own annotations; `terms` says which texts stand for a class, and a
    table of `patients` whose the recordings are. Raises DataError with a line for every mistake in a table, or for
    every recording that cannot be used, and UserError for a folder that holds anything else.
    """
    out.parent.mkdir(parents=True, exist_ok=True)
    with locked(out, f"collecting {out}"):
        paths = recording_paths(recording)
        if gone := [str(path) for path in paths if not path.exists()]:
            raise UserError(f"recording: no such file or folder: {', '.join(gone)}")
        labelled = of_table(labels, paths, terms) if labels else of_annotations(paths, reading, terms, on_bad)
        placed = with_patients(labelled.placed, patients, paths)
        made = made_from(labels, placed, reading, terms)
        if not is_there(out, made, on_bad):
            bad = labelled.bad | (_checked(labels, placed, reading, on_bad) if labels else {})
            with scratch_folder(out) as scratch:
                bad |= _write(scratch, placed, bad, reading, on_bad)
                write_about(scratch, made, placed, bad)
                os.replace(scratch, out)
    if labelled.hint:
        say(labelled.hint)


def _checked(path: Path, placed: pl.DataFrame, reading: ReadingOptions, on_bad: OnBad) -> dict[str, str]:
    """Open every labelled recording; return what is wrong with those that cannot be used, by path.

    Raises DataError for labels outside their recordings, and for such recordings unless they are to be skipped.
    """
    paths = placed["path"].unique(maintain_order=True).to_list()
    want_channels([*map(Path, paths)], reading.leads)
    outside: list[str] = []
    bad: dict[str, str] = {}
    for recording in track(paths, len(paths), "check recordings"):
        try:
            end_s = open_for_any_model(recording, reading).duration_s
        except DataError as error:
            bad[recording] = str(error)
        else:
            outside += [f"{path}: {line}" for line in beyond_end(placed, recording, end_s)]
    try:
        want_usable(bad, len(paths), on_bad)
    except DataError as error:
        outside.append(str(error))
    if outside:
        raise DataError("\n".join(outside))
    return bad


def _write(
    folder: Path, placed: pl.DataFrame, bad: Mapping[str, str], reading: ReadingOptions, on_bad: OnBad
) -> dict[str, str]:
    """Write the files of a corpus of all recordings but the `bad` ones; return what is wrong with others, by path."""
    labels = added_up(placed)
    writer = Writer(folder)
    broken: dict[str, str] = {}
    good = [group for group in labels.partition_by("path", maintain_order=True) if group["path"][0] not in bad]
    for group in track(good, len(good), "collect"):
        try:
            recording = open_for_any_model(group["path"][0], reading)
            lost_s = writer.add(recording, group)
        except DataError as error:  # the file ends before its header says so
            broken[group["path"][0]] = str(error)
            continue
        if notes := [*filter(None, (why_left_out(recording, lost_s), *recording.notes_so_far()))]:
            say(with_lines(f"{recording.path}:", notes))
    want_usable(broken, len(good), on_bad)
    if not writer.rows:
        raise DataError("labels: want some where something was recorded, got none")
    writer.finish()
    return broken
