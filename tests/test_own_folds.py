"""Folds from a table of one's own (`folds_from`)."""

from pathlib import Path

import polars as pl
import pytest
from material import config
from trainings import composed, only_fold

from hms.data.folds import listed_folds, read_folds
from hms.errors import DataError, UserError
from hms.labels import VOTE_COLUMNS
from hms.runs.folder import fold_folder
from hms.training.fit import fit
from hms.training.fold import rows_of_fold
from hms.training.rules import mistakes_in_values

pytestmark = pytest.mark.filterwarnings("ignore:.*LeafSpec.*", "ignore:.*srun.*")

ROWS = pl.DataFrame({"eeg_id": range(12), "patient_id": [eeg // 2 for eeg in range(12)]}).with_columns(
    label_id="eeg_id", eeg_label_offset_seconds=0.0, **dict.fromkeys(VOTE_COLUMNS, 2)
)
"""Six patients of two EEGs each."""


def table(folder: Path, text: str) -> Path:
    path = folder / "folds.csv"
    path.write_text(text)
    return path


@pytest.mark.parametrize("of", ["patient_id", "eeg_id"])
def test_patients_are_held_out_in_the_fold_of_the_table_and_the_others_always_learned_from(of: str, tmp_path: Path):
    listed = ROWS.filter(pl.col("patient_id") < 4).with_columns(fold=pl.col("patient_id") % 2, site=pl.lit("A"))
    path = table(tmp_path, listed.select("site", of, "fold").sample(fraction=1, shuffle=True, seed=0).write_csv())
    folds = [rows_of_fold(config("folds=2", f"folds_from={path}", f"fold={fold}"), ROWS) for fold in (0, 1)]
    assert [[*fold.validation["patient_id"].unique().sort()] for fold in folds] == [[0, 2], [1, 3]]
    assert [[*fold.training[0]["patient_id"].unique().sort()] for fold in folds] == [[1, 3, 4, 5], [0, 2, 4, 5]]
    assert [fold.never_held_out for fold in folds] == [2, 2]
    assert rows_of_fold(config("folds=2", f"folds_from={path}", "fold=all"), ROWS).never_held_out == 0


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("patient,fold\n0,0\n", "want columns patient_id (or eeg_id) and fold, got patient, fold"),
        ("eeg_id,folds\n0,0\n", "want columns patient_id (or eeg_id) and fold, got eeg_id, folds"),
        ("patient_id,fold\n0,1\n1,2\n", "line 3, column 'fold': want 0 to 1 (folds=2), got 2"),
        ("patient_id,fold\n0,1\n1,a\n", "line 3, column 'fold': want a whole number, got 'a'"),
        (
            "patient_id,fold\n0,1\n0,0\n",
            "line 2, column 'fold': want one fold per patient_id, got 1 and another (and 1 more row)",
        ),
        ("patient_id,fold\n0,0\n1,0\n", "want a patient in each fold, got none in 1 (folds=2)"),
        ("patient_id,fold\n0,0\n1,1\n", "want a patient in each fold, got none in 2 (folds=3); set folds=2"),
        ("patient_id,fold\n", "want at least one row, got none"),
    ],
)
def test_a_table_with_mistakes_is_refused_before_a_corpus_is_read(text: str, message: str, tmp_path: Path):
    path = table(tmp_path, text)
    folds = 3 if "folds=3" in message else 2
    assert [*mistakes_in_values(config(f"folds={folds}") | {"folds_from": str(path)})] == [f"{path}: {message}"]


def test_a_table_that_does_not_exist_or_does_not_fit_the_corpus_is_refused(tmp_path: Path):
    wish = "folds_from: want a CSV file with patient_id (or eeg_id) and fold, got '/x' (no such file)"
    assert [*mistakes_in_values(config("folds_from=/x"))] == [wish]
    path = table(tmp_path, "eeg_id,fold\n0,0\n1,1\n2,1\n4,0\n5,1\n99,0\n")
    with pytest.raises(
        DataError, match=r": want all EEGs of a patient in one fold, got patient 0 in 0 and 1 \(and 1 m"
    ):
        listed_folds(read_folds(path, 2), ROWS, path)
    path = table(tmp_path, "patient_id,fold\n0,0\n1,0\n78,1\n")
    with pytest.raises(DataError, match=r"folds\.csv: want patients of this corpus in each fold, got none in 1$"):
        listed_folds(read_folds(path, 2), ROWS, path)
    path = table(tmp_path, "patient_id,fold\n77,0\n78,1\n")
    with pytest.raises(DataError, match=r"folds\.csv: want patients of this corpus, got none of its 6$"):
        listed_folds(read_folds(path, 2), ROWS, path)


def test_a_run_is_named_by_the_content_of_the_table(tmp_path: Path):
    (tmp_path / "other").mkdir()
    one, same = (table(folder, "patient_id,fold\n0,0\n1,1\n") for folder in (tmp_path, tmp_path / "other"))
    named = [fold_folder(config(*words), "corpus") for words in ([], [f"folds_from={one}"], [f"folds_from={same}"])]
    assert named[0] != named[1] == named[2]
    table(tmp_path / "other", "patient_id,fold\n0,1\n1,0\n")
    assert fold_folder(config(f"folds_from={same}"), "corpus") not in named
    same.unlink()
    with pytest.raises(UserError, match=r"cannot be read"):
        fold_folder(config(f"folds_from={same}"), "corpus")


def test_a_training_predicts_the_patients_of_its_fold(corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture):
    labels = pl.read_csv(corpus / "train.csv")
    listed = labels.select("patient_id").unique(maintain_order=True).with_columns(fold=pl.int_range(pl.len()) % 3)
    path = table(tmp_path, listed[:-1].write_csv())
    fit(composed(corpus, tmp_path, f"folds_from={path}", "folds=3", "fold=1", "epochs=1", "subset=every_row"))
    said = capsys.readouterr().err
    assert f"{path} gives 1 patient no fold: learned from in every fold\n" in said
    oof = pl.read_parquet(only_fold(tmp_path / "runs") / "oof.parquet")
    assert {*oof["fold"]} == {1}
    assert {*oof["patient_id"]} == {*listed[:-1].filter(fold=1)["patient_id"]}
