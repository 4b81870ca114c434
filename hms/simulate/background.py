"""The background: a patient's EEG without any pattern.

A 1/f^a spectrum above a knee, smoothly mixed over the head, fluctuating slowly in amplitude. Some patients also have an
alpha, theta or delta rhythm, are asleep, or show burst suppression. In most the 1/f noise dominates: networks trained
on plain backgrounds transferred best to real segments.
"""

from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from hms.simulate import geometry
from hms.simulate.clock import Clock, Curve, Span, alternate, constant, gate, log_uniform, wander
from hms.simulate.noise import coloured
from hms.simulate.sleep import draw_sleep
from hms.simulate.sources import Train, sum_sources
from hms.spectrogram_recipe import bipolar

_PIVOT_HZ = 4.0
_PATCHES = 6  # of cortex, which wax and wane independently


class Rhythm(NamedTuple):
    """A narrow band of extra power with its own field."""

    centre_hz: float
    width_hz: float
    size: float
    """SD at its strongest electrode, in units of the background's SD."""
    field: Float[np.ndarray, " 19"]
    bursts_s: tuple[float, float] | None = None
    """Shortest and longest burst; None: continuous."""


@dataclass(frozen=True)
class Brain:
    """Background of one patient; the patient's recordings differ from it by a few per cent only."""

    amplitude_uv: float
    """Robust SD of a bipolar pair, 0.5-28 Hz."""
    slopes: Float[np.ndarray, " 19"]
    knee_hz: float
    floor_uv2_per_hz: float
    mixing: Float[np.ndarray, "19 19"]
    rhythms: tuple[Rhythm, ...]
    fluctuation: float
    """Log-SD of the slow changes in amplitude."""
    suppressed: bool
    asleep: bool


def draw_brain(rng: np.random.Generator, plain: bool) -> Brain:
    """Draw one patient, with amplitudes and spectra as in the real segments (pair SD 10-57 µV, slope 1.6-3.2).

    A `plain` one has the 1/f spectrum alone, no rhythms, sleep or burst suppression, and electrodes of equal gain.
    """
    asleep = bool(rng.random() < 0.12) and not plain
    gain = np.exp(rng.normal(0, 0 if plain else 0.2, 19)).astype(np.float32)  # skull, electrode spacing, breach effect
    # Arguments draw in this order: to reorder them changes every corpus (corpus.FORMAT).
    return Brain(
        amplitude_uv=float(np.clip(np.exp(rng.normal(np.log(13), 0.55)), 3, 60)),
        # Each region has its own spectrum: where delta is largest, beta need not be.
        slopes=rng.uniform(1.6, 3.1) + rng.normal(0, 0.6, 19),
        knee_hz=rng.uniform(0.8, 2.5),
        floor_uv2_per_hz=float(np.exp(rng.normal(np.log(0.02), 1.0))),  # amplifier and electrode noise
        mixing=geometry.mixing(rng.uniform(0.33, 0.75)) * gain[:, None],
        rhythms=() if plain else tuple(_draw_rhythms(rng, asleep)),
        fluctuation=rng.uniform(0.08, 0.25),
        suppressed=bool(rng.random() < 0.06) and not plain,
        asleep=asleep,
    )


def _draw_rhythms(rng: np.random.Generator, asleep: bool) -> list[Rhythm]:
    both = geometry.source(70.0, 150.0, 0.6) + geometry.source(70.0, -150.0, 0.6)
    central = geometry.source(15.0, 0.0, 0.6)
    rhythms = []
    if rng.random() < 0.25:  # posterior dominant rhythm, slowed in most of these patients
        rhythms.append(Rhythm(rng.uniform(7, 10.5), 0.7, rng.uniform(0.3, 1.1), both))
    if rng.random() < 0.25:  # diffuse or focal theta of a mild encephalopathy
        field = geometry.source(rng.uniform(0.0, 70.0), rng.uniform(-180.0, 180.0), rng.uniform(0.5, 1.0))
        rhythms.append(Rhythm(rng.uniform(4, 7), 1.0, rng.uniform(0.3, 0.9), field))
    if rng.random() < 0.3:  # polymorphic delta: too broad a band to be rhythmic
        field = geometry.source(rng.uniform(0.0, 75.0), rng.uniform(-180.0, 180.0), rng.uniform(0.4, 0.9))
        rhythms.append(Rhythm(rng.uniform(0.8, 2.0), 0.7, rng.uniform(0.5, 1.4), field))
    if asleep:  # spindles, 0.5-2 s long, over the vertex
        rhythms.append(Rhythm(rng.uniform(11.5, 14.5), 0.6, rng.uniform(0.5, 1.2), central, (0.5, 2.0)))
    if rng.random() < 0.15:  # beta of benzodiazepines, frontal
        rhythms.append(Rhythm(rng.uniform(15, 20), 2.0, rng.uniform(0.2, 0.5), geometry.source(45.0, 0.0, 0.8)))
    return rhythms


def _one_over_f(hz: Float[np.ndarray, " frequency"], brain: Brain) -> Float[np.ndarray, "19 frequency"]:
    """Unscaled power spectrum of each source, about equal at 4 Hz.

    The amplifier's high-pass attenuates everything below 0.5 Hz. From the beta band on the slope is steeper by one, as
    in most real segments: sedation and disease suppress fast rhythms.
    """
    steeper = (1 + (hz / 16) ** 2) ** -0.5
    bent = (hz**2 + brain.knee_hz**2) / (_PIVOT_HZ**2 + brain.knee_hz**2)
    return steeper * hz**4 / (hz**4 + 0.5**4) * bent ** (-brain.slopes[:, None] / 2)


def _peak(hz: Float[np.ndarray, " frequency"], rhythm: Rhythm) -> Float[np.ndarray, " frequency"]:
    """Gaussian of unit area."""
    return np.exp(-0.5 * ((hz - rhythm.centre_hz) / rhythm.width_hz) ** 2) / (rhythm.width_hz * np.sqrt(2 * np.pi))


@dataclass(frozen=True)
class Background:
    """The background of one recording: a brain, its slow changes in amplitude, and the times of its bursts."""

    brain: Brain
    log_amplitude: Curve
    patches: Float[np.ndarray, "19 patch"]
    waxing: tuple[Curve, ...]
    """Log amplitude of each patch relative to the whole."""
    bursts: Curve
    """1; in burst suppression near 0 between the bursts."""
    rhythm_gates: tuple[Curve, ...]
    sleep: tuple[Train, ...]

    def render(self, rng: np.random.Generator, clock: Clock, fast: bool) -> Float[np.ndarray, "19 time"]:
        """Render the slow band (whole recording, with rhythms and sleep) or the noise of the fast band (EEG file)."""
        brain, times_s = self.brain, clock.times_s()
        hz = np.arange(0.5, 28, 0.1)
        spread = bipolar(brain.mixing)
        # einsum, not BLAS: the result must not depend on the number of threads.
        unit = np.sqrt(np.einsum("ps,sf->pf", spread**2, _one_over_f(hz, brain)).sum(axis=1).mean() * 0.1)
        scale = brain.amplitude_uv / unit

        def spectrum(hz: Float[np.ndarray, " frequency"]) -> Float[np.ndarray, "19 frequency"]:
            return scale**2 * _one_over_f(hz, brain) + brain.floor_uv2_per_hz

        envelope = (np.exp(self.log_amplitude.at(times_s)) * self.bursts.at(times_s)).astype(np.float32)
        noise = coloured(rng, 19, clock, spectrum, "fast" if fast else "slow") * envelope
        waxing = np.stack([curve.at(times_s) for curve in self.waxing]).astype(np.float32)
        noise *= np.exp(np.einsum("ep,pt->et", self.patches, waxing))
        eeg = np.einsum("es,st->et", brain.mixing, noise)
        if not fast:
            eeg += sum_sources(self.sleep, clock)
            for rhythm, on in zip(brain.rhythms, self.rhythm_gates, strict=True):
                wave = coloured(rng, 1, clock, partial(_peak, rhythm=rhythm), "slow")[0]
                wave *= envelope * np.float32(rhythm.size * brain.amplitude_uv) * on.at(times_s).astype(np.float32)
                eeg += rhythm.field[:, None] * wave
        return eeg


def draw_background(rng: np.random.Generator, brain: Brain, over: Span) -> Background:
    """Draw the background of one recording of this patient."""
    fluctuation = wander(rng, over, timescale_s=6.0, sd=brain.fluctuation)
    # EEG is not Gaussian noise: its bands wax and wane from second to second, at different times in different regions.
    timescale_s, sd = log_uniform(rng, 0.4, 2.0), rng.uniform(0.1, 0.45)
    arousal = wander(rng, over, timescale_s=60.0, sd=brain.fluctuation)
    bursts = constant(1.0)
    if brain.suppressed:  # bursts of 0.5-4 s, 1.5-9 s apart; suppressed to 5-20 % of their amplitude
        on = gate(alternate(rng, over, (0.5, 4.0), (1.5, 9.0)), rise_s=0.3)
        low = rng.uniform(0.05, 0.2)
        bursts = Curve(on.knots_s, low + (1.0 - low) * on.values)
    # Arguments draw in this order: to reorder them changes every corpus (corpus.FORMAT).
    return Background(
        brain=brain,
        log_amplitude=Curve(
            fluctuation.knots_s, fluctuation.values + arousal.at(fluctuation.knots_s) + rng.normal(0, 0.12)
        ),
        patches=geometry.patches(rng, _PATCHES),
        waxing=tuple(wander(rng, over, timescale_s, sd) for _ in range(_PATCHES)),
        bursts=bursts,
        rhythm_gates=tuple(_rhythm_gate(rng, over, rhythm) for rhythm in brain.rhythms),
        sleep=draw_sleep(rng, over, brain.amplitude_uv) if brain.asleep else (),
    )


def _rhythm_gate(rng: np.random.Generator, over: Span, rhythm: Rhythm) -> Curve:
    if rhythm.bursts_s is None:
        fluctuation = wander(rng, over, timescale_s=3.0, sd=0.35)
        return Curve(fluctuation.knots_s, np.exp(fluctuation.values))
    return gate(alternate(rng, over, rhythm.bursts_s, (2.0, 12.0)), rise_s=0.4)
