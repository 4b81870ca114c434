"""Labels that recordings hold themselves: annotations whose text is the name of a class, as `hms.predict` writes them.

They vote on the ten seconds of a timeline, those from 0, 10, 20 ... s on, so that the votes of several readers meet.
"""

from collections.abc import Iterator

import polars as pl

from hms.collected.label_table import COLUMNS
from hms.labels import CLASSES, VOTE_COLUMNS
from hms.recording.recording import Recording
from hms.recording.source import Annotation
from hms.window_lengths import CENTRE_S

_ROUNDING_S = 1e-6


def annotated(recording: Recording) -> pl.DataFrame:
    """A vote, in the columns of a table of labels, for each ten seconds that an annotation covers by half or more."""
    schema = {**dict.fromkeys(COLUMNS, pl.String), "line": pl.Int64, "time_s": pl.Float64}
    votes = [
        {"time_s": time_s, f"{name}_vote": 1}
        for annotation in recording.source.annotations
        if (name := annotation.text.lower()) in CLASSES
        for time_s in covered_s(annotation)
    ]
    table = pl.DataFrame(votes, schema | dict.fromkeys(VOTE_COLUMNS, pl.Int64))
    path = pl.lit(str(recording.path))
    return table.with_columns(pl.col(VOTE_COLUMNS).fill_null(0), recording=path, path=path)


def covered_s(annotation: Annotation) -> Iterator[float]:
    """The middle of each ten seconds that an annotation covers by half or more."""
    onset_s, end_s = annotation.onset_s, annotation.onset_s + annotation.duration_s
    for number in range(int(onset_s // CENTRE_S), int(end_s // CENTRE_S) + 1):
        begin_s = float(CENTRE_S * number)
        if min(end_s, begin_s + CENTRE_S) - max(onset_s, begin_s) > CENTRE_S / 2 - _ROUNDING_S:
            yield begin_s + CENTRE_S / 2
