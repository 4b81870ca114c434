"""Add up the votes on the same ten seconds of a recording, and tell which rows cannot be about it."""

from collections.abc import Iterator
from os.path import commonpath
from pathlib import Path

import polars as pl

from hms.collected.names import composed
from hms.data.tables import at_line
from hms.electrodes import SFREQ_HZ
from hms.labels import VOTE_COLUMNS
from hms.system.console import and_more
from hms.window_lengths import CENTRE_S


def patient_problems(labels: pl.DataFrame) -> Iterator[str]:
    """A line for each recording of several patients."""
    by_path = labels.drop_nulls(["path", "patient_id"]).group_by("path", maintain_order=True)
    for path, rows in by_path:
        first, *others = rows.unique("patient_id", keep="first", maintain_order=True).rows(named=True)
        if others:
            wish = f"want one patient for '{path[0]}', got {first['patient_id']!r} and {others[0]['patient_id']!r}"
            yield at_line(others[0]["line"], "patient_id", wish)


def beyond_end(labels: pl.DataFrame, path: str, end_s: float) -> Iterator[str]:
    """A line if labels of the recording at `path`, which ends at `end_s`, lie after that."""
    beyond = labels.filter((pl.col("path") == path) & (pl.col("time_s") > end_s))
    rows = beyond.unique("line", keep="first", maintain_order=True)
    if len(rows):
        time_s, until_s = rows.select("time_s", "end_s").row(0)
        column, got_s = ("time_s", time_s) if until_s is None else ("onset_s + duration_s", until_s)
        wish = f"want up to {end_s:g} s, the end of '{path}', got {got_s:g}{and_more(len(rows) - 1, 'row')}"
        yield at_line(rows["line"][0], column, wish)


def added_up(labels: pl.DataFrame) -> pl.DataFrame:
    """One row for each ten seconds of a `path`, in order, with the sum of their votes.

    `onset_s` is where the ten seconds begin, at a sample; `recording` is the path within the folder of all, and serves
    as the `patient` if none is given.
    """
    paths = labels["path"].unique().to_list()
    folder = commonpath([str(Path(path).absolute().parent) for path in paths])
    short = {path: composed(Path(path).absolute().relative_to(folder).as_posix()) for path in paths}
    onset = ((pl.col("time_s") - CENTRE_S / 2) * SFREQ_HZ).round() / SFREQ_HZ
    return (
        labels.with_columns(onset_s=onset, recording=pl.col("path").replace_strict(short))
        .group_by("recording", "path", "onset_s")
        .agg(pl.col("patient_id").first().alias("patient"), pl.col(VOTE_COLUMNS).sum())
        .with_columns(pl.col("patient").fill_null(pl.col("recording")))
        .sort("recording", "onset_s")
    )
