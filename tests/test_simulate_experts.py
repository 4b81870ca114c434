"""Votes follow the findings and, over many experts, equal the truth; the corpus has the real prior and agreement."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from hms.labels import CLASSES, HIGH_VOTES, VOTE_COLUMNS
from hms.simulate.clock import Clock, Curve, Span, constant
from hms.simulate.corpus import SIZES
from hms.simulate.experts import draw_panel, draw_pool, truth, vote
from hms.simulate.findings import Findings, measure
from hms.simulate.kinds import draw_pattern
from hms.simulate.noise import SLOW_HZ
from hms.simulate.plan import make_plan
from hms.simulate.recording import SimulatedRecording
from hms.simulate.rows import label_rows

SEED = 0
CLEAR = {
    "seizure": Findings(2.0, 40.0, 4.5, 0.4, 1.2, 0.5, 0.0),
    "lpd": Findings(2.5, 10.0, 1.0, 0.0, 2.2, 0.7, 0.0),
    "gpd": Findings(2.5, 10.0, 1.0, 0.0, 2.2, 0.03, 0.0),
    "lrda": Findings(2.5, 15.0, 1.5, 0.0, 0.4, 0.7, 0.0),
    "grda": Findings(2.5, 15.0, 1.5, 0.0, 0.4, 0.03, 0.0),
    "other": Findings(-3.0, 10.0, 1.0, 0.0, 0.35, 0.1, 0.0),
}


def pool() -> np.ndarray:
    return draw_pool(np.random.default_rng(3))


@pytest.mark.parametrize("name", CLASSES)
def test_clear_findings_get_their_class(name):
    expected = truth(CLEAR[name], pool())
    assert CLASSES[expected.argmax()] == name
    assert expected.max() > 0.75
    assert expected.sum() == pytest.approx(1.0, abs=1e-12)


@pytest.mark.parametrize(
    "findings", [CLEAR["lpd"], Findings(0.8, 7.0, 2.6, 0.1, 0.95, 0.27, 0.0)], ids=["clear", "unsure"]
)
def test_votes_of_many_experts_are_the_truth(findings):
    rng = np.random.default_rng(0)
    experts = pool()
    votes = [vote(findings, experts, draw_panel(rng, len(experts), len(experts))) for _ in range(300)]
    share = np.bincount(np.concatenate(votes), minlength=6) / (300 * len(experts))
    np.testing.assert_allclose(share, truth(findings, experts), atol=0.012)


def test_an_expert_repeats_a_vote_on_the_same_findings():
    experts = pool()
    panel = draw_panel(np.random.default_rng(0), len(experts), 20)
    findings = Findings(0.8, 7.0, 2.6, 0.1, 0.95, 0.27, 0.0)
    first = vote(findings, experts, panel)
    np.testing.assert_array_equal(first, vote(findings, experts, panel))
    near = vote(findings._replace(log_contrast=0.82), experts, panel)
    assert np.mean(near != first) < 0.15


def test_too_few_cycles_are_no_pattern():
    assert truth(CLEAR["lpd"]._replace(cycles=0.5), pool())[1] < truth(CLEAR["lpd"], pool())[1] - 0.2


def test_a_pattern_that_stands_out_elsewhere_in_the_window_counts_half():
    rest = np.random.default_rng(0).standard_normal((19, 30_600)).astype(np.float32)
    clock = Clock(-6.0, 30_600, SLOW_HZ)
    pattern = draw_pattern(np.random.default_rng(0), "grda", Span(-6.0, 606.0), np.array([300.0])).sized(5.0, 300.0)
    even = replace(pattern, active=constant(1.0), log_size=constant(0.0))
    grows = replace(even, log_size=Curve(np.array([304.0, 314.0]), np.array([0.0, 1.5])))
    grows_a_little = replace(grows, log_size=Curve(np.array([304.0, 314.0]), np.array([0.0, 0.5])))
    begins = replace(even, active=Curve(np.array([306.0, 307.0]), np.array([0.0, 1.0])))
    begins_late = replace(even, active=Curve(np.array([326.0, 327.0]), np.array([0.0, 1.0])))
    contrast = [
        measure(one, rest, clock, 300.0).log_contrast for one in (even, grows, grows_a_little, begins, begins_late)
    ]
    assert contrast[1] == pytest.approx(contrast[0] + 1.5 - np.log(2), abs=0.3)
    assert contrast[2] == pytest.approx(contrast[0], abs=0.2)
    assert contrast[3] == pytest.approx(contrast[0] - np.log(2), abs=0.3)
    assert contrast[4] < contrast[0] - 1.5, "a pattern outside the window must not be seen"


def test_most_eegs_are_judged_once_like_the_real_ones():
    """In train.csv 94 % of the EEGs with several windows of ten votes or more have one set of votes."""
    plans = [plan for plan in make_plan(SIZES["large"], SEED) if plan.group == "high"]
    several = [eeg for plan in plans for eeg in plan.eegs if len(eeg.offsets_s) > 1]
    assert np.mean([len({*eeg.judged_s}) == 1 for eeg in several]) == pytest.approx(0.94, abs=0.02)
    assert all({*eeg.judged_s} <= {*eeg.offsets_s} for eeg in several)
    plan = next(plan for plan in plans if len(plan.eegs[0].offsets_s) > 3 and len({*plan.eegs[0].votes}) == 1)
    again = plan.eegs[0]._replace(judged_s=plan.eegs[0].offsets_s)
    rows = [label_rows(SimulatedRecording(plan._replace(eegs=(eeg,)), SEED)) for eeg in (plan.eegs[0], again)]
    truths = [{tuple(row[name] for name in CLASSES) for row in of_eeg} for of_eeg in rows]
    assert [len(different) for different in truths] == [len({*plan.eegs[0].judged_s}), len(again.offsets_s)]


def test_a_pattern_that_only_grows_does_not_evolve():
    rest = np.random.default_rng(0).standard_normal((19, 30_600)).astype(np.float32)
    clock = Clock(-6.0, 30_600, SLOW_HZ)
    pattern = draw_pattern(np.random.default_rng(0), "gpd", Span(-6.0, 606.0), np.array([300.0])).sized(50.0, 300.0)
    even = replace(pattern, active=constant(1.0), log_size=constant(0.0))
    grows = replace(even, log_size=Curve(np.array([275.0, 325.0]), np.array([-2.5, 0.0])))
    knots_s = np.array([0.0, 275.0, 300.0, 325.0, 600.0])
    faster = replace(even, cycles=Curve(knots_s, np.array([0.0, 275.0, 300.0, 350.0, 900.0])))
    found = [measure(one, rest, clock, 300.0).evolution for one in (even, grows, faster)]
    assert found[1] == found[0]
    assert found[2] == pytest.approx(np.log(2), abs=0.01)


def test_evolution_makes_a_slower_rhythm_ictal():
    slow = CLEAR["grda"]._replace(frequency_hz=2.4, cycles=24.0)
    assert truth(slow._replace(evolution=0.6), pool())[0] > truth(slow, pool())[0] + 0.3


@pytest.fixture(scope="module")
def judged() -> tuple[np.ndarray, np.ndarray]:
    """Vote shares and truth of the first row with the most votes of high-vote EEGs; renders labels only."""
    shares, truths = [], []
    plans = [plan for plan in make_plan(SIZES["small"], SEED) if plan.group == "high"]
    for plan in plans[::4]:
        most = {eeg.eeg_id: max(eeg.votes) for eeg in plan.eegs}
        for row in label_rows(SimulatedRecording(plan, SEED)):
            votes = np.array([row[column] for column in VOTE_COLUMNS])
            if votes.sum() == most.get(row["eeg_id"]):
                most.pop(row["eeg_id"])
                assert votes.sum() >= HIGH_VOTES
                shares.append(votes / votes.sum())
                truths.append([row[name] for name in CLASSES])
    return np.array(shares), np.array(truths)


def divergence(target: np.ndarray, prediction: np.ndarray) -> float:
    ratio = np.where(target > 0, target, 1.0) / np.clip(prediction, 1e-15, 1.0)
    return float((target * np.log(ratio)).sum(axis=1).mean())


def test_the_constant_prior_is_as_bad_as_on_the_real_data(judged):
    shares, _ = judged
    assert 0.75 < divergence(shares, shares.mean(axis=0, keepdims=True)) < 1.20


def test_the_truth_leaves_only_the_noise_of_finite_votes(judged):
    assert 0.06 < divergence(*judged) < 0.14


def test_classes_are_as_frequent_as_in_the_real_data(judged):
    real = dict(zip(CLASSES, (0.05, 0.18, 0.12, 0.08, 0.09, 0.48), strict=True))
    assert dict(zip(CLASSES, judged[0].mean(axis=0).tolist(), strict=True)) == pytest.approx(real, abs=0.05)


def test_experts_disagree_as_much_as_the_real_ones(judged):
    shares, _ = judged
    entropy = -(shares * np.log(np.where(shares > 0, shares, 1.0))).sum(axis=1)
    assert entropy.mean() == pytest.approx(0.64, abs=0.07)  # all 1,000 of a seed: 0.61 to 0.67
    assert (shares.max(axis=1) == 1).mean() == pytest.approx(0.144, abs=0.06)


def test_classes_are_confused_as_by_real_experts(judged):
    shares, _ = judged
    real = [  # mean vote shares of the real rows in which each class leads
        [0.61, 0.08, 0.11, 0.05, 0.02, 0.12],
        [0.03, 0.72, 0.04, 0.07, 0.01, 0.13],
        [0.05, 0.06, 0.69, 0.01, 0.04, 0.15],
        [0.03, 0.11, 0.01, 0.55, 0.06, 0.25],
        [0.01, 0.02, 0.06, 0.05, 0.57, 0.28],
        [0.02, 0.05, 0.04, 0.06, 0.07, 0.77],
    ]
    leading = shares.argmax(axis=1)
    found = [shares[leading == k].mean(axis=0) for k in range(6)]
    np.testing.assert_allclose(found, real, atol=0.17)


def test_a_patient_resembles_itself_more_than_others():
    plans = [plan for plan in make_plan(SIZES["small"], SEED) if plan.group == "high"]
    kinds = {}
    for plan in plans:
        kinds.setdefault(plan.patient, []).append(plan.kind)
    same = [a == b for owned in kinds.values() for a, b in pairwise(owned)]
    shuffled = np.random.default_rng(0).permutation([plan.kind for plan in plans])
    assert np.mean(same) > np.mean(shuffled[:-1] == shuffled[1:]) + 0.1
