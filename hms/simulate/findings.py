"""What an expert can see in the labelled ten seconds and the forty around them, measured on the rendered signal.

These are the quantities by which ACNS 2021 defines its terms: amplitude relative to the background, number of cycles
(at least six make a pattern), frequency, evolution, an interval between discharges, regularity, and laterality. An
expert does not know what was planned: a rhythm that stands out from the background counts like a pattern.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float
from scipy import fft

from hms.simulate import geometry
from hms.simulate.clock import Clock
from hms.simulate.noise import SLOW_HZ
from hms.simulate.patterns import Pattern
from hms.spectrogram_recipe import bipolar
from hms.window_lengths import CENTRE_S, EEG_S

_OFF_CENTRE = np.log(2.0)  # outside the central ten seconds a pattern counts as if half as large


class Findings(NamedTuple):
    """Findings in one window."""

    log_contrast: float
    """ln(peak amplitude of the pattern / robust SD of the rest), where the pattern is largest."""
    cycles: float
    frequency_hz: float
    evolution: float
    """|change of log frequency| over the window; ACNS: amplitude alone does not evolve."""
    peakedness: float
    """ln(98th percentile / median of |pattern|): sine 0.35, sparse spikes above 1.5."""
    laterality: float
    """|left - right| / (left + right), mean rms of the pairs on each side."""
    irregularity: float
    """Median |change of log cycle length| between successive cycles."""

    @property
    def conspicuity(self) -> float:
        """Log contrast, reduced if there are fewer than six cycles or if cycle lengths vary too much (ACNS)."""
        few = 0.6 * min(float(np.log(max(self.cycles, 0.1) / 6.0)), 0.0)
        return self.log_contrast + few - 2.0 * max(self.irregularity - 0.33, 0.0)


def measure(
    pattern: Pattern | None, rest: Float[np.ndarray, "19 slow_time"], rest_clock: Clock, centre_s: float
) -> Findings:
    """Measure the fifty seconds around `centre_s`; `rest` is everything but the pattern, at the slow rate.

    The findings are those of the pattern or of the background's own rhythm, whichever stands out more. Experts see the
    whole window but judge its central ten seconds, unless the pattern fills half of the ten seconds in which it is
    largest and stands out twice as much there.
    """
    central = Clock(centre_s - CENTRE_S / 2, round(CENTRE_S * SLOW_HZ), SLOW_HZ)
    candidates = [_of_background(_pairs(rest, rest_clock, central))]
    if pattern is not None:
        for offset_s in {0.0, _strongest_offset_s(pattern, centre_s)}:
            clock = central._replace(start_s=central.start_s + offset_s)
            on = pattern.active.at(clock.times_s()) > 0.5
            if on.mean() >= (0.5 if offset_s else 0.05):
                rest_uv = geometry.background_amplitude(_pairs(rest, rest_clock, clock))
                found = _of_pattern(pattern, clock, on, rest_uv, centre_s)
                candidates.append(found._replace(log_contrast=found.log_contrast - _OFF_CENTRE * (offset_s != 0)))
    return max(candidates, key=lambda findings: findings.conspicuity)


def _strongest_offset_s(pattern: Pattern, centre_s: float) -> float:
    """Offset from the centre of the ten seconds, out of the fifty, in which the pattern is largest."""
    times_s = centre_s + np.arange(-EEG_S / 2, EEG_S / 2, 0.5) + 0.25
    size = pattern.active.at(times_s) * np.exp(pattern.log_size.at(times_s))
    return CENTRE_S * (int(size.reshape(5, 20).mean(axis=1).argmax()) - 2)


def _pairs(rest: Float[np.ndarray, "19 slow_time"], rest_clock: Clock, clock: Clock) -> Float[np.ndarray, "16 time"]:
    return bipolar(rest[:, rest_clock.part(clock.start_s, CENTRE_S)])


def _of_pattern(
    pattern: Pattern, clock: Clock, on: Bool[np.ndarray, " time"], rest_uv: float, centre_s: float
) -> Findings:
    pairs = bipolar(pattern.render(clock))[:, on]
    speed_hz = np.diff(pattern.cycles.at(clock.times_s()), append=np.nan) * SLOW_HZ
    frequency_hz = float(np.nanmean(speed_hz[on]))
    return Findings(
        log_contrast=_log_contrast(pairs, rest_uv),
        cycles=frequency_hz * CENTRE_S * float(on.mean()),
        frequency_hz=frequency_hz,
        evolution=_evolution(pattern, centre_s),
        peakedness=_peakedness(bipolar(pattern.steady().render(clock))[:, on]),
        laterality=_laterality(pairs),
        irregularity=irregularity_of(pattern, clock),
    )


def _of_background(pairs: Float[np.ndarray, "16 slow_time"]) -> Findings:
    """The strongest rhythm of 0.7-5 Hz: a 0.8 Hz band, as far as it exceeds a 1/f² spectrum, relative to the rest.

    It is a sine by construction, and measured by its rms, because bursts of noise have high peaks but do not last.
    """
    samples = pairs.shape[1]
    hz = np.arange(samples // 2 + 1) * (SLOW_HZ / samples)
    waves = fft.rfft(pairs - pairs.mean(axis=1, keepdims=True), axis=1)
    level = hz**2 * np.convolve((np.abs(waves) ** 2).sum(axis=0), np.ones(7), mode="same")
    sought = (hz >= 0.7) & (hz <= 5.0)
    peak = int(np.where(sought, level, 0.0).argmax())
    rhythm = fft.irfft(waves * (np.abs(hz - hz[peak]) <= 0.4), samples, axis=1)
    excess = 1 - np.median(level[sought]) / max(level[peak], 1e-6)
    size_uv = float(np.sqrt(2 * excess) * np.sort(rhythm.std(axis=1))[-4:].mean())
    return Findings(
        log_contrast=float(np.log(max(size_uv, 0.1) / max(geometry.background_amplitude(pairs - rhythm), 1.0))),
        cycles=float(hz[peak]) * CENTRE_S,
        frequency_hz=float(hz[peak]),
        evolution=0.0,
        peakedness=0.35,
        laterality=_laterality(rhythm),
        irregularity=0.0,
    )


def _log_contrast(pairs: Float[np.ndarray, "16 time"], rest_uv: float) -> float:
    return float(np.log(max(geometry.peak_amplitude(pairs), 0.1) / max(rest_uv, 1.0)))


def _peakedness(pairs: Float[np.ndarray, "16 time"]) -> float:
    main = np.abs(pairs[(pairs**2).mean(axis=1).argmax()])
    return float(np.log(max(np.percentile(main, 98), 1e-3) / max(np.median(main), 0.05 * main.max(), 1e-3)))


def _laterality(pairs: Float[np.ndarray, "16 time"]) -> float:
    rms = np.sqrt((pairs**2).mean(axis=1))
    left, right = rms[geometry.LEFT_PAIRS].mean(), rms[~geometry.LEFT_PAIRS].mean()
    return float(abs(left - right) / max(left + right, 1e-3))


def _evolution(pattern: Pattern, centre_s: float) -> float:
    times_s = centre_s + np.arange(-EEG_S / 2, EEG_S / 2 + 0.1, 0.5)
    times_s = times_s[pattern.active.at(times_s) > 0.5]
    if len(times_s) < 12:  # ACNS: evolution takes at least two changes, for which six seconds are too short
        return 0.0
    third = len(times_s) // 3
    log_hz = np.log((pattern.cycles.at(times_s + 0.25) - pattern.cycles.at(times_s - 0.25)) / 0.5)
    return float(abs(log_hz[-third:].mean() - log_hz[:third].mean()))


def irregularity_of(pattern: Pattern, clock: Clock) -> float:
    """Irregularity of the intervals between discharges, or of the waves' cycles; 0 if there are too few to tell."""
    if pattern.periodic_share > 0.5:
        events_s = pattern.discharges_s
    else:
        first, last = pattern.cycles.at(np.array([clock.start_s - 1, clock.start_s + CENTRE_S + 1]))
        events_s = np.interp(np.arange(np.ceil(first), last), pattern.cycles.values, pattern.cycles.knots_s)
    events_s = events_s[np.abs(events_s - clock.start_s - CENTRE_S / 2) < CENTRE_S / 2 + 1]
    if len(events_s) < 4:
        return 0.0
    lengths = np.maximum(np.diff(events_s), 0.05)
    return float(np.median(np.abs(np.diff(np.log(lengths)))))
