"""Assign every patient to a fold, so that no patient is in both training and validation.

Greedy, from the patient with the most EEGs down, like scikit-learn's StratifiedGroupKFold, but in integers only: the
folds are the same on every machine and library version. Patients with high-vote EEGs are balanced by class, the others
by their number of EEGs. The others need a fold because pre-training on low votes must leave out the held-out patients.

Or by a table of one's own: the folds that others scored their models by, or hospitals, each of them left out once.
"""

from pathlib import Path

import numpy as np
import polars as pl
from jaxtyping import Int

from hms.data.tables import Check, parsed, read_text
from hms.errors import DataError, UserError
from hms.labels import CLASSES, HIGH_VOTES, VOTE_COLUMNS
from hms.system.console import and_more, some


def patient_folds(rows: pl.DataFrame, folds: int) -> pl.DataFrame:
    """A table of `patient_id` and `fold` (0 ... folds-1), a row per patient of `rows` (columns of train.csv).

    Raises UserError if there are fewer than two folds, or fewer patients than folds.
    """
    _want_folds(folds, rows["patient_id"].n_unique())
    counts = _class_counts(rows)
    total = [max(1, sum(count[label] for _, count in counts)) for label in range(len(CLASSES))]
    share = [10**9 // n for n in total]  # a rare class counts as much as a common one
    held = [[0] * len(CLASSES) for _ in range(folds)]
    eegs = [0] * folds
    fold_of: dict[int, int] = {}
    size = dict(rows.group_by("patient_id").agg(pl.col("eeg_id").n_unique()).iter_rows())
    # Patients with many EEGs come first: those with few can still even out the folds.
    for patient, count in sorted(counts, key=lambda item: (-sum(item[1]), -size[item[0]], item[0])):

        def crowding(fold: int, count: list[int] = count) -> tuple[int, int, int]:
            same = sum(s * have * new for s, have, new in zip(share, held[fold], count, strict=True))
            return same, eegs[fold], fold

        fold = min(range(folds), key=crowding)
        held[fold] = [have + new for have, new in zip(held[fold], count, strict=True)]
        eegs[fold] += size[patient]
        fold_of[patient] = fold
    return pl.DataFrame({"patient_id": list(fold_of), "fold": list(fold_of.values())}).sort("patient_id")


def read_folds(path: Path, folds: int) -> pl.DataFrame:
    """The columns `fold` (0 ... folds-1) and `patient_id`, or without that `eeg_id`, of a CSV file of one's own.

    Raises UserError if there is no such file, and DataError, with a line for each kind of mistake, if it lacks the
    columns, or a fold is out of range, empty, or not the only one of its patient or EEG.
    """
    if not path.is_file():
        raise UserError(
            f"folds_from: want a CSV file with patient_id (or eeg_id) and fold, got '{path}' (no such file)"
        )
    text = read_text(path)
    of = next((name for name in ("patient_id", "eeg_id") if name in text.columns), None)
    if of is None or "fold" not in text.columns:
        raise DataError(f"{path}: want columns patient_id (or eeg_id) and fold, got {some(text.columns, 12)}")
    fold = pl.col("fold")
    checks = [
        Check(fold, ~fold.is_between(0, folds - 1), f"want 0 to {folds - 1} (folds={folds}), got {{}}"),
        Check(fold, fold.n_unique().over(of) > 1, f"want one fold per {of}, got {{}} and another"),
    ]
    table, problems = parsed(path, text, dict.fromkeys((of, "fold"), pl.Int64), checks)
    there = {*table["fold"]}
    if not problems and len(there) < folds:
        empty = ", ".join(str(number) for number in range(folds) if number not in there)
        hint = f"; set folds={len(there)}" if max(there) < len(there) > 1 else ""
        problems = [f"{path}: want a patient in each fold, got none in {empty} (folds={folds}){hint}"]
    if problems:
        raise DataError("\n".join(problems))
    return table.select(of, "fold").unique()


def listed_folds(listed: pl.DataFrame, rows: pl.DataFrame, path: Path) -> pl.DataFrame:
    """A table of `patient_id` and `fold`, a row per patient of `rows` that `listed` (of `read_folds`) gives a fold.

    Raises DataError, which names the file at `path`, if EEGs of one patient are in several folds, or none in one.
    """
    known = rows.select("patient_id", "eeg_id").unique()
    found = known.join(listed, on=listed.columns[0]).select("patient_id", "fold").unique().sort("patient_id", "fold")
    if found.is_empty():
        raise DataError(f"{path}: want patients of this corpus, got none of its {rows['patient_id'].n_unique()}")
    if absent := sorted({*listed["fold"]} - {*found["fold"]}):
        raise DataError(f"{path}: want patients of this corpus in each fold, got none in {', '.join(map(str, absent))}")
    if not (twice := found.filter(pl.col("patient_id").is_duplicated())).is_empty():
        patient = twice["patient_id"][0]
        of_it = " and ".join(map(str, twice.filter(pl.col("patient_id") == patient)["fold"]))
        more = and_more(twice["patient_id"].n_unique() - 1, "patient")
        raise DataError(f"{path}: want all EEGs of a patient in one fold, got patient {patient} in {of_it}{more}")
    return found


def _class_counts(rows: pl.DataFrame) -> list[tuple[int, list[int]]]:
    """Each patient's number of high-vote EEGs by class, the one that leads the votes in the EEG's first best row."""
    votes = pl.sum_horizontal(VOTE_COLUMNS)
    best = rows.filter((votes == votes.max().over("eeg_id")) & (votes >= HIGH_VOTES))
    leading = best.unique("eeg_id", keep="first", maintain_order=True).select(
        "patient_id", leading=pl.concat_list(VOTE_COLUMNS).list.arg_max()
    )
    counts = {patient: [0] * len(CLASSES) for patient in rows["patient_id"].unique().to_list()}
    for patient, label in leading.iter_rows():
        counts[patient][label] += 1
    return list(counts.items())


def random_folds(patient_id: Int[np.ndarray, " row"], folds: int, seed: int) -> Int[np.ndarray, " row"]:
    """The fold (0 ... folds-1) of each row when patients are assigned at random, evenly to within one patient.

    Raises UserError if there are fewer than two folds, or fewer patients than folds.
    """
    patients, place = np.unique(patient_id, return_inverse=True)
    _want_folds(folds, len(patients))
    return (np.random.default_rng(seed).permutation(len(patients)) % folds)[place]


def _want_folds(folds: int, patients: int) -> None:
    if patients < 2:
        raise UserError(f"folds: want 2 patients or more to divide, got {patients}")
    if not 2 <= folds <= patients:
        nearest = min(max(2, folds), patients)  # whoever set no number meets that of the YAML
        raise UserError(f"folds: want 2 to {patients} (the number of patients), got {folds}; set folds={nearest}")
