"""Make submission.csv: six probabilities for each test EEG, in the order of sample_submission.csv."""

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import polars as pl

from hms.batch import Batch
from hms.data.corpus import bad_file_table
from hms.data.silence import NO_SIGNAL
from hms.data.stream import batches, check
from hms.data.tables import read_submission, read_test
from hms.errors import DataError, with_lines
from hms.labels import CLASSES, VOTE_COLUMNS
from hms.prediction.inference import Compute, by_model
from hms.prediction.predictors import Predictors
from hms.system.atomic import replacing
from hms.system.console import counted, say, some
from hms.window_lengths import CENTRE_S

_SKIPPING = (
    "predicts EEGs that only lack a channel without it, computes spectrograms whose file is missing from the EEG, and "
    "gives the other rows the mean of all predicted ones"
)

_NAMED = 5
"""The most EEGs without a signal that are named."""


class Required(NamedTuple):
    """The EEGs that a submission must contain, in order, and the file that requires them."""

    source: Path
    eeg_ids: list[int]


def required_eegs(root: Path) -> Required:
    """The EEGs of a submission for the corpus at `root`, from sample_submission.csv or else from test.csv.

    Raises DataError if the two files do not name the same EEGs.
    """
    test, sample = root / "test.csv", root / "sample_submission.csv"
    required = Required(test, read_test(test)["eeg_id"].to_list())
    if sample.is_file():
        required = Required(sample, read_submission(sample)["eeg_id"].to_list())
        _want_the_same(test, read_test(test)["eeg_id"], required)
    return required


def predict_rows(
    predictors: Predictors,
    root: Path,
    rows: pl.DataFrame,
    checked: pl.DataFrame,
    batch_size: int,
    skip_bad: bool,
    compute: Compute,
) -> pl.DataFrame:
    """`eeg_id` and probabilities of `rows` (in the order of `stream.reading_order`), null where a file is bad.

    First the files of the rows `checked` are read and, if the predictors adapt, adapted to. Raises DataError for bad
    files unless they are to be skipped; then an EEG that merely lacks channels is predicted without them, and one whose
    spectrogram file is missing with a spectrogram that is computed, as for a folder without any.
    """
    models = predictors.load()
    with_spectrogram = any(model.reads_spectrogram for model in models)
    bad, lacking, computed, silent = check(root, checked, with_spectrogram)
    problems, lost = [file.problem for file in bad], [file.eeg_id for file in bad]
    if not skip_bad and (problems or lacking or computed):
        raise DataError(bad_file_table(root, [*problems, *lacking, *computed], _SKIPPING))
    if bad:
        instead = " get the mean of all others" if len(lost) < len(checked) else ""
        table = with_lines(f"{root}: {counted(len({*problems}), 'bad file')}", dict.fromkeys(problems))
        say(f"NOT PREDICTED: {len(lost)} of {len(checked)} rows{instead}\n{table}")
    if lacking:
        say("\n".join([f"predicted without channels of {counted(len(lacking), 'EEG file')}:", *lacking]))
    if computed:
        missing = counted(len(computed), "missing file")
        say("\n".join([f"spectrograms computed from the EEG in place of {missing}:", *computed]))
    if silent:
        which = f"{len(silent)} of {counted(len(checked), 'row')} (eeg_id {some([*map(str, silent)], _NAMED)})"
        say(f"no signal in the central {CENTRE_S} s of {which}: {NO_SIGNAL}; do not rely on their predictions")
    if rows["eeg_id"].is_in(lost).all():
        return rows.select("eeg_id", *(pl.lit(None, pl.Float64).alias(name) for name in CLASSES))

    def windows(of: pl.DataFrame, purpose: str) -> Iterable[Batch]:
        return batches(root, of, batch_size, with_spectrogram, lost, purpose)

    models = predictors.adapt_models(models, windows(checked, "adapt"), compute)
    eeg_ids, by_fold = by_model(models, windows(rows, "predict"), compute)
    predicted = pl.DataFrame(predictors.mix(by_fold), CLASSES).with_columns(pl.Series("eeg_id", eeg_ids))
    return rows.select("eeg_id").join(predicted, on="eeg_id", how="left", maintain_order="left")


def without_gaps(table: pl.DataFrame) -> pl.DataFrame:
    """Fill the rows that were not predicted with the mean of the others, or all with 1/6 if there are no others."""
    if table[CLASSES[0]].is_null().all():
        say(f"NOTHING WAS PREDICTED: no file can be used; all {counted(len(table), 'row')} get 1/6 for each class")
        return table.with_columns(pl.lit(1 / len(CLASSES)).alias(name) for name in CLASSES)
    return table.with_columns(pl.col(CLASSES).fill_null(pl.col(CLASSES).mean()))


def want_submission(path: Path, root: Path) -> None:
    """Raise DataError unless the file at `path` can be submitted for the corpus at `root`.

    It must have the columns in order, numbers from 0 to 1 that sum to 1 in each row, and every EEG once, in order.
    """
    required, table = required_eegs(root), read_submission(path)
    _want_the_same(path, table["eeg_id"], required)
    for line, got, want in zip(table["line"], table["eeg_id"], required.eeg_ids, strict=True):
        if got != want:
            raise DataError(
                f"{path}: line {line}, column 'eeg_id': want {want}, got {got} (the order of {required.source})"
            )


def write_submission(path: Path, root: Path, table: pl.DataFrame) -> None:
    """Write `table`, the `eeg_id` and the probabilities of `CLASSES`; a file that fails the check never appears."""
    rows = pl.DataFrame({"eeg_id": required_eegs(root).eeg_ids})
    rows = rows.join(table, on="eeg_id", how="left", maintain_order="left")
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as temporary:
        rows.select("eeg_id", *CLASSES).rename(dict(zip(CLASSES, VOTE_COLUMNS, strict=True))).write_csv(temporary)
        want_submission(temporary, root)


def _want_the_same(path: Path, eeg_ids: Iterable[int], required: Required) -> None:
    got, want = {*eeg_ids}, {*required.eeg_ids}
    if missing := sorted(want - got):
        raise DataError(f"{path}: lacks eeg_id {some([*map(str, missing)], 1)} of {required.source}")
    if extra := sorted(got - want):
        raise DataError(f"{path}: has eeg_id {some([*map(str, extra)], 1)}, which {required.source} lacks")
