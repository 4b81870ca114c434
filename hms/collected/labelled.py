"""The labels of recordings, each with its recording's path: those in a table, or the recordings' own annotations."""

from collections import Counter
from pathlib import Path
from typing import NamedTuple

import polars as pl

from hms.collected.annotated import annotated
from hms.collected.covered import TOO_LITTLE
from hms.collected.label_table import read_label_table
from hms.collected.names import with_paths
from hms.collected.near_misses import hint, near_misses
from hms.collected.own_terms import Terms
from hms.collected.usable import OnBad, open_for_any_model, want_usable
from hms.collected.votes import patient_problems
from hms.errors import DataError, UserError
from hms.labels import CONSENSUS_NAMES
from hms.recording.options import ReadingOptions
from hms.recording.recording import want_channels
from hms.system.console import and_more, counted, say, track


class Labelled(NamedTuple):
    """Labels, and what could not be used on the way."""

    placed: pl.DataFrame
    """Rows as `read_label_table` returns them, with the `path` of each one's recording."""
    bad: dict[str, str]
    """What is wrong with recordings that were found to be of no use, by path."""
    hint: str
    """What is said about annotations that nearly are labels, or rows that are too short; empty if there are none."""


def of_table(table: Path, paths: list[Path], terms: Terms) -> Labelled:
    """The labels in a table, without opening a recording. Raises DataError for any mistake."""
    labels, problems = read_label_table(table, terms)
    placed, unknown = with_paths(labels, paths, of_all=True)
    problems += [f"{table}: {problem}" for problem in (*unknown, *patient_problems(placed))]
    if problems:
        raise DataError("\n".join(problems))
    short = placed.filter(pl.col("time_s").is_null())
    if short.is_empty():
        return Labelled(placed, {}, "")
    ignored = f"{table}: line {short['line'][0]} ignored, which {TOO_LITTLE}{and_more(len(short) - 1, 'row')}"
    if len(short) == len(placed):
        raise DataError(f"{ignored}; want at least one row that does not")
    return Labelled(placed.drop_nulls("time_s"), {}, ignored)


def of_annotations(paths: list[Path], reading: ReadingOptions, terms: Terms, on_bad: OnBad) -> Labelled:
    """The labels that annotations of the recordings are.

    Raises DataError if there are none, and for recordings that cannot be used unless they are to be skipped, and
    UserError for a text in `terms` that no annotation has.
    """
    want_channels(paths, reading.leads)
    tables: list[pl.DataFrame] = []
    bad: dict[str, str] = {}
    near: Counter[tuple[str, bool]] = Counter()
    texts: dict[str, None] = {}
    for path in track(paths, len(paths), "read annotations"):
        try:
            recording = open_for_any_model(str(path), reading)
        except DataError as error:
            bad[str(path)] = str(error)
        else:
            tables.append(annotated(recording, terms))
            near.update(near_misses(recording.source.annotations, terms))
            texts |= dict.fromkeys(annotation.text for annotation in recording.source.annotations)
    want_usable(bad, len(paths), on_bad)
    searched = counted(len(tables), "recording")
    if absent := [*terms.absent(texts, f"an annotation in {searched}")]:
        raise UserError("\n".join(absent))
    if (placed := pl.concat(tables)).is_empty():
        names = ", ".join(CONSENSUS_NAMES)
        called = f"annotations that are called {names}, or as terms= says, and last 5 s or more"
        wish = f"labels: want a table, or {called}, got none in {searched}"
        raise DataError("\n  ".join(filter(None, [wish, hint(near, terms)])))
    say("labels are the recordings' own annotations")
    return Labelled(placed, bad, hint(near, terms))
