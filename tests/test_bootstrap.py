"""The width of an interval depends on the number of patients, not on the number of their rows."""

import numpy as np
import polars as pl
import pytest

from hms.scoring.bootstrap import bootstrap_means, format_difference, format_interval, interval, mean_interval

RANDOM = np.random.default_rng(0)
VALUES, PATIENTS = RANDOM.normal(1, 2, (2, 400)), np.arange(400)


def test_an_interval_is_two_standard_errors_to_either_side():
    low, high = interval(bootstrap_means(VALUES, PATIENTS, 4000, 0))[0]
    assert low < VALUES[0].mean() < high
    assert high - low == pytest.approx(2 * 1.96 * VALUES[0].std() / 20, rel=0.05)


def test_more_rows_of_the_same_patients_do_not_narrow_the_interval():
    once = bootstrap_means(VALUES, PATIENTS, 100, 3)
    again = bootstrap_means(np.tile(VALUES, 10), np.tile(PATIENTS, 10), 100, 3)
    np.testing.assert_allclose(again, once)


def test_a_patient_counts_in_proportion_to_its_rows():
    values, patients = np.array([[0.0, 0.0, 0.0, 1.0]]), np.array([7, 7, 7, 9])
    means = np.unique(bootstrap_means(values, patients, 200, 0))
    np.testing.assert_allclose(means, [0, 0.25, 1])  # 7 twice, each once, 9 twice


def test_measures_of_one_call_share_their_draws_and_the_seed_sets_them():
    means = bootstrap_means(np.stack([VALUES[0], VALUES[0] + 0.5]), PATIENTS, 50, 1)
    np.testing.assert_allclose(means[1] - means[0], 0.5)
    np.testing.assert_array_equal(means, bootstrap_means(np.stack([VALUES[0], VALUES[0] + 0.5]), PATIENTS, 50, 1))
    assert not np.allclose(means[0], bootstrap_means(VALUES, PATIENTS, 50, 2)[0])


def test_a_single_patient_has_no_interval():
    values, patients = pl.Series(VALUES[0]), pl.Series(PATIENTS)
    assert mean_interval(values, patients * 0, 100) is None
    assert mean_interval(values, patients // 200, 100) is not None


def test_a_difference_is_printed_with_its_interval_whether_or_not_that_contains_0():
    assert format_difference(0.3, [-0.01, 0.6], 2) == "+0.30 (-0.01 to +0.60)"
    assert format_difference(-0.01, [-0.02, -0.001], 3) == "-0.010 (-0.020 to -0.001)"
    assert format_difference(0.3, None, 2) == "+0.30 (-)"
    assert (format_interval([0.25, 0.5], 3), format_interval(None, 3)) == ("0.250-0.500", "-")
