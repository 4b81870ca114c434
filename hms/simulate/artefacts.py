"""What reaches the electrodes but comes from elsewhere in the body: eyes, muscles, heart, sweat, chewing, care.

Critical-care EEG is full of it. Everything here is defined over the whole recording, so that the ten-minute spectrogram
shows the same artefacts as the EEG file.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from hms.electrodes import SCALP
from hms.simulate import geometry
from hms.simulate.clock import Clock, Curve, Span, alternate, gate, log_uniform, poisson_times, wander
from hms.simulate.noise import coloured
from hms.simulate.wavelet import Wavelet, wave_train

_FRONT = geometry.at("Fp1", "Fp2", "F7", "F8", "F3", "F4", "Fz", gains=(1.0, 1.0, 0.45, 0.45, 0.4, 0.4, 0.35))
_EYES_LATERAL = geometry.at("F7", "F8", "Fp1", "Fp2", "T3", "T4", gains=(1.0, -1.0, 0.35, -0.35, 0.3, -0.3))
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


class Train(NamedTuple):
    """The same brief wave again and again, seen through one field."""

    field: Float[np.ndarray, " 19"]
    events_s: Float[np.ndarray, " event"]
    sizes_uv: Float[np.ndarray, " event"]
    shape: tuple[Wavelet, ...]

    def render(self, clock: Clock) -> Float[np.ndarray, " time"]:
        """Its time course at an electrode with a field of 1."""
        return wave_train(clock, self.events_s, self.sizes_uv, self.shape)


class Drift(NamedTuple):
    """A slow curve (µV), seen through one field."""

    field: Float[np.ndarray, " 19"]
    curve: Curve


@dataclass(frozen=True)
class Artefacts:
    """All artefacts of one recording."""

    trains: tuple[Train, ...]
    drifts: tuple[Drift, ...]
    muscle_uv: Float[np.ndarray, " 19"]  # SD at each electrode while the muscle is tense
    muscle_tension: Curve
    heart: Train  # what the EKG channel sees; its field is what leaks to the scalp
    heart_uv: float

    def render(self, clock: Clock) -> Float[np.ndarray, "19 time"]:
        """Everything but muscle at the scalp, in µV."""
        times_s = clock.times_s()
        total = np.zeros((len(SCALP), clock.samples), np.float32)
        for train in (*self.trains, self.heart):
            _add(total, train.field, train.render(clock))
        for drift in self.drifts:
            _add(total, drift.field, drift.curve.at(times_s))
        return total

    def muscle(self, rng: np.random.Generator, clock: Clock, fast: bool) -> Float[np.ndarray, "19 time"]:
        """Muscle activity at the scalp: each electrode over its own fibres, hence independent."""
        total = np.zeros((len(SCALP), clock.samples), np.float32)
        seen = np.flatnonzero(self.muscle_uv)
        if len(seen):
            noise = coloured(rng, len(seen), clock, _muscle_power, "fast" if fast else "slow")
            total[seen] = (
                self.muscle_uv[seen, None] * noise * self.muscle_tension.at(clock.times_s()).astype(np.float32)
            )
        return total

    def heart_channel(self, clock: Clock) -> Float[np.ndarray, " time"]:
        """The EKG channel in µV."""
        return (self.heart_uv * self.heart.render(clock)).astype(np.float32)


def _add(
    total: Float[np.ndarray, "19 time"], field: Float[np.ndarray, " 19"], wave: Float[np.ndarray, " time"]
) -> None:
    """Add a wave to the electrodes that see it; most artefacts reach a few only."""
    seen = np.flatnonzero(field)
    if len(seen):
        total[seen] += field[seen, None] * wave.astype(np.float32)


def _muscle_power(hz: Float[np.ndarray, " frequency"]) -> Float[np.ndarray, " frequency"]:
    """Unit-variance spectrum of scalp muscle: rises from 15 Hz, broad maximum at 40-80 Hz (Goncharova et al. 2003)."""
    return 1.2 / 70 / (1 + (28 / hz) ** 4)


def draw_artefacts(rng: np.random.Generator, over: Span, rich: bool) -> Artefacts:
    """The artefacts of one recording; a rich one is of a restless patient or one under care."""
    busy = 2.0 if rich else 1.0
    trains: list[Train] = []
    drifts: list[Drift] = []
    if rng.random() < 0.3 * busy:
        trains.append(_blinks(rng, over, busy))
    if rng.random() < 0.18 * busy:
        drifts.append(_eye_movements(rng, over))
    if rng.random() < 0.12 * busy:
        drifts.append(_sweat(rng, over))
    if rng.random() < (0.3 if rich else 0.03):
        trains.append(_shaking(rng, over))
    drifts.extend(_pops(rng, over, 0.004 * busy))
    tension, muscle_uv = _tension(rng, over, busy)
    return Artefacts(tuple(trains), tuple(drifts), muscle_uv, tension, _heart(rng, over), _heart_size(rng))


def _blinks(rng: np.random.Generator, over: Span, busy: float) -> Train:
    """The eye's dipole turns with the lid: 50-200 µV, 0.2-0.4 s, frontal, symmetric; in phases of wakefulness."""
    events = poisson_times(rng, over, 0.25 * busy)
    awake = gate(alternate(rng, over, (15.0, 120.0), (10.0, 120.0)), rise_s=0.1).at(events) > 0.5
    events = events[awake]
    sizes = rng.uniform(40, 130) * np.exp(rng.normal(0, 0.25, len(events)))
    return Train(_FRONT, events, sizes, (Wavelet(0.0, 0.07, 1.0), Wavelet(0.16, 0.09, 0.35), Wavelet(0.4, 0.15, -0.15)))


def _eye_movements(rng: np.random.Generator, over: Span) -> Drift:
    """Lateral gaze: F7 and F8 move apart, 20-80 µV, held 0.5-3 s."""
    glances = gate(alternate(rng, over, (0.5, 3.0), (2.0, 20.0)), rise_s=0.12)
    sign = np.repeat(rng.choice([-1.0, 1.0], len(glances.values) // 4), 4)
    return Drift(_EYES_LATERAL, Curve(glances.knots_s, rng.uniform(20, 80) * sign * glances.values))


def _sweat(rng: np.random.Generator, over: Span) -> Drift:
    """Sweat glands: swings of 30-100 µV slower than 0.5 Hz over one region."""
    field = geometry.source(rng.uniform(50.0, 80.0), rng.uniform(-90.0, 90.0), 0.5)
    return Drift(field, wander(rng, over, rng.uniform(2.5, 5), rng.uniform(30, 100)))


def _shaking(rng: np.random.Generator, over: Span) -> Train:
    """Chest percussion, a ventilator or a shaken bed: very regular, in one or two electrodes no source could choose."""
    period_s = 1 / float(np.exp(rng.uniform(np.log(0.9), np.log(5.0))))
    beats = np.arange(over.start_s, over.end_s, period_s) + rng.uniform(0, period_s)
    on = gate(alternate(rng, over, (10.0, 90.0), (20.0, 200.0)), rise_s=0.1).at(beats) > 0.5
    touched = rng.choice(len(SCALP), rng.integers(1, 3), replace=False)
    field = np.zeros(len(SCALP), np.float32)
    field[touched] = rng.uniform(0.5, 1.0, len(touched)) * rng.choice([-1, 1], len(touched))
    sizes = rng.uniform(20, 90) * np.exp(rng.normal(0, 0.05, on.sum()))
    return Train(
        field, beats[on], sizes, (Wavelet(0.0, 0.2 * period_s, 1.0), Wavelet(0.3 * period_s, 0.1 * period_s, -0.4))
    )


def _pops(rng: np.random.Generator, over: Span, rate_hz: float) -> list[Drift]:
    """An electrode's contact jumps: a step of 50-300 µV that decays within half a second, at that electrode alone."""
    events = poisson_times(rng, over, rate_hz)
    events = events[np.diff(events, prepend=-np.inf) > 2.0]
    places = rng.choice(rng.choice(len(SCALP), 2, replace=False), len(events))  # one or two loose electrodes
    decay_s, decay = np.array([0, 0.008, 0.1, 0.25, 0.6, 1.2]), np.array([0, 1, 0.55, 0.25, 0.06, 0])
    pops = []
    for place in np.unique(places):
        here = events[places == place]
        sizes = log_uniform(rng, 50.0, 300.0, len(here)) * rng.choice([-1, 1], len(here))
        curve = Curve((here[:, None] + decay_s).ravel(), (sizes[:, None] * decay).ravel())
        pops.append(Drift(geometry.at(SCALP[place]), curve))
    return pops


def _tension(rng: np.random.Generator, over: Span, busy: float) -> tuple[Curve, Float[np.ndarray, " 19"]]:
    """Muscle is tense in bursts over a steady tone; a quarter of the patients is relaxed or paralysed."""
    if rng.random() > 0.7 * busy:
        return Curve(np.zeros(1), np.zeros(1)), np.zeros(len(SCALP), np.float32)
    bursts = gate(alternate(rng, over, (0.5, 20.0), (3.0, 60.0 / busy)), rise_s=0.3)
    tone = rng.uniform(0.0, 0.4)
    size_uv = busy * np.exp(rng.normal(np.log(5.0), 0.8)) * np.exp(rng.normal(0, 0.5, len(SCALP)))
    return Curve(bursts.knots_s, tone + (1 - tone) * bursts.values), (_MUSCLE * np.minimum(size_uv, 60)).astype(
        np.float32
    )


def _heart(rng: np.random.Generator, over: Span) -> Train:
    """55-115 beats a minute with respiratory variation; in every fourth patient some µV of it reach the scalp."""
    period_s = 60 / rng.uniform(55, 115)
    count = int((over.end_s - over.start_s) / period_s * 1.2)
    beats = over.start_s + np.cumsum(period_s * (1 + rng.normal(0, 0.03, count)))
    field = np.zeros(len(SCALP), np.float32)
    if rng.random() < 0.25:  # the heart's field over the head: a gradient from left behind to right in front
        field = (
            rng.uniform(2, 15) * (geometry.source(95.0, -125.0, 0.9) - 0.6 * geometry.source(95.0, 60.0, 0.9))
        ).astype(np.float32)
    return Train(field, beats, np.exp(rng.normal(0, 0.05, count)), _QRS)


def _heart_size(rng: np.random.Generator) -> float:
    """R wave in µV; real EKG channels have SDs of 4-12,000 µV."""
    return float(np.clip(np.exp(rng.normal(np.log(700), 1.2)), 20, 30_000))
