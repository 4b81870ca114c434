"""Which labelled rows a run may have been trained on, in the corpus it learned from or in a copy of it."""

from collections.abc import Iterable
from pathlib import Path

import polars as pl

from hms.folder_names import counts_of, folds_with
from hms.runs.trained import Trained
from hms.system.atomic import replacing

LEARNED_FROM = "learned_from.parquet"
"""The EEGs that fold=all has learned from, with their patients; no table of held-out predictions names them."""

_KEYS = ["eeg_id", "patient_id"]

_LEAST_OF_NAMES = 2**32
"""From here on, a patient's number is a hash of 48 bits of a name (`hms.collected.writer`); others stay below."""

_NOBODY = pl.Series("patient_id", [], pl.Int64)


def write_learned_from(fold: Path, training: Iterable[pl.DataFrame]) -> None:
    """Write the EEGs of the rows that the stages of a fold trained on, each once. Raises UserError if that fails."""
    eegs = pl.concat(rows.select(_KEYS) for rows in training).unique().sort(_KEYS)
    with replacing(fold / LEARNED_FROM) as temporary:
        eegs.write_parquet(temporary)


def rows_maybe_trained_on(
    runs: Iterable[Trained], rows: pl.DataFrame, fingerprint: str, by_teacher: bool = True
) -> int:
    """Count the `rows`, of the corpus with this fingerprint, from whose patients one of the runs may have learned.

    With `by_teacher` a student may have learned from those it held out, too, because its teacher saw them.
    """
    patients = [_learned_from(run, rows, fingerprint, by_teacher) for run in runs]
    return int(rows["patient_id"].is_in(pl.concat(patients).implode()).sum())


def _learned_from(run: Trained, rows: pl.DataFrame, fingerprint: str, by_teacher: bool) -> pl.Series:
    """The patients among the rows that a run may have learned from: all but those that each fold in use held out.

    Patients are known from the tables of held-out predictions of all folds of the run, and from what fold=all has
    learned from. Numbers of patients coincide by chance, so one counts as the same only if an EEG has the same number,
    too. EEGs that are cut around other labels have other numbers, so patients with the same name count as well, but say
    nothing of others in the corpus. Of a bundle, which names no patients to those it is handed to, only the corpora are
    known; so of weights that a run began with, and that on its own corpus they have not seen the patients that a fold
    held out.
    """
    everybody, same = rows["patient_id"].unique(), fingerprint in run.corpora
    if run.is_bundle:
        return everybody if same else _NOBODY
    earlier = fingerprint in run.earlier_corpora
    if earlier and fingerprint not in run.own_corpora:
        return everybody
    if (config := run.config_of(run.folds[0])).get("live"):
        return _NOBODY
    folds = {*run.folds, *folds_with(run.folder, "*.parquet")}
    held_out = {fold: _eegs(fold, "oof.parquet", "teacher.parquet") for fold in folds}
    of_all = pl.concat(_eegs(fold, LEARNED_FROM) for fold in folds)
    theirs = pl.concat([of_all, *held_out.values()])
    same_eeg = rows.join(theirs, on=["eeg_id", "patient_id"], how="semi")["patient_id"]
    same_name = everybody.filter((everybody >= _LEAST_OF_NAMES) & everybody.is_in(theirs["patient_id"].implode()))
    known = pl.concat([same_eeg, same_name]).unique()
    same = same or not same_eeg.is_empty()
    folds_there = counts_of(fold for fold, table in held_out.items() if len(table)).folds
    complete = folds_there == config["folds"] or not of_all.is_empty()  # else no table has patients of a missing fold
    all_named = complete and not earlier
    candidates = everybody if same and not all_named else known
    if run.is_student and by_teacher:
        return candidates
    unseen = set[int].intersection(*({*held_out[fold]["patient_id"]} for fold in run.folds))
    return candidates.filter(~candidates.is_in([*unseen]))


def _eegs(fold: Path, *names: str) -> pl.DataFrame:
    """The EEGs, with their patients, of those of the tables that a fold has."""
    tables = [pl.read_parquet(path, columns=_KEYS) for name in names if (path := fold / name).is_file()]
    empty = pl.DataFrame(schema=dict.fromkeys(_KEYS, pl.Int64))
    return pl.concat([empty, *tables]).unique(maintain_order=True)
