"""Movement artefacts: eyes, jaw and tongue, cables, the bed itself.

Amplitudes and fields follow Tatum et al. 2011 (J Clin Neurophysiol 28:219-232).
"""

import numpy as np
from jaxtyping import Float

from hms.electrodes import SCALP
from hms.simulate import geometry
from hms.simulate.clock import Curve, Span, alternate, gate, log_uniform, poisson_times, wander
from hms.simulate.sources import Drift, Train
from hms.simulate.wavelet import Wavelet

_FRONT = geometry.at("Fp1", "Fp2", "F7", "F8", "F3", "F4", "Fz", gains=(1.0, 1.0, 0.45, 0.45, 0.4, 0.4, 0.35))
_EYES_LATERAL = geometry.at("F7", "F8", "Fp1", "Fp2", "T3", "T4", gains=(1.0, -1.0, 0.35, -0.35, 0.3, -0.3))
_JAW = geometry.at("T3", "T4", "F7", "F8", "T5", "T6", "Fp1", "Fp2", gains=(1.0, 1.0, 0.8, 0.8, 0.4, 0.4, 0.4, 0.4))


def blinks(rng: np.random.Generator, over: Span, activity: float) -> Train:
    """Blinks, which turn the eye's dipole: 50-200 µV, 0.2-0.4 s, frontal and symmetric, during wakefulness."""
    events = poisson_times(rng, over, 0.25 * activity)
    awake = gate(alternate(rng, over, (15.0, 120.0), (10.0, 120.0)), rise_s=0.1).at(events) > 0.5
    events = events[awake]
    sizes = rng.uniform(40, 130) * np.exp(rng.normal(0, 0.25, len(events)))
    return Train(_FRONT, events, sizes, (Wavelet(0.0, 0.07, 1.0), Wavelet(0.16, 0.09, 0.35), Wavelet(0.4, 0.15, -0.15)))


def eye_movements(rng: np.random.Generator, over: Span) -> Drift:
    """Lateral gaze: opposite deflections at F7 and F8 of 20-80 µV, held for 0.5-3 s."""
    glances = gate(alternate(rng, over, (0.5, 3.0), (2.0, 20.0)), rise_s=0.12)
    sign = np.repeat(rng.choice([-1.0, 1.0], len(glances.values) // 4), 4)
    return Drift(_EYES_LATERAL, Curve(glances.knots_s, rng.uniform(20, 80) * sign * glances.values))


def chewing(rng: np.random.Generator, over: Span) -> tuple[Drift, Train]:
    """Muscle (SD in µV) and tongue (µV): bouts of temporal bursts, 1-2 per second, each with a slow frontal wave.

    The tongue is a dipole that moves with the jaw (glossokinetic potential); together they look like spike-and-wave.
    """
    period_s = rng.uniform(0.5, 1.0)
    chews = np.arange(over.start_s, over.end_s, period_s)
    chews += rng.normal(0, 0.06 * period_s, len(chews))
    on = gate(alternate(rng, over, (4.0, 30.0), (10.0, 120.0)), rise_s=0.1).at(chews) > 0.5
    chews, sizes = chews[on], np.exp(rng.normal(0, 0.25, on.sum()))
    half_s = 0.28 * period_s
    knots_s = (chews[:, None] + half_s * np.array([-1.0, -0.4, 0.4, 1.0])).ravel()
    bursts = Curve(knots_s, (sizes[:, None] * np.array([0.0, 1.0, 1.0, 0.0])).ravel())
    if len(chews) == 0:
        bursts = Curve(np.zeros(1), np.zeros(1))
    muscle = Drift((rng.uniform(10, 50) * _JAW).astype(np.float32), bursts)
    wave = (Wavelet(0.1 * period_s, 0.18 * period_s, 1.0), Wavelet(0.5 * period_s, 0.2 * period_s, -0.5))
    return muscle, Train(geometry.source(65.0, 0.0, 0.7), chews, rng.uniform(10, 60) * sizes, wave)


def pulling(rng: np.random.Generator, over: Span, active: Curve) -> tuple[Drift, ...]:
    """Head movements that pull on cables: swings of 50-400 µV and about a second, at a few electrodes at a time."""
    swings = []
    for _ in range(rng.integers(2, 5)):
        field = geometry.source(rng.uniform(40.0, 95.0), rng.uniform(-180.0, 180.0), rng.uniform(0.2, 0.5))
        swing = wander(rng, over, timescale_s=rng.uniform(0.6, 2.0), sd=rng.uniform(30, 150))
        bouts = gate(alternate(rng, over, (1.0, 6.0), (1.0, 15.0)), rise_s=0.3)
        swings.append(Drift(field, swing.multiplied(active).multiplied(bouts)))
    return tuple(swings)


def shaking(rng: np.random.Generator, over: Span) -> Train:
    """Chest percussion, a ventilator or a shaken bed: very regular, at one or two electrodes, unlike any source."""
    period_s = 1 / float(log_uniform(rng, 0.9, 5.0))
    beats = np.arange(over.start_s, over.end_s, period_s) + rng.uniform(0, period_s)
    on = gate(alternate(rng, over, (10.0, 90.0), (20.0, 200.0)), rise_s=0.1).at(beats) > 0.5
    touched = rng.choice(len(SCALP), rng.integers(1, 3), replace=False)
    field: Float[np.ndarray, " 19"] = np.zeros(len(SCALP), np.float32)
    field[touched] = rng.uniform(0.5, 1.0, len(touched)) * rng.choice([-1, 1], len(touched))
    sizes = rng.uniform(20, 90) * np.exp(rng.normal(0, 0.05, on.sum()))
    wave = (Wavelet(0.0, 0.2 * period_s, 1.0), Wavelet(0.3 * period_s, 0.1 * period_s, -0.4))
    return Train(field, beats[on], sizes, wave)
