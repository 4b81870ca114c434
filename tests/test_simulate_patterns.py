"""The rendered signal has the rate, frequency, side and evolution of its latent state."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import signal

from hms.simulate import geometry
from hms.simulate.artefacts import draw_artefacts
from hms.simulate.background import draw_background, draw_brain
from hms.simulate.clock import Clock, Curve, Span
from hms.simulate.corpus import SIZES
from hms.simulate.findings import irregularity_of, measure
from hms.simulate.kinds import SLOW_WAVE, draw_pattern
from hms.simulate.noise import SLOW_HZ, coloured, interpolate
from hms.simulate.patterns import Pattern
from hms.simulate.plan import make_plan
from hms.simulate.presence import draw_seizure
from hms.simulate.recording import SimulatedRecording, first_inner_row
from hms.spectrogram_recipe import bipolar

OVER = Span(-6.0, 606.0)
CENTRE_S = 300.0


def patterns(kind: str, count: int) -> list[Pattern]:
    """Patterns of one kind, all of the same amplitude."""
    drawn = [draw_pattern(np.random.default_rng(seed), kind, OVER, np.array([CENTRE_S])) for seed in range(count)]
    return [pattern.sized(100.0, CENTRE_S) for pattern in drawn]


def pairs_at(pattern: Pattern, duration_s: float = 10.0, sfreq_hz: int = 200) -> np.ndarray:
    clock = Clock(CENTRE_S - duration_s / 2, round(duration_s * sfreq_hz), sfreq_hz)
    return bipolar(pattern.render(clock))


def always(pattern: Pattern) -> Pattern:
    return replace(pattern, active=Curve(np.zeros(1), np.ones(1)))


def peak_hz(wave: np.ndarray, sfreq_hz: int = 200) -> float:
    hz, power = signal.periodogram(wave, sfreq_hz, nfft=1 << 15, window="hann")
    return float(hz[power.argmax()])


@pytest.mark.parametrize("kind", ["lpd", "gpd"])
def test_discharges_of_the_signal_come_at_the_latent_rate(kind):
    for pattern in patterns(kind, 8):
        wave = pattern._wave(Clock(CENTRE_S - 20, 8000, 200), 0)
        latent_s = pattern.discharges_s[np.abs(pattern.discharges_s - CENTRE_S) < 20]
        peaks, _ = signal.find_peaks(wave, height=0.2 * np.percentile(wave, 99.5))
        peaks_s = CENTRE_S - 20 + peaks / 200
        assert np.mean([np.abs(peaks_s - moment).min() < 0.04 for moment in latent_s]) > 0.8


def test_discharges_are_positive_or_negative_and_the_r_wave_mostly_negative():
    upward = [pattern.fields[0].sum() > 0 for pattern in patterns("lpd", 40)]
    assert 0.3 < np.mean(upward) < 0.7
    drawn = (draw_artefacts(np.random.default_rng(seed), OVER, False, None) for seed in range(40))
    assert 0.6 < np.mean([artefacts.heart_uv < 0 for artefacts in drawn]) < 1


@pytest.mark.parametrize("kind", ["lrda", "grda"])
def test_rhythmic_delta_peaks_at_its_latent_frequency(kind):
    off = []
    for pattern in map(always, patterns(kind, 12)):
        pairs = pairs_at(pattern, 20.0)
        cycles = np.diff(pattern.cycles.at(np.array([CENTRE_S - 10, CENTRE_S + 10])))[0]
        off.append(abs(peak_hz(pairs[pairs.std(axis=1).argmax()]) / (cycles / 20) - 1))
    assert np.median(off) < 0.12
    assert np.percentile(off, 90) < 0.35  # the least regular ones wander as much


def test_lateralised_patterns_prefer_a_side_and_generalised_ones_do_not():
    def preference(kind: str) -> np.ndarray:
        size = [pairs_at(always(pattern)).std(axis=1) for pattern in patterns(kind, 30)]
        left = np.array([one[geometry.LEFT_PAIRS].mean() for one in size])
        right = np.array([one[~geometry.LEFT_PAIRS].mean() for one in size])
        return np.abs(left - right) / (left + right)

    for lateralised, generalised in (("lpd", "gpd"), ("lrda", "grda")):
        assert np.median(preference(lateralised)) > 0.4
        assert np.percentile(preference(generalised), 80) < 0.25


def test_periodic_patterns_have_intervals_and_rhythmic_ones_have_none():
    rest = np.random.default_rng(0).standard_normal((19, 30_600)).astype(np.float32)
    clock = Clock(-6.0, 30_600, SLOW_HZ)

    def peakedness(kind: str) -> np.ndarray:
        return np.array([measure(always(p), rest, clock, CENTRE_S).peakedness for p in patterns(kind, 30)])

    assert np.median(peakedness("gpd")) > 1.2
    assert np.median(peakedness("grda")) < 0.8


def test_rhythms_are_at_most_as_irregular_as_their_definition_allows():
    """ACNS: the length of most cycles changes by less than half from one to the next."""
    uneven = [irregularity_of(pattern, Clock(CENTRE_S - 5, 500, SLOW_HZ)) for pattern in patterns("grda", 40)]
    assert np.percentile(uneven, 10) < 0.1
    assert 0.2 < np.percentile(uneven, 95) < np.log(1.5)


def test_slow_waves_have_a_wider_field_than_sharp_ones():
    for pattern in patterns("gpd", 10):
        widest = max(pattern.discharge, key=lambda wavelet: wavelet.sigma_s * (wavelet.carrier_hz == 0))
        assert pattern.discharge.index(widest) == SLOW_WAVE
        first, second = pattern.discharge_sizes
        np.testing.assert_array_equal(first[:, SLOW_WAVE], second[:, SLOW_WAVE])
        assert (np.delete(second, SLOW_WAVE, 1) < np.delete(first, SLOW_WAVE, 1)).all()


def test_seizures_evolve_except_in_status():
    slower, larger, status = 0, 0, 0
    for pattern in patterns("seizure", 40):
        start_s, end_s = next(
            span for span in pattern.active.knots_s.reshape(-1, 4)[:, [0, 3]] if span[0] - 12 < CENTRE_S < span[1]
        )
        if end_s - start_s > 500:
            status += 1
            assert pattern.periodic_share >= 0.45
            continue
        early, late = start_s + 0.2 * (end_s - start_s), start_s + 0.9 * (end_s - start_s)
        speed = np.diff(pattern.cycles.at(np.array([early - 1, early + 1, late - 1, late + 1])))[[0, 2]]
        slower += speed[1] < speed[0]
        larger += np.diff(pattern.log_size.at(np.array([start_s + 1, late])))[0] > 0
        assert np.ptp(pattern.spread.at(np.array([start_s, end_s]))) > 0.3
    assert 5 <= status <= 15
    assert slower >= 0.75 * (40 - status)
    assert larger >= 0.75 * (40 - status)


def test_seizures_of_neighbouring_eegs_do_not_overlap():
    for seed in range(200):
        spans = draw_seizure(np.random.default_rng(seed), Span(-6, 800), np.array([300.0, 352.0])).spans
        assert (np.diff(spans.ravel()) > 0).all()


def test_a_pattern_is_the_same_at_every_sampling_rate_and_start():
    for pattern in patterns("gpd", 3) + patterns("grda", 3):
        fine = pattern.render(Clock(290.0, 4000, 200))
        coarse = pattern.render(Clock(295.0, 500, 50))
        np.testing.assert_allclose(fine[:, 1000:3000:4], coarse, atol=1e-3)


def test_a_pattern_has_the_requested_amplitude():
    for pattern in patterns("lpd", 5):
        assert geometry.peak_amplitude(pairs_at(always(pattern))) == pytest.approx(100, rel=0.8)


def test_noise_has_the_power_of_its_spectrum_and_the_bands_add_up():
    rng = np.random.default_rng(0)

    def flat(hz: np.ndarray) -> np.ndarray:
        return np.full_like(hz, 2.0)

    slow_clock, clock = Clock(0.0, 100 * SLOW_HZ, SLOW_HZ), Clock(10.0, 80 * 200, 200)
    both = interpolate(coloured(rng, 8, slow_clock, flat, "slow"), slow_clock, clock)
    both = both + coloured(rng, 8, clock, flat, "fast")
    hz, power = signal.welch(both, 200, nperseg=400)
    level = power.mean(axis=0)
    for low, high in ((1, 20), (20, 26), (26, 95)):
        assert level[(hz >= low) & (hz < high)].mean() == pytest.approx(2.0, rel=0.08)


def test_interpolation_keeps_the_slow_samples():
    slow_clock = Clock(0.0, 100 * SLOW_HZ, SLOW_HZ)
    slow = coloured(np.random.default_rng(1), 2, slow_clock, lambda hz: 1 / (1 + hz**2), "slow")
    fine = interpolate(slow, slow_clock, Clock(20.0, 50 * 200, 200))
    np.testing.assert_allclose(fine[:, ::4], slow[:, slow_clock.part(20.0, 50.0)], atol=2e-3)


def test_the_background_has_the_amplitude_of_its_brain():
    for seed in range(6):
        rng = np.random.default_rng(seed)
        brain = draw_brain(rng, plain=False)
        if brain.suppressed or brain.rhythms:
            continue
        background = draw_background(rng, brain, OVER)
        noise = background.render(rng, Clock(-6.0, 30_600, SLOW_HZ), fast=False)
        sos = signal.butter(2, 0.5, "highpass", fs=SLOW_HZ, output="sos")
        size = geometry.background_amplitude(signal.sosfiltfilt(sos, bipolar(noise)))
        assert 0.6 < size / brain.amplitude_uv < 1.5


def test_the_joins_of_eeg_and_outer_minutes_are_invisible_in_the_spectrogram():
    step, spread = [], []
    for plan in make_plan(SIZES["small"], 0)[::40][:24]:
        if len(plan.eegs) > 1 or plan.kind == "seizure":
            continue
        recording = SimulatedRecording(plan, 0)
        power = np.log(recording.spectrogram([recording.eeg(0)]) + 1e-6).reshape(-1, 4, 100)
        first = first_inner_row(plan.eegs[0])
        last = first + plan.eegs[0].duration_s // 2 - 1
        bands = power.reshape(-1, 4, 5, 20).mean(axis=(1, 3))  # five bands of 4 Hz
        inside = np.concatenate([bands[first : first + 12], bands[last - 12 : last]])
        outside = np.concatenate([bands[first - 12 : first], bands[last : last + 12]])
        step.append(inside.mean(axis=0) - outside.mean(axis=0))
    step, spread = np.nanmean(step, axis=0), np.nanstd(step, axis=0) / np.sqrt(len(step))
    assert np.all(np.abs(step) < np.maximum(4 * spread, 0.1)), step
