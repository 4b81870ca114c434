"""Artefacts: eyes, muscle, heart, sweat, chewing, nursing care and loose electrodes.

Critical-care EEG is full of them. Each is defined over the whole recording, so that the ten-minute spectrogram shows
the same artefacts as the EEG file.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from hms.electrodes import POSITIONS, SCALP
from hms.simulate import geometry
from hms.simulate.clock import (
    Clock,
    Curve,
    Span,
    alternate,
    constant,
    gate,
    log_uniform,
    poisson_times,
    random_sign,
    wander,
)
from hms.simulate.movement import blinks, chewing, eye_movements, pulling, shaking
from hms.simulate.noise import coloured
from hms.simulate.sources import Drift, Train, sum_sources
from hms.simulate.wavelet import Wavelet

_MUSCLE = geometry.at(
    *("T3", "T4", "F7", "F8", "Fp1", "Fp2", "T5", "T6", "F3", "F4", "O1", "O2"),
    gains=(1.0, 1.0, 0.8, 0.8, 0.6, 0.6, 0.5, 0.5, 0.25, 0.25, 0.2, 0.2),
)
_QRS = (
    Wavelet(-0.030, 0.010, -0.15),
    Wavelet(0.0, 0.011, 1.0),
    Wavelet(0.028, 0.011, -0.25),
    Wavelet(0.26, 0.05, 0.25),
)


@dataclass(frozen=True)
class Artefacts:
    """All artefacts of one recording."""

    waves: tuple[Train | Drift, ...]
    """µV."""
    muscles: tuple[Drift, ...]
    """SD (µV) at each electrode, and muscle tension over time."""
    heart: Train
    """Waveform of the EKG channel; its field is the share that reaches the scalp."""
    heart_uv: float

    def render(self, clock: Clock) -> Float[np.ndarray, "19 time"]:
        """All artefacts except muscle at the scalp electrodes, in µV."""
        return sum_sources((*self.waves, self.heart), clock)

    def muscle(self, rng: np.random.Generator, clock: Clock, fast: bool) -> Float[np.ndarray, "19 time"]:
        """Muscle activity at the scalp (µV), independent at each electrode, which lies over fibres of its own."""
        tension = sum_sources(self.muscles, clock)
        tense = np.flatnonzero(tension.any(axis=1))
        if len(tense):
            tension[tense] *= coloured(rng, len(tense), clock, _muscle_power, "fast" if fast else "slow")
        return tension

    def heart_channel(self, clock: Clock) -> Float[np.ndarray, " time"]:
        """The EKG channel in µV."""
        return (self.heart_uv * self.heart.render(clock)).astype(np.float32)


def _muscle_power(hz: Float[np.ndarray, " frequency"]) -> Float[np.ndarray, " frequency"]:
    """Unit-variance spectrum of scalp EMG: rises from 15 Hz to a broad maximum at 40-80 Hz (Goncharova et al. 2003)."""
    return 1.2 / 70 / (1 + (28 / hz) ** 4)


def draw_artefacts(rng: np.random.Generator, over: Span, restless: bool, seizing: Curve | None) -> Artefacts:
    """Draw the artefacts of one recording; there are more if the patient is `restless` or being cared for.

    `seizing` is 1 during a seizure, else 0. In a third of the recordings with seizures the patient convulses: tonic
    muscle, then clonic jerks.
    """
    activity = 2.0 if restless else 1.0
    waves: list[Train | Drift] = []
    muscles: list[Drift] = []
    if rng.random() < 0.3 * activity:
        waves.append(blinks(rng, over, activity))
    if rng.random() < 0.18 * activity:
        waves.append(eye_movements(rng, over))
    if rng.random() < 0.12 * activity:
        waves.append(_sweat(rng, over))
    if rng.random() < (0.3 if restless else 0.03):
        waves.append(shaking(rng, over))
    if rng.random() < (0.2 if restless else 0.02):
        jaw, tongue = chewing(rng, over)
        muscles.append(jaw)
        waves.append(tongue)
    if rng.random() < 0.7 * activity:  # the others are relaxed or paralysed
        muscles.append(_tension(rng, over, activity))
    if restless and rng.random() < 0.5:
        waves.extend(pulling(rng, over, constant(1.0)))
    if seizing is not None and rng.random() < 0.33:
        waves.extend(pulling(rng, over, seizing))
        muscles.append(_convulsion(rng, over, seizing))
    waves.extend(_pops(rng, over, 0.004 * activity))
    return Artefacts(tuple(waves), tuple(muscles), _heart(rng, over), _r_wave_uv(rng))


def _sweat(rng: np.random.Generator, over: Span) -> Drift:
    """Sweat artefact: swings of 30-100 µV, slower than 0.5 Hz, over one region."""
    field = geometry.source(rng.uniform(50.0, 80.0), rng.uniform(-90.0, 90.0), 0.5)
    return Drift(field, wander(rng, over, rng.uniform(2.5, 5), rng.uniform(30, 100)))


def _pops(rng: np.random.Generator, over: Span, rate_hz: float) -> list[Drift]:
    """Electrode pops: steps of 50-300 µV that decay within half a second, each at a single electrode."""
    events = poisson_times(rng, over, rate_hz)
    events = events[np.diff(events, prepend=-np.inf) > 2.0]
    places = rng.choice(rng.choice(len(SCALP), 2, replace=False), len(events))  # one or two loose electrodes
    decay_s, decay = np.array([0, 0.008, 0.1, 0.25, 0.6, 1.2]), np.array([0, 1, 0.55, 0.25, 0.06, 0])
    pops = []
    for place in np.unique(places):
        times_s = events[places == place]
        sizes = log_uniform(rng, 50.0, 300.0, len(times_s)) * rng.choice([-1, 1], len(times_s))
        curve = Curve((times_s[:, None] + decay_s).ravel(), (sizes[:, None] * decay).ravel())
        pops.append(Drift(geometry.at(SCALP[place]), curve))
    return pops


def _tension(rng: np.random.Generator, over: Span, activity: float) -> Drift:
    """Bursts of muscle tension over a steady tone, which is low in a patient at rest."""
    bursts = gate(alternate(rng, over, (0.5, 20.0), (3.0, 60.0 / activity)), rise_s=0.3)
    tone = rng.uniform(0.0, 0.3)
    size_uv = activity * np.exp(rng.normal(np.log(2.5), 0.9)) * np.exp(rng.normal(0, 0.5, len(SCALP)))
    field = (_MUSCLE * np.minimum(size_uv, 60)).astype(np.float32)
    return Drift(field, Curve(bursts.knots_s, tone + (1 - tone) * bursts.values))


def _convulsion(rng: np.random.Generator, over: Span, seizing: Curve) -> Drift:
    """Muscle artefact of a motor seizure: 5-60 µV at the temples, on both sides or mostly on one."""
    sides = np.where(POSITIONS[:, 0] < 0, *rng.permutation([1.0, rng.uniform(0.1, 1.0)]))
    field = (log_uniform(rng, 5, 60) * sides * _MUSCLE).astype(np.float32)
    jerks = wander(rng, over, timescale_s=rng.uniform(0.3, 3.0), sd=0.5)
    return Drift(field, Curve(jerks.knots_s, np.exp(jerks.values)).multiplied(seizing))


def _heart(rng: np.random.Generator, over: Span) -> Train:
    """55-115 beats per minute, varying with respiration; in a quarter of the recordings some µV reach the scalp."""
    period_s = 60 / rng.uniform(55, 115)
    count = int((over.end_s - over.start_s) / period_s * 1.2)
    beats = over.start_s + np.cumsum(period_s * (1 + rng.normal(0, 0.03, count)))
    field = np.zeros(len(SCALP), np.float32)
    if rng.random() < 0.25:  # the heart's field over the head: a gradient from left posterior to right frontal
        field = (
            rng.uniform(2, 15) * (geometry.source(95.0, -125.0, 0.9) - 0.6 * geometry.source(95.0, 60.0, 0.9))
        ).astype(np.float32)
    return Train(field, beats, np.exp(rng.normal(0, 0.05, count)), _QRS)


def _r_wave_uv(rng: np.random.Generator) -> float:
    """The R wave in µV; real EKG channels have SDs of 4-12,000 µV, and in four of five recordings it is negative."""
    return float(random_sign(rng, 0.8) * np.clip(np.exp(rng.normal(np.log(700), 1.2)), 20, 30_000))
