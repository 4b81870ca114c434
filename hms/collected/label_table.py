"""Read a researcher's table of labels: which recording, when, whose it is, and what the experts voted.

A row holds the votes of a panel in six columns, as train.csv does, or one vote as the name of a class, or a text that
stands for one; it is about ten seconds, or a stretch of time. The rows about the same ten seconds are added up once it
is known which recording they name (`hms.collected.names`).
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import polars as pl

from hms.collected.covered import covered_s
from hms.collected.own_terms import Terms
from hms.collected.table import read_any_csv, say_unread, want_none_missing
from hms.collected.terms import classes_meant, did_you_mean_class
from hms.data.tables import Check, at_line, parsed
from hms.errors import DataError
from hms.labels import CLASSES, CONSENSUS_NAMES, VOTE_COLUMNS
from hms.system.console import and_more, counted

RECORDING = {"recording": pl.String}
PATIENT = {"patient_id": pl.String}
_MIDDLE = {"time_s": pl.Float64}
_STRETCH = {"onset_s": pl.Float64, "duration_s": pl.Float64}
_LABEL = {"label": pl.String}
_VOTES = dict.fromkeys(VOTE_COLUMNS, pl.Int64)

_IN_PLACE = {
    "time_s": "'onset_s' and 'duration_s'",
    **dict.fromkeys(_STRETCH, "'time_s' in place of both"),
    "label": "the six columns of votes",
}
"""What would do as well as a column that is missing."""

_SECONDS = "; want seconds from the beginning of the recording"
_ENDINGS = {"time_s": _SECONDS, "onset_s": _SECONDS, "duration_s": "; want seconds"}

_LONGEST_S = 7 * 86400  # a stretch; what is beyond is no number of seconds

_MOST_VOTES = 1000  # in a row; what is beyond is no count of experts

_MOST_NAMES = 10  # that no class has, each of which is told

COLUMNS = ("line", *RECORDING, *_MIDDLE, "end_s", *PATIENT, *_VOTES)
"""Columns of the rows that `read_label_table` returns."""


def read_label_table(path: Path, terms: Terms) -> tuple[pl.DataFrame, list[str]]:
    """The rows of a table of labels with the columns of `COLUMNS`, and a line for every kind of mistake.

    If there is none, a row about a stretch of time, which ends at `end_s`, becomes one for each ten seconds that it
    covers by half or more, at `time_s`, or one without `time_s` if it covers none. `end_s` of other rows is null, and
    `patient_id` is null throughout if the table does not have it. Raises DataError if the table has no rows, or not the
    columns.
    """
    known = [*RECORDING, *_MIDDLE, *_STRETCH, *_LABEL, *_VOTES, *PATIENT]
    text, doubts = read_any_csv(path, "labels", known, [*_MIDDLE, *_STRETCH, *_VOTES])
    columns = _columns(path, text.columns)
    say_unread(path, text.columns, columns, PATIENT)
    if "label" not in columns:
        text = _with_no_votes(text, columns)
    table, problems = parsed(path, text, columns, _checks(columns), _ENDINGS)
    problems = [*doubts, *problems]
    if table.is_empty():
        raise DataError(f"{path}: want at least one row, got none")
    if "label" in columns:
        meant = {label: terms.class_of(label) for label in table["label"].drop_nulls().unique(maintain_order=True)}
        absent = terms.absent(meant, "the column 'label'")
        problems += [f"{path}: {problem}" for problem in (*_unknown_classes(table, meant), *absent)]
        said = pl.col("label").replace_strict(meant, default=None, return_dtype=pl.String)
        table = table.with_columns((said == name).cast(pl.Int64).alias(f"{name}_vote") for name in CLASSES)
    elif terms.written:
        problems.append(f"{path}: terms: want the column 'label', got the six of votes")
    if "patient_id" not in columns:
        table = table.with_columns(patient_id=pl.lit(None, pl.String))
    table = table.with_columns(end_s=pl.sum_horizontal(*_STRETCH) if "onset_s" in columns else pl.lit(None, pl.Float64))
    if "onset_s" in columns:
        none: list[Any] = [None]  # what is exploded leaves no row if it is empty
        times_s = [none if problems else covered_s(*place) or none for place in table.select(*_STRETCH).iter_rows()]
        table = table.with_columns(time_s=pl.Series(times_s, dtype=pl.List(pl.Float64))).explode("time_s")
    return table.select(*COLUMNS), problems


def _columns(path: Path, got: Sequence[str]) -> dict[str, Any]:
    """The columns to read, with their types. Raises DataError if one is missing, or for two kinds of one."""
    votes = [name for name in VOTE_COLUMNS if name in got]
    stretch = [name for name in _STRETCH if name in got]
    if stretch and "time_s" in got:
        both = f"'time_s' and {stretch[0]!r}"
        raise DataError(f"{path}: want either the column 'time_s' or the two 'onset_s' and 'duration_s', got {both}")
    if votes and "label" in got:
        raise DataError(f"{path}: want either the column 'label' or the six of votes, got both")
    kind = _VOTES if votes else _LABEL
    place = {**RECORDING, **(_STRETCH if stretch else _MIDDLE)}
    missing = [name for name in (*place, *kind) if name not in got]
    want_none_missing(path, got, missing, _IN_PLACE, "" if "label" in got else _near_votes(got))
    return {**place, **kind, **(PATIENT if "patient_id" in got else {})}


def _near_votes(got: Sequence[str]) -> str:
    """The end of a message that says which columns to call votes; empty if none looks like it."""
    meant = {tuple(classes_meant(re.sub("_?votes?$", "", name.lower()))): name for name in reversed(got)}
    names = {f"{name}_vote": meant.get((spelling,)) for name, spelling in zip(CLASSES, CONSENSUS_NAMES, strict=True)}
    near = [f"{vote!r} for {name!r}" for vote, name in names.items() if name and vote not in got]
    return f"; write {', '.join(near)}" if near else ""


def _with_no_votes(text: pl.DataFrame, columns: dict[str, Any]) -> pl.DataFrame:
    """The text of a table with six 0 where a row has no vote at all, which is told once, not of each column."""
    none = pl.all_horizontal(pl.col(VOTE_COLUMNS).is_null()) & ~pl.all_horizontal(pl.col(columns).is_null())
    return text.with_columns(pl.when(none).then(pl.lit("0")).otherwise(pl.col(VOTE_COLUMNS)).name.keep())


def _checks(columns: dict[str, Any]) -> list[Check]:
    onset, duration_s = pl.col("onset_s" if "onset_s" in columns else "time_s"), pl.col("duration_s")
    checks = [Check(onset, onset < 0, "want 0 s or more, got {:g}")]
    if "duration_s" in columns:
        longest = f"want up to {_LONGEST_S:,} s (a week), got {{:g}}"
        checks += [Check(duration_s, duration_s <= 0, "want more than 0 s, got {:g}")]
        checks += [Check(duration_s, duration_s > _LONGEST_S, longest)]
    if "label" not in columns:
        votes = pl.sum_horizontal(VOTE_COLUMNS).alias("seizure_vote ... other_vote")
        wish = f"want 0 to {_MOST_VOTES:,} votes, got {{}}"
        checks += [Check(count, ~count.is_between(0, _MOST_VOTES), wish) for count in map(pl.col, VOTE_COLUMNS)]
        checks += [Check(votes, votes == 0, "want at least one vote, got none")]
    return checks


def _unknown_classes(table: pl.DataFrame, meant: Mapping[str, str | None]) -> Iterator[str]:
    """A line for each name that no class has."""
    unknown = table.filter(pl.col("label").is_in([label for label, name in meant.items() if name is None]))
    names = unknown.group_by("label", maintain_order=True)
    for name, rows in islice(names, _MOST_NAMES):
        more = and_more(len(rows) - 1, "row")
        wish = f"want {', '.join(CONSENSUS_NAMES)}, got {name[0]!r}{did_you_mean_class(name[0])}{more}"
        yield at_line(rows["line"][0], "label", wish)
    if (left := unknown["label"].n_unique() - _MOST_NAMES) > 0:
        yield f"column 'label': {counted(left, 'more name')} that no class has"
