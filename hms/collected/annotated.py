"""Labels that recordings hold themselves: annotations whose text stands for a class, as those of `hms.predict` do."""

import polars as pl

from hms.collected.covered import covered_s
from hms.collected.label_table import COLUMNS
from hms.collected.own_terms import Terms
from hms.labels import VOTE_COLUMNS
from hms.recording.recording import Recording


def annotated(recording: Recording, terms: Terms) -> pl.DataFrame:
    """A vote, in the columns of a table of labels, for each ten seconds that an annotation covers by half or more."""
    schema = {**dict.fromkeys(COLUMNS, pl.String), "line": pl.Int64, "time_s": pl.Float64, "end_s": pl.Float64}
    votes = [
        {"time_s": time_s, f"{name}_vote": 1}
        for annotation in recording.source.annotations
        if (name := terms.class_of(annotation.text))
        for time_s in covered_s(annotation.onset_s, annotation.duration_s)
    ]
    table = pl.DataFrame(votes, schema | dict.fromkeys(VOTE_COLUMNS, pl.Int64))
    path = pl.lit(str(recording.path))
    return table.with_columns(pl.col(VOTE_COLUMNS).fill_null(0), recording=path, path=path)
