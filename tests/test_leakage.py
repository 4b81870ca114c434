"""How many labelled rows a run may have been trained on, from the tables of its folds and the corpus it names."""

import json
import shutil
from pathlib import Path

import polars as pl
import pytest

from hms.collected.writer import patient_number
from hms.runs.leakage import rows_maybe_trained_on, write_learned_from
from hms.runs.trained import Trained

ROWS = pl.DataFrame({"eeg_id": [10, 20, 21, 30, 40, 90], "patient_id": [1, 2, 2, 3, 4, 9]})


def a_run(run: Path, of: int = 2, live: bool = False, augmentation: str = "{}", first: int = 1) -> Path:
    """Two folds, which held out patients 1 and 2, and 3 and 4, and a model of fold=all."""
    for name, eegs, patients in (("0", [10, 20], [1, 2]), ("1", [30, 40], [3, 4]), ("all", [], [])):
        fold = run / f"fold{name}_seed0"
        fold.mkdir(parents=True)
        (fold / "scores.json").write_text("{}")
        config = f"folds: {of}\nlive: {'{simulated: {}}' if live else '{}'}\naugmentation: {augmentation}"
        (fold / "config.yaml").write_text(config)
        (fold / "provenance.json").write_text(json.dumps({"corpus": "ours"}))
        if eegs:
            table = pl.DataFrame({"eeg_id": eegs, "patient_id": patients}).with_columns(
                pl.col("patient_id") + first - 1
            )
            table.write_parquet(fold / "teacher.parquet")
    return run


def known(run: Path, corpus: str, *folds: str, rows: pl.DataFrame = ROWS) -> int:
    used = [run / f"fold{name}_seed0" for name in folds]
    return rows_maybe_trained_on([Trained(run if len(used) > 1 else used[0], used)], rows, corpus)


@pytest.mark.parametrize("corpus", ["ours", "a copy"])
def test_rows_of_patients_that_some_fold_learned_from_count(corpus: str, tmp_path: Path):
    run = a_run(tmp_path / "a-1")
    assert known(run, corpus, "0", "1") == 5, "all but patient 9, of whom no fold knows"
    assert known(run, corpus, "0") == 2, "patients 3 and 4"
    assert known(run, corpus, "all") == 5


def test_a_run_that_lacks_folds_may_have_learned_from_patients_that_none_of_them_names(tmp_path: Path):
    run = a_run(tmp_path / "a-1", of=5)
    assert known(run, "a copy", "0", "1") == len(ROWS)
    assert known(run, "a copy", "0") == 3, "patients 3, 4 and 9"


def test_a_patient_is_the_same_only_if_an_eeg_is(tmp_path: Path):
    run = a_run(tmp_path / "a-1")
    assert known(run, "other", "0", "1", rows=ROWS.with_columns(pl.col("eeg_id") - 1)) == 2, "those of patient 2"
    assert known(run, "other", "0", "1", rows=ROWS.with_columns(pl.col("eeg_id") + 5)) == 0
    assert known(run, "other", "0", "1", rows=ROWS.with_columns(pl.col("patient_id") + 100)) == 0


def test_a_patient_whose_number_stands_for_a_name_is_the_same_though_the_eegs_are_cut_elsewhere(tmp_path: Path):
    anna = patient_number("anna")
    run = a_run(tmp_path / "a-1", first=anna)
    rows = ROWS.with_columns(pl.col("eeg_id") + 5, pl.col("patient_id") + anna - 1)
    assert known(run, "other", "0", "1", rows=rows) == 5, "all but patient 9"
    assert known(run, "other", "0", rows=rows) == 2, "patients 3 and 4"
    assert known(run, "other", "0", "1", rows=rows.filter(pl.col("patient_id") == anna + 8)) == 0
    part = a_run(tmp_path / "b-1", of=5, first=anna)
    assert known(part, "other", "0", rows=rows) == 2, "a name says nothing of others, as an EEG does"
    assert known(part, "other", "0", rows=rows.with_columns(pl.col("eeg_id") - 5)) == 3


def of_all(run: Path, number: int = 1) -> Path:
    """A run of fold=all alone, which learned from all but patient 9, whose numbers begin with `number`."""
    (a_run(run, of=5) / "foldall_seed0").rename(run / "only")
    for fold in ("fold0_seed0", "fold1_seed0"):
        shutil.rmtree(run / fold)
    (run / "only").rename(run / "foldall_seed0")
    stages = [ROWS[:3], ROWS[1:5]]
    write_learned_from(run / "foldall_seed0", [rows.with_columns(pl.col("patient_id") + number - 1) for rows in stages])
    return run


def test_what_fold_all_learned_from_is_known_in_any_corpus(tmp_path: Path):
    run = of_all(tmp_path / "a-1")
    table = pl.read_parquet(run / "foldall_seed0/learned_from.parquet")
    assert table.equals(ROWS[:5]), "each EEG once, whatever the number of stages"
    for corpus in ("ours", "a copy"):
        assert known(run, corpus, "all") == 5, "all but patient 9"
    assert known(run, "other", "all", rows=ROWS.with_columns(pl.col("eeg_id") + 5)) == 0
    assert known(run, "other", "all", rows=ROWS.with_columns(pl.col("patient_id") + 100)) == 0
    anna = patient_number("anna")
    rows = ROWS.with_columns(pl.col("eeg_id") + 5, pl.col("patient_id") + anna - 1)
    assert known(of_all(tmp_path / "b-1", anna), "other", "all", rows=rows) == 5


def test_without_a_table_of_what_fold_all_learned_from_only_its_own_corpus_is_recognised(tmp_path: Path):
    run = of_all(tmp_path / "a-1")
    (run / "foldall_seed0/learned_from.parquet").unlink()
    assert known(run, "ours", "all") == len(ROWS)
    assert known(run, "a copy", "all") == 0


def test_fold_all_names_the_patients_of_folds_that_are_missing(tmp_path: Path):
    run = a_run(tmp_path / "a-1", of=5)
    write_learned_from(run / "foldall_seed0", [ROWS[:5]])
    assert known(run, "a copy", "0", "1") == 5
    assert known(run, "a copy", "0") == 2, "patients 3 and 4; none is held out by fold=all"


def test_a_run_on_simulated_windows_learned_from_no_patient(tmp_path: Path):
    assert known(a_run(tmp_path / "a-1", live=True), "ours", "0", "1") == 0


@pytest.mark.parametrize("corpus", ["ours", "a copy"])
def test_a_student_may_have_learned_from_the_patients_it_held_out_whom_its_teacher_saw(corpus: str, tmp_path: Path):
    student = a_run(
        tmp_path / "a-1",
        augmentation="{teacher_labels: {_target_: hms.augmentation.teacher_labels.TeacherLabels, runs: [a]}}",
    )
    assert known(student, corpus, "0") == known(student, corpus, "0", "1") == 5
    assert known(student, "other", "0", rows=ROWS.with_columns(pl.col("patient_id") + 100)) == 0
