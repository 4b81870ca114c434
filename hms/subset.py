"""Choose the rows of train.csv to train on, and those to validate on.

An EEG is cut into overlapping windows, one per row. The 15th-place solution trains on the rows that have the most votes
of their EEG and start at least 25 s apart, one per EEG and epoch, and validates on the first such row of each EEG.
Added: training may include rows with fewer votes than a row to validate on needs; or every row counts, as where experts
labelled recordings of one's own from beginning to end.
"""

import numpy as np
import polars as pl

from hms.labels import VOTE_COLUMNS
from hms.ranges import want_at_least


class Subset:
    """EEGs whose best row has `min_votes` to `max_votes` votes; of each, the rows with as many votes as the best.

    `spacing_s` is the least time between the starts of two kept rows, chosen greedily from the first; 0 keeps all.
    A row to validate on needs at least `validation_votes` as well.
    """

    def __init__(self, min_votes: int, max_votes: int | None, spacing_s: float, validation_votes: int):
        want_at_least(1, min_votes=min_votes)
        if max_votes is not None and max_votes < min_votes:
            raise ValueError(f"max_votes: want at least min_votes = {min_votes}, got {max_votes}")
        want_at_least(0, spacing_s=spacing_s)
        self.min_votes, self.max_votes, self.spacing_s = min_votes, max_votes, spacing_s
        self.validation_votes = validation_votes

    def training(self, rows: pl.DataFrame) -> pl.DataFrame:
        """The rows to train on, in the order of the file."""
        best = self._best(rows, self.min_votes)
        start_s = best["eeg_label_offset_seconds"].to_numpy()
        return best.filter(_spaced(best["eeg_id"].to_numpy(), start_s, self.spacing_s))

    def validation(self, rows: pl.DataFrame) -> pl.DataFrame:
        """The rows to validate on, the first of each EEG, in the order of the file."""
        return self._best(rows, max(self.min_votes, self.validation_votes)).unique(
            "eeg_id", keep="first", maintain_order=True
        )

    def _best(self, rows: pl.DataFrame, min_votes: int) -> pl.DataFrame:
        votes = pl.sum_horizontal(VOTE_COLUMNS)
        most = votes.max().over("eeg_id")
        top = self.max_votes if self.max_votes is not None else float("inf")
        return rows.filter((votes == most) & (most >= min_votes) & (most <= top))


class EveryRow:
    """All rows with at least `min_votes` votes, to train on (one per EEG and epoch) and to validate on."""

    def __init__(self, min_votes: int):
        want_at_least(1, min_votes=min_votes)
        self.min_votes = min_votes

    def training(self, rows: pl.DataFrame) -> pl.DataFrame:
        """The rows to train on, in the order of the file."""
        return rows.filter(pl.sum_horizontal(VOTE_COLUMNS) >= self.min_votes)

    def validation(self, rows: pl.DataFrame) -> pl.DataFrame:
        """The rows to validate on, the same."""
        return self.training(rows)


def _spaced(eeg_id: np.ndarray, start_s: np.ndarray, spacing_s: float) -> pl.Series:
    order = np.lexsort((start_s, eeg_id))
    keep = np.zeros(len(order), dtype=bool)
    last_id, last_s = None, 0.0
    for row in order:
        if eeg_id[row] != last_id or start_s[row] - last_s >= spacing_s:
            keep[row] = True
            last_id, last_s = eeg_id[row], start_s[row]
    return pl.Series(keep)
