import json
import re
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from hms.errors import DataError, UserError
from hms.labels import CLASSES, VOTE_COLUMNS
from hms.runs.scores import score_folds
from hms.scoring.metric import gap_closed, kl_divergence, prior_kl, uniform_kl
from hms.scoring.scores import predictions, print_scores, score, scored

counts = arrays(np.int64, (5, 6), elements=st.integers(0, 20)).map(lambda votes: votes + np.eye(6, dtype=int)[:5])


@given(votes=counts, other=counts)
def test_divergence_is_zero_only_for_the_votes_themselves(votes: np.ndarray, other: np.ndarray):
    target, prediction = (v / v.sum(axis=1, keepdims=True) for v in (votes, other))
    np.testing.assert_allclose(kl_divergence(target, target), 0, atol=1e-12)
    assert (kl_divergence(target, prediction) >= -1e-12).all()


def test_divergence_is_the_competitions_worked_out_by_hand():
    target = np.array([[0.5, 0.5, 0, 0, 0, 0], [0, 0, 0, 0, 0, 1.0]])
    prediction = np.array([[0.25, 0.75, 0, 0, 0, 0], [1.0, 0, 0, 0, 0, 0]])
    expected = [0.5 * np.log(2) + 0.5 * np.log(2 / 3), np.log(1e15)]
    np.testing.assert_allclose(kl_divergence(target, prediction), expected)


def test_reference_values_for_a_balanced_and_unanimous_panel():
    target = np.eye(6)
    assert uniform_kl(target) == pytest.approx(np.log(6))
    assert prior_kl(target) == pytest.approx(np.log(6))
    assert gap_closed(0.6, prior=1.0, oracle=0.2) == pytest.approx(0.5)


def test_there_is_no_gap_to_close_if_the_prior_is_no_worse_than_the_truth():
    assert gap_closed(0.6, prior=0.2, oracle=0.2) is None
    assert gap_closed(0.1, prior=0.0, oracle=0.06) is None  # one row, whose votes the prior knows


def test_the_scores_of_a_table_and_how_they_are_printed(capsys: pytest.CaptureFixture):
    votes = np.eye(6, dtype=int)[[0, 0, 5]] * 4
    rows = pl.DataFrame({"label_id": [7, 8, 9], "eeg_id": [1, 2, 3], "patient_id": [1, 1, 2]})
    rows = rows.with_columns(pl.Series(name, votes[:, i]) for i, name in enumerate(VOTE_COLUMNS))
    table = predictions(rows, 3, np.full((3, 6), 1 / 6))
    assert table.columns == ["label_id", "eeg_id", "patient_id", "fold", *VOTE_COLUMNS, *CLASSES]
    truth = pl.DataFrame({"label_id": [9, 8, 7]}).with_columns(
        pl.Series(name, np.eye(6)[[5, 0, 0], i]) for i, name in enumerate(CLASSES)
    )
    scores = score(table, truth)
    assert scores["rows"] == 3
    assert scores["kl"] == scores["uniform"] == pytest.approx(np.log(6))
    assert scores["oracle"] == pytest.approx(0, abs=1e-12)
    assert scores["top1"] == pytest.approx(2 / 3)
    assert scores["per_class"]["seizure"] == {"rows": 2, "kl": pytest.approx(np.log(6))}
    assert scores["per_class"]["lpd"] == {"rows": 0, "kl": None}
    with pytest.raises(DataError, match=r"truth\.parquet: want every label_id that was predicted"):
        score(table, truth[:2])
    with pytest.raises(UserError, match="the model predicts NaN"):
        predictions(rows, 3, np.full((3, 6), np.nan))
    print_scores({"fold 3": scores}, "title of the table")
    printed = capsys.readouterr().out
    for word in ("title of the table", "fold 3", "1.792", "67 %", "uniform", "prior", "oracle", "gap closed"):
        assert word in printed
    print_scores({"a row": score(table[:1], truth)}, "no gap")
    assert re.search(r"a row .* 1\.792 .* - │$", capsys.readouterr().out, re.MULTILINE)


def test_a_narrow_terminal_shows_the_classes_in_a_table_of_their_own(monkeypatch: pytest.MonkeyPatch, capsys):
    rows = pl.DataFrame({name: range(8) for name in ("label_id", "eeg_id", "patient_id")})
    rows = rows.with_columns(pl.lit(2 * (name == "lpd_vote")).alias(name) for name in VOTE_COLUMNS)
    table = predictions(rows, 0, np.tile([0.5, 0.3, 0.05, 0.05, 0.05, 0.05], (8, 1)))
    truth = table.select("label_id", *CLASSES)
    each = {name: score(table, truth) for name in ("fold0_seed0", "fold1_seed0", "all")}
    headers = {}
    for width in (80, 120, 160):
        monkeypatch.setenv("COLUMNS", str(width))
        print_scores(each, "title")
        printed = capsys.readouterr().out
        assert max(map(len, printed.splitlines())) <= width
        headers[width] = [re.findall(r"[\w-]+(?: closed)?", line) for line in printed.splitlines() if "┃" in line]
        assert printed.count("1.204") == 9  # KL, that of lpd, and oracle
    before, after = ["rows", "KL"], ["top-1", "uniform", "prior", "oracle", "gap closed"]
    assert headers == {
        80: [[*before, *after], [*CLASSES]],
        120: [[*before, *after], [*CLASSES]],
        160: [[*before, *CLASSES, *after]],
    }


def test_the_oracle_of_folds_is_the_mean_over_their_rows(tmp_path: Path):
    folds = [tmp_path / f"fold{fold}_seed0" for fold in (0, 1)]
    for fold, (folder, count, oracle) in enumerate(zip(folds, (1, 3), (0.1, 0.5), strict=True)):
        folder.mkdir()
        ids = {name: range(4 * fold, 4 * fold + count) for name in ("label_id", "eeg_id", "patient_id")}
        rows = pl.DataFrame(ids).with_columns(pl.lit(1).alias(name) for name in VOTE_COLUMNS)
        predictions(rows, fold, np.full((count, 6), 1 / 6)).write_parquet(folder / "oof.parquet")
        (folder / "scores.json").write_text(json.dumps({"kl": 0.0, "rows": count, "oracle": oracle}))
    scores, rows = score_folds(folds)
    assert (scores["oracle"], len(rows)) == (pytest.approx(0.4), 4)


def test_a_window_that_several_seeds_predicted_counts_once():
    rows = pl.DataFrame({"label_id": [7, 8, 9], "eeg_id": [1, 2, 3], "patient_id": [1, 1, 2]})
    rows = rows.with_columns(pl.lit(2 * (name == "lpd_vote")).alias(name) for name in VOTE_COLUMNS)
    sure, unsure = np.eye(6)[[1] * 3] * 0.94 + 0.01, np.tile([0.5, 0.3, 0.05, 0.05, 0.05, 0.05], (3, 1))
    one, other = predictions(rows, 0, sure), predictions(rows[:2], 0, unsure[:2])  # the other lacks a fold
    both = scored(pl.concat([one, other]))
    assert both["label_id"].to_list() == [7, 8, 9]
    mean = -(np.log(0.95) + np.log(0.3)) / 2
    np.testing.assert_allclose(both["kl"], [mean, mean, -np.log(0.95)])
    assert both["right"].to_list() == [0.5, 0.5, 1.0]
    np.testing.assert_allclose(both["lpd"], [0.625, 0.625, 0.95])
    assert both["predicted"].to_list() == [1, 1, 1]
    found = score(pl.concat([one, other]))
    assert (found["rows"], found["kl"]) == (3, pytest.approx((2 * mean - np.log(0.95)) / 3))
    assert (found["top1"], found["prior"]) == (pytest.approx(2 / 3), score(one)["prior"])
