"""submission.csv: six probabilities for each test EEG, from its files, in the order of sample_submission.csv."""

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import polars as pl

from hms.atomic import replacing
from hms.batch import Batch
from hms.console import say
from hms.corpus import bad_file_table
from hms.ensemble.choices import Precision
from hms.errors import DataError
from hms.inference import by_model
from hms.labels import CLASSES, VOTE_COLUMNS
from hms.predictors import Predictors
from hms.stream import bad_files, batches
from hms.tables import read_submission, read_test


class Wanted(NamedTuple):
    """The EEGs that a submission has, in its order, and the file that says so."""

    source: Path
    eeg_ids: list[int]


def wanted(root: Path) -> Wanted:
    """What a submission for the corpus at `root` has: sample_submission.csv says it, without one test.csv.

    Raises DataError where the two do not name the same EEGs.
    """
    test, sample = root / "test.csv", root / "sample_submission.csv"
    found = Wanted(test, read_test(test)["eeg_id"].to_list())
    if sample.is_file():
        found = Wanted(sample, read_submission(sample)["eeg_id"].to_list())
        _want_the_same(test, read_test(test)["eeg_id"], found)
    return found


def predict_rows(
    predictors: Predictors,
    root: Path,
    rows: pl.DataFrame,
    checked: pl.DataFrame,
    batch_size: int,
    skip_bad: bool,
    device: str,
    flips: bool,
    precision: Precision,
) -> pl.DataFrame:
    """The `eeg_id` and probabilities of `rows` (in the order of `stream.reading_order`), null where a file is bad.

    The files of `checked` rows are read first, and adapted to where the predictors do that. Raises DataError for bad
    ones, unless they are to be skipped.
    """
    models = predictors.load()
    with_spectrogram = any(model.reads_spectrogram for model in models)
    bad = bad_files(root, checked, with_spectrogram)
    lost = [one.eeg_id for one in bad]
    if bad:
        told = bad_file_table(root, [one.problem for one in bad], "gives their rows the mean of all others")
        if not skip_bad:
            raise DataError(told)
        say(f"NOT PREDICTED: {len(lost)} of {len(checked)} rows get the mean of all others\n{told}")
    if rows["eeg_id"].is_in(lost).all():
        return rows.select("eeg_id", *(pl.lit(None, pl.Float64).alias(name) for name in CLASSES))

    def windows(of: pl.DataFrame, purpose: str) -> Iterable[Batch]:
        return batches(root, of, batch_size, with_spectrogram, lost, purpose)

    models = predictors.adapted(models, lambda: windows(checked, "adapt"), device, flips, precision)
    eeg_ids, found = by_model(models, windows(rows, "predict"), device, flips, precision)
    known = pl.DataFrame(predictors.mix(found), CLASSES).with_columns(pl.Series("eeg_id", eeg_ids))
    return rows.select("eeg_id").join(known, on="eeg_id", how="left", maintain_order="left")


def check_submission(path: Path, root: Path) -> None:
    """Raise DataError unless the file at `path` can be submitted for the corpus at `root`.

    The columns and their order, numbers from 0 to 1 that sum to 1 in each row, every EEG once, and in order.
    """
    want, table = wanted(root), read_submission(path)
    _want_the_same(path, table["eeg_id"], want)
    for line, got, wish in zip(table["line"], table["eeg_id"], want.eeg_ids, strict=True):
        if got != wish:
            raise DataError(
                f"{path}: line {line}, column 'eeg_id': want {wish}, got {got} (the order of {want.source})"
            )


def write_submission(path: Path, root: Path, table: pl.DataFrame) -> None:
    """Write `table`, the `eeg_id` and the probabilities of `CLASSES`; a file that fails the check is never there."""
    rows = pl.DataFrame({"eeg_id": wanted(root).eeg_ids}).join(table, on="eeg_id", how="left", maintain_order="left")
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as temporary:
        rows.select("eeg_id", *CLASSES).rename(dict(zip(CLASSES, VOTE_COLUMNS, strict=True))).write_csv(temporary)
        check_submission(temporary, root)


def _want_the_same(path: Path, eeg_ids: Iterable[int], want: Wanted) -> None:
    got, asked = {*eeg_ids}, {*want.eeg_ids}
    if lacking := sorted(asked - got):
        raise DataError(f"{path}: lacks eeg_id {_some(lacking)} of {want.source}")
    if extra := sorted(got - asked):
        raise DataError(f"{path}: has eeg_id {_some(extra)}, which {want.source} has not")


def _some(ids: list[int]) -> str:
    return f"{ids[0]} (and {len(ids) - 1} more)" if len(ids) > 1 else str(ids[0])
