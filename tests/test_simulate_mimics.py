"""Mimics of patterns: fragments, sporadic discharges, slowing, sleep, chewing."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import signal

from hms.electrodes import SCALP
from hms.labels import CLASSES
from hms.simulate import geometry, mimics
from hms.simulate.artefacts import Artefacts, _convulsion
from hms.simulate.clock import Clock, Curve, Span, gate
from hms.simulate.equipment import draw_equipment
from hms.simulate.experts import draw_pool, truth
from hms.simulate.findings import measure
from hms.simulate.kinds import draw_pattern
from hms.simulate.movement import chewing, pulling
from hms.simulate.noise import SLOW_HZ, coloured
from hms.simulate.sleep import draw_sleep
from hms.simulate.sources import Train, sum_sources
from hms.spectrogram_recipe import bipolar

OVER = Span(-6.0, 606.0)
CENTRE_S = 300.0
CENTRES_S = np.array([CENTRE_S])
SLOW = Clock(-6.0, 30_600, SLOW_HZ)


def quiet(seed: int = 0) -> np.ndarray:
    """A background of 10 µV without any rhythm: 1/f² above 1 Hz."""
    rng = np.random.default_rng(seed)
    noise = coloured(rng, 19, SLOW, lambda hz: 60 / (1 + hz**2), "slow")
    return noise * np.float32(10 / geometry.background_amplitude(bipolar(noise)))


def judged(change: str, kind: str, count: int = 24) -> tuple[np.ndarray, np.ndarray]:
    """Irregularity, and probability of "other", of clear patterns of a kind, unchanged or turned into a mimic."""
    pool, rest, found = draw_pool(np.random.default_rng(3)), quiet(), []
    for seed in range(count):
        rng = np.random.default_rng(seed)
        pattern = draw_pattern(rng, kind, OVER, CENTRES_S)
        if change == "fragment":
            pattern = mimics._fragment(rng, pattern, OVER)
        elif change:
            pattern = mimics._sporadic(rng, pattern) if change == "sporadic" else mimics._slowing(rng, pattern)
        seen = measure(pattern.sized(35.0, CENTRE_S), rest, SLOW, CENTRE_S)
        found.append((seen.irregularity, truth(seen, pool)[CLASSES.index("other")]))
    irregularity, other = np.array(found).T
    return irregularity, other


@pytest.mark.parametrize(("change", "kind"), [("fragment", "lpd"), ("sporadic", "gpd"), ("slowing", "grda")])
def test_more_experts_call_a_mimic_other_than_the_pattern_it_resembles(change, kind):
    (_, mimic), (_, pattern) = judged(change, kind), judged("", kind)
    assert mimic.mean() > pattern.mean() + 0.1
    assert 0.1 < mimic.mean() < 0.95  # hard, not obvious


@pytest.mark.parametrize(("change", "kind"), [("sporadic", "lpd"), ("slowing", "lrda")])
def test_sporadic_discharges_and_slowing_are_irregular(change, kind):
    (mimic, _), (pattern, _) = judged(change, kind), judged("", kind)
    assert np.median(mimic) > 1.5 * np.median(pattern)
    assert np.median(pattern) < 0.3


def test_a_background_without_a_rhythm_is_other_and_one_with_a_rhythm_is_not():
    pool, rest = draw_pool(np.random.default_rng(3)), quiet()
    moments = np.arange(50.0, 550.0, 50.0)
    plain = [truth(measure(None, rest, SLOW, moment), pool)[5] for moment in moments]
    wave = 150 * np.sin(2 * np.pi * 2.0 * SLOW.times_s()).astype(np.float32)
    rhythmic = rest + geometry.source(40.0, 0.0, 0.7)[:, None] * wave
    assert np.mean(plain) > 0.85
    found = np.mean([truth(measure(None, rhythmic, SLOW, moment), pool) for moment in moments], axis=0)
    assert CLASSES[found.argmax()] == "grda"


def test_sleep_waves_are_largest_at_vertex_and_occiput_and_come_in_phases():
    for seed in range(4):
        vertex, complexes, occipital = draw_sleep(np.random.default_rng(seed), OVER, 12.0)
        assert SCALP[vertex.field.argmax()] == "Cz"
        assert SCALP[complexes.field.argmax()] in ("Cz", "Fz")
        assert SCALP[occipital.field.argmax()] in ("O1", "O2")
        wave = sum_sources((vertex, complexes), Clock(0.0, 30_000, SLOW_HZ))[SCALP.index("Cz")]
        assert -wave.min() > wave.max()  # surface-negative
        assert -wave.min() > 3 * 12.0
        wave = wave.reshape(-1, 500)
        assert (np.abs(wave).max(axis=1) < 5).mean() > 0.05  # awake


def test_chewing_is_temporal_muscle_once_or_twice_a_second():
    rng = np.random.default_rng(1)
    muscle, tongue = chewing(rng, OVER)
    heart = Train(np.zeros(19, np.float32), np.zeros(0), np.zeros(0), tongue.shape)
    artefacts = Artefacts((tongue,), (muscle,), heart, 100.0)
    clock = Clock(0.0, 100_000, 200)
    wave = artefacts.muscle(rng, clock, fast=True)
    assert SCALP[wave.std(axis=1).argmax()] in ("T3", "T4")
    envelope = np.abs(wave[SCALP.index("T3")])
    hz, power = signal.welch(envelope - envelope.mean(), 200, nperseg=4000)
    sought = (hz > 0.6) & (hz < 4)
    assert 0.9 < hz[sought][power[sought].argmax()] < 2.2


def test_bridged_electrodes_record_the_same():
    clock = Clock(0.0, 2000, 200)
    eeg = np.random.default_rng(0).normal(0, 20, (20, 2000)).astype(np.float32)
    before = eeg.copy()
    equipment = draw_equipment(np.random.default_rng(0), OVER)
    bridged = replace(equipment, bridged_pair=3, dead_electrode=-1, missing=np.zeros((0, 2)))
    flat = bipolar(bridged.record(eeg, clock, mains=False)[:19]).std(axis=1)
    assert flat[3] < 1e-3
    assert np.delete(flat, 3).min() > 5
    np.testing.assert_array_equal(eeg, before)


def test_every_mimic_is_drawn_and_some_recordings_have_none():
    drawn = [mimics.draw_mimic(np.random.default_rng(seed), OVER, CENTRES_S, 12.0) for seed in range(40)]
    assert 1 <= sum(pattern is None for pattern in drawn) <= 14
    there = [pattern for pattern in drawn if pattern is not None]
    brief = [np.median(np.diff(pattern.active.knots_s.reshape(-1, 4)[:, [0, 3]], axis=1)) for pattern in there
             if len(pattern.active.knots_s) >= 4]  # fmt: skip
    assert min(brief) < 4 < max(brief)


def test_the_third_harmonic_of_60_hz_lies_at_20_hz_in_the_eeg_and_that_of_50_hz_nowhere_new():
    equipment = replace(draw_equipment(np.random.default_rng(0), OVER), harmonic=0.02, mains_uv=np.full(20, 3000.0))
    clock = Clock(0.0, 10_000, 200)
    hum = replace(equipment, mains_hz=60.02).hum(clock)
    hz, power = signal.periodogram(hum, 200, window="hann")
    assert hz[power.mean(axis=0).argmax()] == pytest.approx(19.94, abs=0.03)
    np.testing.assert_allclose(hum.std(axis=1), 0.02 * 3000 / np.sqrt(2), rtol=0.02)
    assert not replace(equipment, mains_hz=50.02).hum(clock).any()


def test_muscle_and_movement_of_a_motor_seizure_end_with_it():
    seizing = gate(np.array([[100.0, 140.0]]), rise_s=1.0)
    muscle = _convulsion(np.random.default_rng(0), OVER, seizing)
    pulls = pulling(np.random.default_rng(0), OVER, seizing)
    times_s = np.arange(0.0, 600.0, 0.1)
    for source in (muscle, *pulls):
        size = np.abs(source.curve.at(times_s))
        assert size[(times_s > 101) & (times_s < 139)].max() > 0
        assert not size[(times_s < 99.5) | (times_s > 140.5)].any()


def test_the_product_of_two_curves_is_exact_at_the_knots_of_both():
    one, other = Curve(np.array([0.0, 2.0]), np.array([0.0, 4.0])), Curve(np.array([1.0, 3.0]), np.array([1.0, 2.0]))
    product = one.multiplied(other)
    np.testing.assert_allclose(product.knots_s, [0, 1, 2, 3])
    np.testing.assert_allclose(product.values, [0, 2, 6, 8])
