import zipfile
from functools import cache
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from conftest import real
from hypothesis import given, settings
from hypothesis import strategies as st
from material import config

from hms.data.folds import patient_folds
from hms.data.tables import LABEL_COLUMNS, read_labels
from hms.errors import UserError
from hms.labels import CLASSES, VOTE_COLUMNS, target_of
from hms.scoring.metric import prior_kl, uniform_kl
from hms.subset import EveryRow, Subset
from hms.training.fold import rows_of_fold


@cache
def _competition(path: Path) -> pl.DataFrame:
    with zipfile.ZipFile(path) as archive, archive.open("train.csv") as file:
        return pl.read_csv(file.read()).with_columns(line=pl.int_range(pl.len()) + 2)


@pytest.fixture
def competition() -> pl.DataFrame:
    """The complete train.csv of the competition."""
    return _competition(real("data/hms_train_csv.zip"))


def targets(rows: pl.DataFrame) -> np.ndarray:
    return target_of(rows.select(VOTE_COLUMNS).to_numpy())


def test_the_competition_file_has_the_known_counts(competition: pl.DataFrame, tmp_path: Path):
    competition.drop("line").write_csv(tmp_path / "train.csv")
    rows = read_labels(tmp_path / "train.csv")
    counts = [len(rows), *(rows[name].n_unique() for name in ("eeg_id", "spectrogram_id", "patient_id"))]
    assert counts == [106_800, 17_089, 11_138, 1_950]
    assert rows.columns == [*LABEL_COLUMNS, "line"]


def test_high_vote_subsets_have_the_competitions_counts(competition: pl.DataFrame):
    votes = pl.sum_horizontal(VOTE_COLUMNS)
    assert len(competition.filter(votes >= 10)) == 39_946
    kept = {spacing_s: Subset(10, None, spacing_s, 10).training(competition) for spacing_s in (0, 25, 50)}
    assert {spacing_s: len(rows) for spacing_s, rows in kept.items()} == {0: 38_209, 25: 9_827, 50: 7_554}
    assert {rows["eeg_id"].n_unique() for rows in kept.values()} == {5_939}
    assert {rows["patient_id"].n_unique() for rows in kept.values()} == {1_063}


def test_validation_rows_give_the_reference_scores(competition: pl.DataFrame):
    first = targets(Subset(10, None, 25, 10).validation(competition))
    assert len(first) == 5_939
    assert [round(uniform_kl(first), 3), round(prior_kl(first), 3)] == [1.152, 0.844]
    apart = targets(Subset(10, None, 50, 10).training(competition))
    assert [round(uniform_kl(apart), 3), round(prior_kl(apart), 3)] == [1.144, 0.896]


def test_folds_of_the_competition_are_balanced_and_never_change(competition: pl.DataFrame):
    folds = patient_folds(competition, 5)
    assert len(folds) == 1_950
    first = Subset(10, None, 25, 10).validation(competition).join(folds, on="patient_id")
    leading = first.with_columns(leading=pl.concat_list(VOTE_COLUMNS).list.arg_max())
    per_fold = leading.group_by("leading", "fold").len().group_by("leading").agg(pl.col("len").sort())
    for counts in per_fold["len"].to_list():
        assert len(counts) == 5
        assert max(counts) - min(counts) <= 3
    eegs = competition.join(folds, on="patient_id").group_by("fold").agg(pl.col("eeg_id").n_unique())["eeg_id"]
    assert max(eegs) - min(eegs) <= 5
    # Deterministic on every machine and library version: a changed sum means changed folds for everyone.
    assert int((folds["patient_id"] * (folds["fold"] + 1)).sum()) == 197_108_639


def test_the_spacing_is_within_each_eeg():
    rows = label_rows([(1, 0, 0.0, 12), (1, 0, 10.0, 12), (1, 0, 26.0, 12), (2, 1, 4.0, 12), (2, 1, 28.0, 13)])
    assert Subset(10, None, 25, 10).training(rows)["eeg_label_offset_seconds"].to_list() == [0.0, 26.0, 28.0]
    assert Subset(10, None, 25, 10).validation(rows)["eeg_label_offset_seconds"].to_list() == [0.0, 28.0]


def test_pretraining_takes_eegs_that_never_got_ten_votes():
    rows = label_rows([(1, 0, 0.0, 3), (1, 0, 30.0, 12), (2, 1, 0.0, 3)])
    assert Subset(1, 9, 25, 1).training(rows)["eeg_id"].to_list() == [2]


def test_rows_with_few_votes_may_be_trained_on_but_not_validated_on():
    rows = label_rows([(1, 1, 0.0, 12), (2, 2, 0.0, 5), (3, 3, 0.0, 10), (4, 4, 0.0, 3)])
    assert Subset(1, None, 25, 10).training(rows)["eeg_id"].to_list() == [1, 2, 3, 4]
    assert Subset(1, None, 25, 10).validation(rows)["eeg_id"].to_list() == [1, 3]
    assert Subset(12, None, 25, 10).validation(rows)["eeg_id"].to_list() == [1]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0, None, 25, 1), "min_votes: want at least 1, got 0"),
        ((10, 9, 25, 10), "max_votes: want at least min_votes = 10, got 9"),
        ((1, None, -1, 1), "spacing_s: want at least 0, got -1"),
    ],
)
def test_a_subset_refuses_impossible_values(arguments: tuple, message: str):
    with pytest.raises(ValueError, match=message):
        Subset(*arguments)


def test_every_row_is_learned_from_and_validated_on_by_the_folds_that_hold_its_patient_out():
    with pytest.raises(ValueError, match=r"^min_votes: want at least 1, got 0$"):
        EveryRow(0)
    plan = [
        (eeg, eeg // 2, offset_s, votes) for eeg in range(20) for offset_s, votes in ((0.0, 1), (10.0, 3), (20.0, 2))
    ]
    rows = label_rows(plan).with_row_index("label_id")
    folds = [rows_of_fold(config("subset=every_row", "folds=5", f"fold={fold}"), rows) for fold in range(5)]
    assert sorted(pl.concat(fold.validation for fold in folds)["label_id"]) == [*range(60)]
    for fold in folds:
        assert {*fold.training[0]["label_id"]} == {*range(60)} - {*fold.validation["label_id"]}
    assert EveryRow(2).training(rows)["eeg_label_offset_seconds"].to_list() == [10.0, 20.0] * 20


def label_rows(rows: list[tuple[int, int, float, int]]) -> pl.DataFrame:
    """Rows of (eeg_id, patient_id, offset_s, votes), all votes for the class eeg_id % 6."""
    table = pl.DataFrame(rows, ["eeg_id", "patient_id", "eeg_label_offset_seconds", "votes"], orient="row")
    votes = (pl.when(pl.col("eeg_id") % 6 == i).then("votes").otherwise(0).alias(n) for i, n in enumerate(VOTE_COLUMNS))
    return table.select("eeg_id", "patient_id", "eeg_label_offset_seconds", *votes)


def test_a_fold_trains_on_other_patients_than_it_predicts_and_predicts_what_another_fold_learns_from():
    plan = [(eeg, eeg // 4, 0.0, (3, 12, 12, 5)[eeg % 4]) for eeg in range(40)] + [(1, 0, 30.0, 12)]
    rows = label_rows(plan).with_row_index("label_id")
    words = ["pretrain=low_votes", "subset=high_votes", "folds=5"]
    folds = [rows_of_fold(config(*words, f"fold={fold}"), rows) for fold in range(5)]
    for number, (first, second) in enumerate(fold.training for fold in folds):
        fold = folds[number]
        assert fold.number == number
        assert {*first["patient_id"], *second["patient_id"]}.isdisjoint(fold.predicted["patient_id"])
        assert {*fold.validation["label_id"]} < {*fold.predicted["label_id"]}
        others = pl.concat(other.predicted for other in folds if other is not fold)
        assert {*first["label_id"], *second["label_id"]} == {*others["label_id"]}
    assert sum(len(fold.predicted) for fold in folds) == len(rows)
    assert sum(len(fold.validation) for fold in folds) == 20


def test_without_a_fold_all_patients_are_learned_from_or_none():
    rows = label_rows([(eeg, eeg, 0.0, 12) for eeg in range(6)]).with_row_index("label_id")
    whole, live = rows_of_fold(config("fold=all"), rows), rows_of_fold(config("live=simulated"), rows)
    assert [len(whole.training[0]), len(whole.validation), len(whole.predicted)] == [6, 0, 0]
    assert [len(live.training[0]), len(live.validation), len(live.predicted)] == [0, 6, 6]
    assert whole.number is live.number is None


@pytest.mark.parametrize(
    ("votes", "words", "message"),
    [
        (
            3,
            ["subset=high_votes"],
            r"subset: no row for training in fold 0 \(of 6 rows in 6 patients\); try subset=all_",
        ),
        (3, ["subset=low_votes_too"], r"subset: no row for validation in fold 0 "),
        (12, ["pretrain=low_votes"], r"subset: no row for training in fold 0 "),
        (3, ["live=simulated"], r"subset: no row for validation in fold 0 "),
        (3, ["fold=all"], r"subset: no row for training in fold all "),
    ],
)
def test_a_fold_without_rows_is_refused(votes: int, words: list[str], message: str):
    rows = label_rows([(eeg, eeg, 0.0, votes) for eeg in range(6)]).with_row_index("label_id")
    with pytest.raises(UserError, match=message):
        rows_of_fold(config(*words), rows)


eegs = st.lists(st.tuples(st.integers(0, 60), st.integers(0, 25), st.integers(1, 28)), min_size=30, max_size=120)


@settings(max_examples=30, deadline=None)
@given(eegs=eegs, folds=st.integers(2, 5), order=st.randoms(use_true_random=False))
def test_folds_cover_every_patient_once_in_any_row_order(eegs: list, folds: int, order):
    rows = [(eeg * 100 + patient, patient, 0.0, votes) for eeg, patient, votes in eegs]
    patients = {patient for _, patient, _ in eegs}
    if len(patients) < folds:
        with pytest.raises(UserError, match=r"folds: want 2 (to \d+|patients)"):
            patient_folds(label_rows(rows), folds)
        return
    found = patient_folds(label_rows(rows), folds)
    assert set(found["patient_id"]) == patients
    assert len(found) == len(patients)
    assert set(found["fold"]) <= set(range(folds))
    shuffled = list({row[0]: row for row in rows}.values())
    expected = patient_folds(label_rows(shuffled), folds)
    order.shuffle(shuffled)
    assert patient_folds(label_rows(shuffled), folds).equals(expected)


def test_class_names_match_the_vote_columns():
    assert tuple(f"{name}_vote" for name in CLASSES) == VOTE_COLUMNS
