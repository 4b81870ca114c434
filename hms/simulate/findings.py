"""What an expert can see of a pattern in the ten seconds of a label, measured on the signal that came out.

The quantities are the ones ACNS 2021 defines its terms by: size against the background, number of cycles (a pattern
has at least six), frequency, evolution, whether there is an interval between discharges, and laterality.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from hms.simulate import geometry
from hms.simulate.clock import Clock
from hms.simulate.noise import SLOW_HZ
from hms.simulate.patterns import Pattern

LABEL_S = 10.0
"""Experts labelled the central ten seconds of a window."""


class Findings(NamedTuple):
    """Measured on one window; `nothing` where there is no pattern at all."""

    log_contrast: float  # ln of the pattern's peak size over the robust SD of all else
    cycles: float
    frequency_hz: float
    evolution: float  # |change of log frequency| + |change of log amplitude| / 3 over thirty seconds
    peakedness: float  # ln of 98th percentile over median of |pattern|: sine 0.35, spikes far apart above 1.5
    laterality: float  # |left - right| / (left + right) of the rms over the pairs


NOTHING = Findings(-3.0, 0.0, 1.0, 0.0, 1.0, 0.3)


def measure(pattern: Pattern, rest: Float[np.ndarray, "19 slow_time"], rest_clock: Clock, centre_s: float) -> Findings:
    """Findings in the ten seconds around `centre_s`; `rest` is everything but the pattern, at the slow rate."""
    clock = Clock(centre_s - LABEL_S / 2, round(LABEL_S * SLOW_HZ), SLOW_HZ)
    on = pattern.active.at(clock.times_s()) > 0.5
    if on.mean() < 0.05:
        return NOTHING
    pairs = geometry.bipolar(pattern.render(clock))[:, on]
    other = geometry.bipolar(rest[:, rest_clock.part(clock.start_s, LABEL_S)])
    speed_hz = np.diff(pattern.cycles.at(clock.times_s()), append=np.nan) * SLOW_HZ
    rms = np.sqrt((pairs**2).mean(axis=1))
    left, right = rms[geometry.LEFT_PAIRS].mean(), rms[~geometry.LEFT_PAIRS].mean()
    main = np.abs(pairs[rms.argmax()])
    frequency_hz = float(np.nanmean(speed_hz[on]))
    return Findings(
        log_contrast=float(np.log(geometry.loudest(pairs) / max(geometry.robust_sd(other), 1.0))),
        cycles=frequency_hz * LABEL_S * float(on.mean()),
        frequency_hz=frequency_hz,
        evolution=_evolution(pattern, centre_s),
        peakedness=float(np.log(np.percentile(main, 98) / max(np.median(main), 0.05 * main.max()))),
        laterality=float(abs(left - right) / (left + right)),
    )


def _evolution(pattern: Pattern, centre_s: float) -> float:
    times_s = centre_s + np.arange(-15.0, 15.1, 0.5)
    times_s = times_s[pattern.active.at(times_s) > 0.5]
    if len(times_s) < 12:  # ACNS: evolution wants at least two changes, which six seconds do not hold
        return 0.0
    third = len(times_s) // 3
    log_hz = np.log((pattern.cycles.at(times_s + 0.25) - pattern.cycles.at(times_s - 0.25)) / 0.5)
    log_size = pattern.log_size.at(times_s)
    change = [abs(curve[-third:].mean() - curve[:third].mean()) for curve in (log_hz, log_size)]
    return float(change[0] + change[1] / 3)
