"""How many labelled rows a run may have been trained on, from the tables of its folds and the corpora it names."""

import json
from pathlib import Path

import polars as pl
import pytest

from hms.collected.writer import patient_number
from hms.runs.leakage import rows_maybe_trained_on, without_names, without_table, write_learned_from
from hms.runs.trained import Trained

ROWS = pl.DataFrame({"eeg_id": [10, 20, 21, 30, 40, 90], "patient_id": [1, 2, 2, 3, 4, 9]})
HELD_OUT = {"0": [1, 2], "1": [3, 4], "all": []}


def of_patients(*patients: int, first: int = 1) -> pl.DataFrame:
    return ROWS.filter(pl.col("patient_id").is_in(patients)).with_columns(pl.col("patient_id") + first - 1)


def a_run(
    run: Path,
    first: int = 1,
    start: Trained | None = None,
    is_student: bool = False,
    live: bool = False,
    corpus: str = "ours",
) -> Path:
    """A fold that held out patients 1 and 2, another for 3 and 4, and fold=all; from patient 9 none has learned.

    The numbers of patients begin with `first`.
    """
    for name, held_out in HELD_OUT.items():
        fold = run / f"fold{name}_seed0"
        fold.mkdir(parents=True)
        (fold / "scores.json").write_text("{}")
        settings = {"live": {"simulated": {}} if live else {}, "augmentation": {}, "start_from": start and "runs/a-1"}
        (fold / "config.yaml").write_text(json.dumps(settings))
        about = {"corpus": corpus, "start": {"corpora": [*start.corpora] if start else []}}
        (fold / "provenance.json").write_text(json.dumps(about))
        learned = [] if live else {1, 2, 3, 4} - {*held_out}
        stages = [of_patients(*learned, first=first), of_patients(*learned, first=first)[:2]]
        rows = ROWS.with_columns(pl.col("patient_id") + first - 1)
        write_learned_from(fold, stages, rows, corpus, start, is_student)
    return run


def of(run: Path, *folds: str) -> Trained:
    used = [run / f"fold{name}_seed0" for name in folds]
    return Trained(run if len(used) > 1 else used[0], used)


def known(run: Path, corpus: str, *folds: str, rows: pl.DataFrame = ROWS, by_teacher: bool = True) -> int:
    return rows_maybe_trained_on([of(run, *folds)], rows, rows, corpus, by_teacher)


@pytest.mark.parametrize("corpus", ["ours", "a copy"])
def test_rows_of_patients_that_some_fold_learned_from_count(corpus: str, tmp_path: Path):
    run = a_run(tmp_path / "a-1")
    assert known(run, corpus, "0", "1") == 5, "all but patient 9"
    assert known(run, corpus, "0") == 2, "patients 3 and 4"
    assert known(run, corpus, "1") == 3, "patients 1 and 2"
    assert without_names(of(run, "0", "1"), corpus) == []
    assert known(run, corpus, "all") == 5


def test_each_eeg_of_a_patient_counts_whichever_was_trained_on(tmp_path: Path):
    write_learned_from(tmp_path, [ROWS[:2]], ROWS, "ours", None, is_student=False)
    table = pl.read_parquet(tmp_path / "learned_from.parquet")
    assert table.select("eeg_id", "patient_id").equals(ROWS[:3])
    assert table.select("corpus", "by_teacher").unique().rows() == [("ours", False)]


def test_in_the_corpus_itself_a_number_is_enough(tmp_path: Path):
    run = a_run(tmp_path / "a-1")
    assert known(run, "ours", "0", rows=ROWS.with_columns(pl.col("eeg_id") + 5)) == 2


def test_in_another_corpus_a_patient_is_the_same_only_if_an_eeg_is(tmp_path: Path):
    run = a_run(tmp_path / "a-1")
    assert known(run, "other", "0", "1", rows=ROWS.with_columns(pl.col("eeg_id") - 1)) == 2, "those of patient 2"
    assert known(run, "other", "0", "1", rows=ROWS.with_columns(pl.col("eeg_id") + 5)) == 0
    assert known(run, "other", "0", "1", rows=ROWS.with_columns(pl.col("patient_id") + 100)) == 0


def test_a_patient_whose_number_stands_for_a_name_is_the_same_though_the_eegs_are_cut_elsewhere(tmp_path: Path):
    anna = patient_number("anna")
    run = a_run(tmp_path / "a-1", first=anna)
    rows = ROWS.with_columns(pl.col("eeg_id") + 5, pl.col("patient_id") + anna - 1)
    assert known(run, "other", "0", "1", rows=rows) == known(run, "other", "all", rows=rows) == 5, "all but patient 9"
    assert known(run, "other", "0", rows=rows) == 2, "patients 3 and 4"


def test_a_patient_with_a_hashed_eeg_is_the_same_under_any_name(tmp_path: Path):
    eegs = ROWS.with_columns(pl.col("eeg_id") + 2**32)
    write_learned_from(tmp_path, [eegs[:2]], eegs, "ours", None, is_student=False)
    seen = Trained(tmp_path, [tmp_path])
    (tmp_path / "config.yaml").write_text("live: null\n")
    (tmp_path / "provenance.json").write_text('{"corpus": "ours"}')
    rows = eegs.with_columns(pl.col("patient_id") + 100)
    assert rows_maybe_trained_on([seen], rows, rows, "other") == 3, "patients 101 and 102"
    assert rows_maybe_trained_on([seen], rows[2:], rows, "other") == 1, "the other EEG of patient 102 is not among them"
    small = rows.with_columns(pl.col("eeg_id") - 2**32)
    assert rows_maybe_trained_on([seen], small, small, "other") == 0
    cut_elsewhere = rows.with_columns(pl.col("eeg_id") + 5)
    assert rows_maybe_trained_on([seen], cut_elsewhere, cut_elsewhere, "other") == 0


@pytest.mark.parametrize("gone", ["0", "1"])
def test_without_a_table_anybody_may_have_been_learned_from(gone: str, tmp_path: Path):
    run = a_run(tmp_path / "a-1")
    assert without_table(of(run, "0", "1")) == []
    (fold := run / f"fold{gone}_seed0").joinpath("learned_from.parquet").unlink()
    for corpus in ("ours", "other"):
        assert known(run, corpus, "0", "1") == known(run, corpus, gone) == len(ROWS)
    lacks = f"{fold} lacks learned_from.parquet, so that whom it learned from is not known"
    assert without_table(of(run, "0", "1")) == [lacks]


def test_a_run_on_simulated_windows_learned_from_no_patient(tmp_path: Path):
    assert known(a_run(tmp_path / "a-1", live=True), "ours", "0", "1") == 0


@pytest.mark.parametrize("corpus", ["ours", "a copy"])
def test_a_student_may_have_learned_from_anybody_whom_its_teacher_saw(corpus: str, tmp_path: Path):
    student = a_run(tmp_path / "a-1", is_student=True)
    assert known(student, corpus, "0") == known(student, corpus, "0", "1") == len(ROWS)
    assert known(student, corpus, "0", by_teacher=False) == 2, "patients 3 and 4"
    assert known(student, "other", "0", rows=ROWS.with_columns(pl.col("patient_id") + 100)) == 0


@pytest.mark.parametrize("is_student", [False, True])
def test_what_the_first_weights_learned_from_counts_too(is_student: bool, tmp_path: Path):
    first = a_run(tmp_path / "a-1", is_student=is_student)
    same = a_run(tmp_path / "b-1", start=of(first, "1"))
    assert known(same, "ours", "0", by_teacher=False) == 5, "its own 3 and 4, and 1 and 2 of the first"
    assert known(same, "ours", "1") == (len(ROWS) if is_student else 3)
    elsewhere = a_run(tmp_path / "c-1", first=101, start=of(first, "0"), corpus="theirs")
    assert known(elsewhere, "ours", "0", by_teacher=False) == 2
    assert known(elsewhere, "theirs", "0", rows=ROWS.with_columns(pl.col("patient_id") + 100)) == 2


def test_first_weights_without_a_table_may_have_learned_from_anybody(tmp_path: Path):
    first = a_run(tmp_path / "a-1")
    (first / "foldall_seed0/learned_from.parquet").unlink()
    same = a_run(tmp_path / "b-1", start=of(first, "all"))
    assert known(same, "ours", "all") == len(ROWS)
    elsewhere = a_run(tmp_path / "c-1", start=of(first, "all"), corpus="theirs")
    assert known(elsewhere, "ours", "0") == len(ROWS)
    assert known(elsewhere, "theirs", "0") == len(ROWS)
