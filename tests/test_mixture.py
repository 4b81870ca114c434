"""The weights of an ensemble are optimal; calibrations and prior shifts are recovered; files keep a mixture exactly."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import softmax

from hms.ensemble import prior_shift
from hms.ensemble.calibration import Calibration, fit_calibration
from hms.ensemble.mixture import Mixture, mix, read_ensemble
from hms.ensemble.nested import Fitting, fit_nested
from hms.ensemble.prior_shift import (
    PriorShift,
    fit_prior_shift,
    fit_strength,
    full_prior,
    split_panels,
    weights_for_prior,
)
from hms.ensemble.weights import fit_weights, objective, optimality_gap
from hms.errors import DataError, UserError
from hms.labels import CLASSES
from hms.scoring.metric import kl_divergence

MIXINGS = ("linear", "geometric", "greedy")


def simulated(seed: int, members: int = 4, rows: int = 60) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Predictions of members that see the truth with different amounts of noise, shares of 5 votes, and row weights."""
    random = np.random.default_rng(seed)
    logits = random.normal(size=(rows, 6)) * random.choice([0.5, 2, 6])
    noise = random.uniform(0.1, 3, (members, 1, 1)) * random.normal(size=(members, rows, 6))
    votes = random.multinomial(5, softmax(logits, axis=1))
    return softmax(logits + noise, axis=2), votes / 5, random.uniform(0.5, 2, rows)


def cost(probabilities: np.ndarray, target: np.ndarray, row_weight: np.ndarray) -> float:
    return float(np.average(kl_divergence(target, probabilities), weights=row_weight))


seeds = given(st.integers(0, 10**6))
few = settings(max_examples=15, deadline=None, derandomize=True)


@pytest.mark.parametrize("mixing", ["linear", "geometric"])
@few
@seeds
def test_weights_meet_the_conditions_of_an_optimum(mixing: str, seed: int):
    """Karush-Kuhn-Tucker: the slope is equal for all members in use, and not lower for any other."""
    found, target, row_weight = simulated(seed)
    weights = fit_weights(found, target, row_weight, mixing)
    assert weights.min() >= 0
    assert weights.sum() == pytest.approx(1)
    step = 1e-6
    slopes = [  # finite differences, independent of the minimised code; both mixings are defined off the simplex, too
        (cost(mix(found, weights + step * one, mixing), target, row_weight)
         - cost(mix(found, weights - step * one, mixing), target, row_weight)) / (2 * step)
        for one in np.eye(len(weights))
    ]  # fmt: skip
    used = weights > 1e-4
    assert np.ptp(np.array(slopes)[used]) < 1e-3
    assert min(slopes) > np.array(slopes)[used].mean() - 1e-3
    assert optimality_gap(objective(found, target, row_weight, mixing), weights) < 1e-6


@pytest.mark.parametrize("seed", [1013, 1024])
def test_members_that_give_votes_no_chance_do_not_end_the_fit_early(seed: int):
    """From equal weights alone SLSQP ends 0.0007 and 0.0014 nats above the minimum here, and reports success."""
    random = np.random.default_rng(seed)
    true = random.dirichlet(np.full(6, 0.3), 400)
    votes = np.stack([random.multinomial(random.integers(3, 20), row) for row in true])
    target = votes / votes.sum(axis=1, keepdims=True)
    noise = [random.normal(0, random.uniform(0.3, 1.2), true.shape) for _ in range(random.integers(2, 9))]
    found = softmax(np.log(true + 0.01) + np.stack(noise), axis=2)
    found = np.where(found < 0.01, 0, found)
    found /= found.sum(axis=2, keepdims=True)
    weights = fit_weights(found, target, np.ones(400), "linear")
    assert optimality_gap(objective(found, target, np.ones(400), "linear"), weights) < 1e-6


@pytest.mark.parametrize("mixing", MIXINGS)
@few
@seeds
def test_a_mixture_fits_its_rows_no_worse_than_its_best_member(mixing: str, seed: int):
    found, target, row_weight = simulated(seed)
    weights = fit_weights(found, target, row_weight, mixing)
    assert weights.min() >= 0
    assert weights.sum() == pytest.approx(1)
    best = min(cost(member, target, row_weight) for member in found)
    assert cost(mix(found, weights, mixing), target, row_weight) <= best + 1e-7


@pytest.mark.parametrize("mixing", MIXINGS)
@few
@seeds
def test_the_order_of_members_and_duplicates_change_nothing(mixing: str, seed: int):
    found, target, row_weight = simulated(seed)
    weights = fit_weights(found, target, row_weight, mixing)
    order = np.random.default_rng(seed).permutation(len(found))
    np.testing.assert_allclose(fit_weights(found[order], target, row_weight, mixing), weights[order], atol=1e-3)
    doubled = found[[0, *range(len(found))]]
    twice = fit_weights(doubled, target, row_weight, mixing)
    np.testing.assert_allclose([twice[:2].sum(), *twice[2:]], weights, atol=1e-3)


@few
@seeds
def test_greedy_selection_comes_close_to_the_optimal_weights(seed: int):
    found, target, row_weight = simulated(seed)
    costs = [cost(mix(found, fit_weights(found, target, row_weight, m), m), target, row_weight) for m in MIXINGS]
    assert costs[0] - 1e-7 <= costs[2] <= costs[0] + 1e-3


def test_weights_match_those_worked_out_by_hand():
    sure = np.full((2, 10, 6), 1e-9)
    sure[0, :, 0] = sure[1, :, 1] = 1 - 5e-9
    target = np.zeros((10, 6))
    target[:3, 0] = target[3:, 1] = 1
    np.testing.assert_allclose(fit_weights(sure, target, np.ones(10), "linear"), [0.3, 0.7], atol=1e-5)
    row_weight = np.array([7.0] * 3 + [1.0] * 7)  # 21 to 7
    np.testing.assert_allclose(fit_weights(sure, target, row_weight, "linear"), [0.75, 0.25], atol=1e-5)


@pytest.mark.parametrize("mixing", ["linear", "geometric"])
@few
@seeds
def test_a_negligible_weight_is_exactly_0(mixing: str, seed: int):
    found, target, row_weight = simulated(seed, members=8)
    weights = fit_weights(found, target, row_weight, mixing)
    assert not ((weights > 0) & (weights < 1e-6)).any()


def test_members_that_are_never_right_do_no_harm():
    found, target, row_weight = simulated(0)
    wrong = np.zeros_like(found[:1])
    wrong[0, np.arange(len(target)), target.argmin(axis=1)] = 1
    for mixing in MIXINGS:
        weights = fit_weights(np.concatenate([found, wrong]), target, row_weight, mixing)
        assert np.isfinite(weights).all()
        assert weights[-1] < 0.01


def test_a_single_weight_selects_its_member():
    found, _, _ = simulated(0)
    for mixing in MIXINGS:
        np.testing.assert_allclose(mix(found, np.array([0.0, 1, 0, 0]), mixing), found[1])
    mean = np.exp(np.log(found).mean(axis=0))
    even = mix(found, np.full(4, 0.25), "geometric")
    np.testing.assert_allclose(even, mean / mean.sum(axis=1, keepdims=True))


def test_a_calibration_is_recovered():
    found, _, row_weight = simulated(1, rows=400)
    true = Calibration(1.7, np.array([0.3, -0.1, 0, 0.1, -0.2, -0.1]))
    got = fit_calibration(found[0], true(found[0]), row_weight, 10**6, "temperature_bias", 0.1)
    assert got.temperature == pytest.approx(1.7, rel=1e-3)
    np.testing.assert_allclose(got.bias, true.bias, atol=1e-3)
    alone = fit_calibration(found[0], Calibration(1.7, np.zeros(6))(found[0]), row_weight, 1, "temperature", 0.1)
    assert (alone.temperature, *alone.bias) == (pytest.approx(1.7, rel=1e-3), *[0] * 6)


def test_parts_that_are_not_calibrated_stay_neutral():
    found, target, row_weight = simulated(2)
    for parts, free in (("none", (False, False)), ("temperature", (True, False)), ("bias", (False, True))):
        got = fit_calibration(found[0], target, row_weight, 100, parts, 0.1)
        assert (got.temperature != 1, bool(got.bias.any())) == free
    np.testing.assert_allclose(fit_calibration(found[0], target, row_weight, 9, "none", 0.1)(found[0]), found[0])


def test_biases_fitted_to_few_patients_are_small_with_mean_0():
    found, target, row_weight = simulated(3)
    few, many = (fit_calibration(found[0], target, row_weight, n, "bias", 0.1).bias for n in (2, 2000))
    assert np.abs(few).max() < 0.1 * np.abs(many).max()
    assert few.mean() == pytest.approx(0, abs=1e-5)


def test_a_prior_shift_gives_the_other_population_its_shares():
    draw = np.random.default_rng(0)
    source, target = np.array([0.2, 0.2, 0.1, 0.1, 0.1, 0.3]), np.array([0.02, 0.3, 0.1, 0.1, 0.2, 0.28])
    chance = draw.dirichlet(np.ones(40), 6)  # class value: of an observation with 40 values, given the class
    before, after = ((share[:, None] * chance).T for share in (source, target))
    before, after = (joint / joint.sum(axis=1, keepdims=True) for joint in (before, after))
    np.testing.assert_allclose(PriorShift(source, target, 1.0)(before), after)
    np.testing.assert_allclose(PriorShift(target, source, 1.0)(after), before)
    np.testing.assert_allclose(PriorShift(source, target, 0.0)(before), before)
    weights = source @ chance  # of the 40 values, each a row
    for true in (1.0, 0.4):
        shift = PriorShift(source, target, true)
        assert fit_strength(shift, before, shift(before), weights).strength == pytest.approx(true, abs=1e-3)


def test_weights_for_a_prior_give_it_to_the_rows():
    _, target, _ = simulated(4, rows=500)
    prior = full_prior({"seizure": 0.02}, target.mean(axis=0))
    weights = weights_for_prior(target, target, prior)
    np.testing.assert_allclose(weights @ target / 500, prior, atol=1e-4)
    assert weights.min() > 0
    assert weights.mean() == pytest.approx(1)
    np.testing.assert_allclose(weights_for_prior(target, target, target.mean(axis=0)), 1, atol=1e-3)


SOURCE = np.array([0.06, 0.18, 0.12, 0.08, 0.09, 0.47])


def strength_of(votes: np.ndarray, probabilities: np.ndarray, share: float) -> float:
    """The strength fitted for a prior with this share of seizures."""
    shift = PriorShift(SOURCE, full_prior({"seizure": share}, SOURCE), 1.0)
    known, half = split_panels(votes, 0)
    return fit_strength(
        shift, np.tile(probabilities, (2, 1)), half, weights_for_prior(known, half, shift.target)
    ).strength


@pytest.mark.parametrize("panel", [12, 3])
def test_a_model_that_knows_the_truth_needs_no_shift_and_one_that_knows_classes_a_full_one(panel: int):
    draw = np.random.default_rng(1)
    truth = draw.dirichlet(3 * SOURCE, 6000)
    assert strength_of(draw.multinomial(panel, truth), truth, 0.2) < 0.05
    label = np.repeat(np.arange(6), (6000 * SOURCE).round().astype(int))  # every panel unanimous
    seen = 1.5 * np.eye(6)[label] + draw.normal(size=(len(label), 6))
    posterior = softmax(np.log(SOURCE) + 1.5 * seen, axis=1)
    assert strength_of(panel * np.eye(6, dtype=int)[label], posterior, 0.2) > 0.85


def test_split_panels_hold_each_vote_once():
    votes = np.random.default_rng(0).multinomial(7, SOURCE, 50)
    one, other = split_panels(votes, 0)
    np.testing.assert_allclose(3 * one[:50] + 4 * other[:50], votes)
    np.testing.assert_array_equal(one[50:], other[:50])
    assert (split_panels(votes, 1)[0] != one).any()
    with pytest.raises(
        UserError, match="min_votes: want 2 or more for a prior, whose fit splits each panel in two, got rows with 1"
    ):
        split_panels(np.eye(6, dtype=int), 0)


def test_a_nested_fit_never_sees_the_targets_of_the_patients_it_predicts():
    probabilities, target, row_weight = simulated(0)
    fitting = Fitting(probabilities, target, row_weight, np.arange(60) // 2, "linear", "temperature_bias", bias_sd=0.3)
    nested = fit_nested(fitting, 4, 0)
    held_out = nested.fold == 0
    again = fit_nested(fitting._replace(target=np.where(held_out[:, None], target[:, ::-1], target)), 4, 0)
    for one, other in ((again.uncalibrated, nested.uncalibrated), (again.calibrated, nested.calibrated)):
        np.testing.assert_array_equal(one[held_out], other[held_out])
        assert not np.allclose(one, other)


def test_a_shift_is_fitted_to_other_patients_and_rows_are_weighted_by_other_votes(monkeypatch: pytest.MonkeyPatch):
    random = np.random.default_rng(0)
    votes = random.multinomial(10, random.dirichlet(np.full(6, 2.0), 80))
    halves, fitted_to = [], []

    def weigh(known: np.ndarray, half: np.ndarray, prior: np.ndarray) -> np.ndarray:
        halves.append((known, half))
        return weights_for_prior(known, half, prior)

    def fit(shift: PriorShift, predicted: np.ndarray, half: np.ndarray, weights: np.ndarray) -> PriorShift:
        fitted_to.append(predicted[:, 0])
        return fit_strength(shift, predicted, half, weights)

    monkeypatch.setattr(prior_shift, "weights_for_prior", weigh)
    monkeypatch.setattr(prior_shift, "fit_strength", fit)
    fold, predicted = np.arange(80) % 4, np.full((80, 6), 1 / 6)
    predicted[:, 0] += 0.01 * fold
    fit_prior_shift(
        {"seizure": 0.2}, votes=votes, probabilities=predicted, fold=fold, patient_id=fold, draws=100, seed=0
    )
    ((known, half),) = halves
    np.testing.assert_allclose(known + half, np.tile(votes / 5, (2, 1)))
    assert [len(rows) for rows in fitted_to] == [120] * 4 + [160]
    for held_out, rows in enumerate(fitted_to[:4]):
        assert not np.isclose(rows, 1 / 6 + 0.01 * held_out).any()


def test_a_prior_that_no_weights_can_give_is_refused():
    target = np.tile(np.eye(6)[:2], (5, 1))
    message = r"prior: want shares that weights by .* can give these rows, got 0\.4 for \w+, which comes to 0\.5"
    with pytest.raises(UserError, match=message):
        weights_for_prior(target, target, np.array([0.4, 0.4, 0.05, 0.05, 0.05, 0.05]))


def test_classes_that_are_not_named_divide_the_rest_as_before():
    source = np.array([0.2, 0.2, 0.1, 0.1, 0.1, 0.3])
    np.testing.assert_allclose(full_prior({"seizure": 0.6}, source), [0.6, 0.1, 0.05, 0.05, 0.05, 0.15])
    whole = dict(zip(CLASSES, source.tolist(), strict=True))
    np.testing.assert_allclose(full_prior(whole, source[::-1]), source)
    for wrong, message in (
        ({"lpd": 0.7, "gpd": 0.5}, "prior: want a sum of less than 1 for the named classes, got 1.2"),
        ({**whole, "lpd": 0.4}, "prior: want a sum of 1 for all classes with votes, got 1.2"),
    ):
        with pytest.raises(UserError, match=message):
            full_prior(wrong, source)


def test_classes_without_votes_get_no_share():
    source = np.array([0.4, 0.6, 0, 0, 0, 0])
    np.testing.assert_allclose(full_prior({"seizure": 0.3, "lpd": 0.7}, source), [0.3, 0.7, 0, 0, 0, 0])
    with pytest.raises(UserError, match=r"prior: want a sum of 1 for all classes with votes, got 0\.5"):
        full_prior({"seizure": 0.3, "lpd": 0.2}, source)


def test_an_ensemble_file_keeps_the_mixture_exactly(tmp_path: Path):
    found, _, _ = simulated(5)
    calibration = Calibration(0.9, np.array([0.1, -0.1, 0, 0, 0.2, -0.2]))
    unseen = PriorShift(np.array([0.5, 0.5, 0, 0, 0, 0]), np.array([0.1, 0.9, 0, 0, 0, 0]), 0.7)
    for prior in (None, PriorShift(np.full(6, 1 / 6), np.array([0.5, 0.1, 0.1, 0.1, 0.1, 0.1]), 0.7), unseen):
        mixture = Mixture("geometric", np.array([0.1, 0.2, 0.3, 0.4]), calibration, prior)
        (tmp_path / "ensemble.json").write_text(json.dumps({"members": ["a", "b", "c", "d"], **mixture.as_json()}))
        members, again, _ = read_ensemble(tmp_path / "ensemble.json")
        assert members == ["a", "b", "c", "d"]
        np.testing.assert_array_equal(again(found), mixture(found))
        np.testing.assert_allclose(again(found).sum(axis=1), 1)


def test_a_file_that_is_not_an_ensemble_is_refused(tmp_path: Path):
    path = tmp_path / "ensemble.json"
    with pytest.raises(DataError, match=f"{path}: no such file; hms.ensemble writes it"):
        read_ensemble(path)
    path.write_text("{}")
    with pytest.raises(DataError, match=f"{path}: not an ensemble written by hms.ensemble"):
        read_ensemble(path)
    mixture = Mixture("linear", np.array([0.5, 0.5]), Calibration(1.0, np.zeros(6)), None)
    path.write_text(json.dumps({"members": ["a"], **mixture.as_json()}))
    with pytest.raises(DataError, match=f"{path}: want a weight per member \\(1\\), got 2"):
        read_ensemble(path)
