"""The width of an interval depends on the number of patients, not on the number of their rows."""

import numpy as np
import polars as pl
import pytest

from hms.scoring.bootstrap import (
    FEWEST_PATIENTS,
    Bootstrap,
    effective,
    enough,
    format_difference,
    format_interval,
    mean_interval,
    outside_of,
)
from hms.scoring.pairs import pairs

RANDOM = np.random.default_rng(0)
VALUES, PATIENTS = RANDOM.normal(1, 2, (2, 400)), np.arange(400)


def test_an_interval_is_two_standard_errors_to_either_side():
    bootstrap = Bootstrap(PATIENTS, 4000)
    low, high = bootstrap.interval(bootstrap.means(VALUES)[0])
    assert low < VALUES[0].mean() < high
    assert high - low == pytest.approx(2 * 1.96 * VALUES[0].std() / 20, rel=0.05)


def test_more_rows_of_the_same_patients_do_not_narrow_the_interval():
    once = Bootstrap(PATIENTS, 100, 3).means(VALUES)
    again = Bootstrap(np.tile(PATIENTS, 10), 100, 3).means(np.tile(VALUES, 10))
    np.testing.assert_allclose(again, once)


def test_a_patient_counts_in_proportion_to_the_weight_of_its_rows():
    values, patients = np.array([[0.0, 0.0, 0.0, 1.0]]), np.array([7, 7, 7, 9])
    means = np.unique(Bootstrap(patients, 200).means(values))
    np.testing.assert_allclose(means, [0, 0.25, 1])  # 7 twice, each once, 9 twice
    means = np.unique(Bootstrap(patients, 200, row_weight=np.array([1.0, 0.0, 0.0, 4.0])).means(values))
    np.testing.assert_allclose(means, [0, 0.8, 1])


def test_figures_of_one_bootstrap_share_its_draws_and_the_seed_sets_them():
    values = np.stack([VALUES[0], VALUES[0] + 0.5])
    means = Bootstrap(PATIENTS, 50, 1).means(values)
    np.testing.assert_allclose(means[1] - means[0], 0.5)
    np.testing.assert_array_equal(means, Bootstrap(PATIENTS, 50, 1).means(values))
    assert not np.allclose(means[0], Bootstrap(PATIENTS, 50, 2).means(values)[0])


def test_few_patients_have_no_interval():
    values, patients = pl.Series(VALUES[0][:120]), pl.Series(np.arange(120))
    assert mean_interval(values, patients % (FEWEST_PATIENTS - 1), 100) is None
    assert mean_interval(values, patients % FEWEST_PATIENTS, 100) is not None
    assert [enough(np.array([first, *[1.0] * 5])) for first in (0.0, 1.0, 8.0, 14.0)] == [False, True, True, False]


def test_patients_of_unequal_weight_count_as_fewer():
    assert effective(np.full(5, 3.0)) == pytest.approx(5)
    assert effective(np.array([9.0, 1.0, 1.0, 1.0])) == pytest.approx(144 / 84)
    widening = [outside_of(patients) for patients in (2.0, 3.0, 10.0, 1e6)]
    assert widening == sorted(widening)
    assert widening[-1] == pytest.approx(0.025, rel=1e-3)


def test_an_interval_of_few_unequal_patients_holds_the_truth_as_often_as_it_says():
    random, held, samples = np.random.default_rng(1), 0, 400
    for sample in range(samples):
        patients = np.repeat(np.arange(12), random.geometric(0.1, 12))
        of_patients = random.normal(0.5, 0.3, 12)[patients]
        low, high = mean_interval(pl.Series(of_patients), pl.Series(patients), 500, sample)
        held += low < 0.5 < high
    assert 0.92 < held / samples < 0.98


@pytest.mark.parametrize(("models", "patients"), [(2, 60), (8, 60), (16, 12)])
def test_of_equal_models_few_tables_have_one_that_differs_from_another(models: int, patients: int):
    random, differ, tables = np.random.default_rng(2), 0, 200
    for table in range(tables):
        losses = random.normal(0.5, 0.3, (models, patients))
        compared = pairs(losses, np.arange(patients), 400, table)
        differ += (np.abs(compared.difference) > compared.margin + 1e-9).any()
        np.testing.assert_allclose(compared.difference, losses.mean(axis=1)[:, None] - losses.mean(axis=1), atol=1e-8)
    assert differ / tables < 0.1


@pytest.mark.parametrize("other", [VALUES[0], VALUES[0] + 1, np.where(PATIENTS == 7, VALUES[1], np.nan)])
def test_a_pair_that_does_not_vary_widens_no_interval_of_others(other: np.ndarray):
    two = pairs(VALUES, PATIENTS, 1000, 0)
    three = pairs(np.stack([*VALUES, other]), PATIENTS, 1000, 0)
    assert two.margin[0, 1] == pytest.approx(1.96 * (VALUES[0] - VALUES[1]).std() / 20, rel=0.05)
    assert three.margin[0, 1] == pytest.approx(two.margin[0, 1], rel=0.02)


def test_two_models_are_compared_on_the_rows_that_both_have():
    losses = np.stack([VALUES[0], VALUES[0] + 1, VALUES[1], VALUES[1]])
    losses[1, :200] = losses[2, 200:] = losses[3, 3:] = np.nan
    compared = pairs(losses, PATIENTS, 100, 0)
    np.testing.assert_array_equal(compared.rows, [[400, 200, 200, 3], [200, 200, 0, 0], [200, 0, 200, 3], [3, 0, 3, 3]])
    assert (compared.difference[1, 0], compared.margin[1, 0]) == (pytest.approx(1), pytest.approx(0, abs=1e-9))
    assert compared.difference[0, 2] == pytest.approx((VALUES[0] - VALUES[1])[:200].mean())
    assert np.isnan(compared.difference[1, 2:]).all()
    assert np.isfinite(compared.difference[0, 3])
    assert np.isnan(compared.margin[0, 3])  # of three patients


def test_a_difference_is_printed_with_its_interval_whether_or_not_that_contains_0():
    assert format_difference(0.3, [-0.01, 0.6], 2) == "+0.30 (-0.01 to +0.60)"
    assert format_difference(-0.01, [-0.02, -0.001], 3) == "-0.010 (-0.020 to -0.001)"
    assert format_difference(0.3, None, 2) == "+0.30 (-)"
    assert (format_interval([0.25, 0.5], 3), format_interval(None, 3)) == ("0.250-0.500", "-")
