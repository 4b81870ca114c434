import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from hms.errors import DataError, UserError
from hms.labels import CLASSES, VOTE_COLUMNS
from hms.metric import gap_closed, kl_divergence, prior_kl, uniform_kl
from hms.scores import predictions, score, show

counts = arrays(np.int64, (5, 6), elements=st.integers(0, 20)).map(lambda votes: votes + np.eye(6, dtype=int)[:5])


@given(votes=counts, other=counts)
def test_divergence_is_zero_only_for_the_votes_themselves(votes: np.ndarray, other: np.ndarray):
    target, prediction = (v / v.sum(axis=1, keepdims=True) for v in (votes, other))
    np.testing.assert_allclose(kl_divergence(target, target), 0, atol=1e-12)
    assert (kl_divergence(target, prediction) >= -1e-12).all()


def test_divergence_is_the_competitions_by_hand():
    target = np.array([[0.5, 0.5, 0, 0, 0, 0], [0, 0, 0, 0, 0, 1.0]])
    prediction = np.array([[0.25, 0.75, 0, 0, 0, 0], [1.0, 0, 0, 0, 0, 0]])
    expected = [0.5 * np.log(2) + 0.5 * np.log(2 / 3), np.log(1e15)]
    np.testing.assert_allclose(kl_divergence(target, prediction), expected)


def test_marks_of_a_balanced_and_certain_panel():
    target = np.eye(6)
    assert uniform_kl(target) == pytest.approx(np.log(6))
    assert prior_kl(target) == pytest.approx(np.log(6))
    assert gap_closed(0.6, prior=1.0, oracle=0.2) == pytest.approx(0.5)


def test_scores_of_a_table_and_what_is_printed_of_them(capsys: pytest.CaptureFixture):
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
    show({"fold 3": scores}, "title of the table")
    printed = capsys.readouterr().out
    for word in ("title of the table", "fold 3", "1.792", "67%", "uniform", "prior", "oracle", "gap closed"):
        assert word in printed
