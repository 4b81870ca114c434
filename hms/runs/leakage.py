"""Which labelled rows a run may have been trained on, in a corpus that it learned from or in another with its patients.

Each fold keeps a table of those patients. A bundle has none, as it goes to strangers: only its corpora are known.
"""

from collections.abc import Iterable
from pathlib import Path

import polars as pl

from hms.runs.trained import Trained
from hms.system.atomic import write_table
from hms.system.reading import read_table

_TABLE = "learned_from.parquet"
_EEG = ["eeg_id", "patient_id"]
_COLUMNS = {"corpus": pl.String, "eeg_id": pl.Int64, "patient_id": pl.Int64, "by_teacher": pl.Boolean}

_LEAST_OF_HASHES = 2**32
"""From here on, a number is a hash of 48 bits of an EEG or of a patient's name (`hms.collected.writer`)."""


def write_learned_from(
    fold: Path,
    training: Iterable[pl.DataFrame],
    rows: pl.DataFrame,
    fingerprint: str,
    start: Trained | None,
    is_student: bool,
) -> None:
    """Write the EEGs, among the `rows` of the corpus with this fingerprint, of all patients that a fold learned from.

    They are the patients of its stages' `training` rows; a student's teacher saw all. What is known of its `start` is
    added. Raises UserError if the file cannot be written.
    """
    patients = pl.concat(stage["patient_id"] for stage in training)
    if start and (without_table(start) or _of_anybody(start, fingerprint)):
        patients = rows["patient_id"]
    eegs = rows.select(pl.lit(fingerprint).alias("corpus"), *_EEG)
    known = [eegs.filter(pl.col("patient_id").is_in(patients.implode())).with_columns(by_teacher=False)]
    known += [eegs.with_columns(by_teacher=True)] if is_student else []
    known += [_tables(start)] if start else []
    table = pl.concat(known).sort(*_COLUMNS).unique(["corpus", *_EEG], keep="first", maintain_order=True)
    write_table(fold / _TABLE, table)


def rows_maybe_trained_on(
    runs: Iterable[Trained], rows: pl.DataFrame, everybody: pl.DataFrame, fingerprint: str, by_teacher: bool = True
) -> int:
    """Count the `rows` from whose patients one of the runs may have learned.

    `everybody` has all rows of their corpus, which has this fingerprint. With `by_teacher` a student may have learned
    from those it held out, too, because its teacher saw them.
    """
    patients = [_learned_from(run, everybody, fingerprint, by_teacher) for run in runs]
    return int(rows["patient_id"].is_in(pl.concat(patients).implode()).sum())


def _learned_from(run: Trained, rows: pl.DataFrame, fingerprint: str, by_teacher: bool) -> pl.Series:
    """The patients that a run may have learned from, as they are numbered in the rows.

    In another corpus small numbers coincide by chance, so one counts as the same patient only if an EEG has the same
    number, too. A hash is enough by itself: of an EEG, whatever its patient is called now; of a name, whichever EEGs
    were cut.
    """
    if without_table(run) or _of_anybody(run, fingerprint):
        return rows["patient_id"]
    known = _tables(run).filter(~pl.col("by_teacher") | by_teacher)
    same_corpus = known.filter(pl.col("corpus") == fingerprint)["patient_id"]
    same_eeg = rows.join(known, on=_EEG, how="semi")["patient_id"]
    hashed = known.filter(pl.col("eeg_id") >= _LEAST_OF_HASHES)
    renamed = rows.join(hashed, on="eeg_id", how="semi")["patient_id"]
    same_name = known.filter(pl.col("patient_id") >= _LEAST_OF_HASHES)["patient_id"]
    return pl.concat([same_corpus, same_eeg, renamed, same_name])


def without_table(run: Trained) -> list[str]:
    """A line on each fold of which it is not known whom it learned from, as it was copied without its table."""
    lacking = [] if run.is_bundle else [fold for fold in run.folds if not (fold / _TABLE).is_file()]
    return [f"{fold} lacks {_TABLE}, so that whom it learned from is not known" for fold in lacking]


def without_names(run: Trained, fingerprint: str) -> list[str]:
    """A line on a bundle, or a run that began with one, that learned from none but other corpora than this one."""
    if without_table(run) or not (unlisted := _unlisted(run)) or fingerprint in unlisted:
        return []
    bundle = f"{run.path} is" if run.is_bundle else f"{run.path} began with the weights of"
    return [f"{bundle} a bundle, which names no patients: if it learned from some of these, this KL looks too good"]


def _of_anybody(run: Trained, fingerprint: str) -> bool:
    """Whether a bundle, or the weights of one, learned from patients of a corpus, without a table of whom."""
    return fingerprint in _unlisted(run)


def _unlisted(run: Trained) -> set[str]:
    """The corpora that a run learned from, without a table of whom."""
    return run.corpora - {*_tables(run)["corpus"]}


def _tables(run: Trained) -> pl.DataFrame:
    """What the folds of a run say. Raises DataError for a table that cannot be read."""
    tables = [read_table(path) for fold in run.folds if (path := fold / _TABLE).is_file()]
    return pl.concat([pl.DataFrame(schema=_COLUMNS), *tables])
