"""What patterns of each kind look like: their latent parameters, drawn with the variability seen in patients.

Terms and limits: ACNS critical-care EEG terminology 2021 (Hirsch et al.). Numbers: measured on real segments where
possible. The kinds overlap on purpose, as they do for experts: the panel judges the rendered signal, not the plan.
"""

from dataclasses import replace
from typing import Literal, NamedTuple

import numpy as np
from jaxtyping import Float

from hms.simulate import geometry
from hms.simulate.clock import Curve, Span, constant, gate, log_uniform, random_sign, wander
from hms.simulate.patterns import Pattern
from hms.simulate.presence import Presence, draw_presence, draw_seizure
from hms.simulate.wavelet import Wavelet

Kind = Literal["seizure", "lpd", "gpd", "lrda", "grda"]

SLOW_WAVE = 3
"""Index of the wavelet that is a discharge's after-going slow wave; the others are sharp."""

_PATCHES = 6  # of cortex that take part in a pattern


class Cycle(NamedTuple):
    """A pattern's frequency and regularity."""

    frequency_hz: Curve
    discharge_jitter: float
    """SD of a discharge's time, in cycles."""


def draw_pattern(rng: np.random.Generator, kind: Kind, over: Span, centres_s: Float[np.ndarray, " eeg"]) -> Pattern:
    """Draw a pattern of this kind, present in or near the judged window of the first EEG; its amplitude is 1 µV."""
    presence = draw_seizure(rng, over, centres_s) if kind == "seizure" else draw_presence(rng, over, centres_s)
    status = kind == "seizure" and not presence.evolves
    share = float(rng.uniform(0.45, 0.85)) if status else _periodic_share(rng, kind)
    cycle = _cycle(rng, kind, share, over, presence)
    knots_s = np.arange(over.start_s, over.end_s + 0.05, 0.05)
    cycles = np.concatenate([[0.0], np.cumsum(0.05 * cycle.frequency_hz.at(knots_s[:-1] + 0.025))])
    lateralised = rng.random() < (0.2 if status else 0.6) if kind == "seizure" else kind in ("lpd", "lrda")
    lags = not lateralised and rng.random() < 0.4
    beats = np.arange(1, int(cycles[-1]))
    beats = beats[rng.random(len(beats)) > rng.uniform(0, 0.5 if status else 0.12)]  # some discharges are missing
    jittered = beats + rng.normal(0, cycle.discharge_jitter, len(beats))
    discharge = _discharge(rng, float(np.median(cycle.frequency_hz.values)))
    # Near-uniform, not identical: each discharge has its own size, and its phases differ slightly from the last one's.
    sizes = rng.normal(0, rng.uniform(0.08, 0.3), (len(beats), 1))
    sizes = np.exp(sizes + rng.normal(0, rng.uniform(0.05, 0.3), (len(beats), len(discharge))))
    # The slow wave has a wider field than the sharp ones: where these have faded, spike-and-wave looks like delta.
    faded = np.where(np.arange(len(discharge)) == SLOW_WAVE, 1.0, rng.uniform(0.1, 1.0))
    # Arguments draw in this order: to reorder them changes every corpus (corpus.FORMAT).
    pattern = Pattern(
        cycles=Curve(knots_s, cycles),
        discharges_s=np.interp(np.sort(jittered), cycles, knots_s),
        discharge_sizes=np.stack([sizes, sizes * faded]),
        discharge=discharge,
        periodic_share=share,
        overtones=_overtones(rng),
        active=gate(presence.spans, rise_s=2.0 if presence.evolves else 0.6),
        log_size=_log_size(rng, over, presence, 0.45 if share < 0.5 or status else 0.3),
        size_uv=1.0,
        fields=_fields(rng, lateralised, lags),
        # Propagation along the cortex, or from one end of the head to the other.
        lag_s=rng.uniform(0.02, 0.15) if lags else rng.uniform(0.0, 0.03 if share > 0.5 else 0.06),
        spread=presence.ramp(0.1, 0.8) if presence.evolves else constant(rng.uniform(0.2, 0.5)),
        patches=geometry.patches(rng, _PATCHES),
        recruitment=_recruitment(rng, over),
    )
    # No kind is told by its sign: most epileptiform discharges are negative at the surface, triphasic waves positive.
    return replace(pattern, fields=random_sign(rng, 0.5) * pattern.fields)


def _fields(rng: np.random.Generator, lateralised: bool, lags: bool) -> Float[np.ndarray, "2 19"]:
    if lateralised:
        return geometry.lateralised_fields(rng)
    return geometry.lagging_fields(rng) if lags else geometry.generalised_fields(rng)


def _periodic_share(rng: np.random.Generator, kind: Kind) -> float:
    if kind in ("lpd", "gpd"):
        return float(1 - rng.beta(1.0, 5.0))
    if kind in ("lrda", "grda"):  # one in five with superimposed sharp waves ("+S")
        return float(rng.beta(2.0, 5.0) * 0.8) if rng.random() < 0.2 else 0.0
    return float(rng.choice([rng.uniform(0.5, 0.9), rng.uniform(0.0, 0.3)]))  # spike-wave, or a rhythm


def _recruitment(rng: np.random.Generator, over: Span) -> tuple[Curve, ...]:
    """Each cycle recruits the cortex anew: fields differ from cycle to cycle, in some patients more than in others."""
    sd, timescale_s = rng.uniform(0.05, 0.35), log_uniform(rng, 0.3, 2.0)
    return tuple(wander(rng, over, timescale_s, sd) for _ in range(_PATCHES))


def _overtones(rng: np.random.Generator) -> Float[np.ndarray, "harmonic 2"]:
    """Draw size and phase of the 2nd and 3rd harmonic. ACNS: waves are smooth or sharply contoured.

    Two thirds are pointed on one side and rounded on the other, because their harmonics peak together.
    """
    phase = rng.normal(0, 0.4, 2) if rng.random() < 0.67 else rng.uniform(-np.pi, np.pi, 2)
    return np.stack([rng.uniform(0.0, [0.5, 0.2]), phase], axis=1)


def _cycle(rng: np.random.Generator, kind: Kind, share: float, over: Span, presence: Presence) -> Cycle:
    if kind == "seizure":
        # ACNS: spike-wave above 2.5 Hz, which slows towards the end, or any evolving rhythm; at onset, ictal rhythms
        # reach the beta band.
        base_hz = rng.uniform(2.4, 4.2) if share > 0.4 else log_uniform(rng, 3.0, 16.0)
        jitter = log_uniform(rng, 0.02, 0.12 if presence.evolves else 0.2)
    elif kind in ("lpd", "gpd"):
        base_hz = np.clip(np.exp(rng.normal(np.log(1.15), 0.38)), 0.4, 2.9)
        jitter = log_uniform(rng, 0.03, 0.15)
    else:  # rhythmic delta: 0.5-4 Hz by definition, mostly near 2
        base_hz = np.clip(np.exp(rng.normal(np.log(1.5), 0.38)), 0.5, 3.3)
        jitter = 0.05
    rhythmic = kind in ("lrda", "grda")
    drift = wander(rng, over, timescale_s=1.2, sd=rng.uniform(0.03, 0.3 if rhythmic else 0.08))
    minutes = wander(rng, over, timescale_s=60.0, sd=0.06)
    fall = presence.ramp(0.0, -presence.frequency_fall)
    # ACNS: most cycles of a rhythm may be up to half as long again as the last; discharges have their own jitter.
    uneven = rng.uniform(0.0, 0.4 if rhythmic or (kind == "seizure" and not presence.evolves) else 0.05)
    steps = wander(rng, over, timescale_s=max(0.8 / base_hz, 0.2), sd=uneven)
    change = steps.values + drift.at(steps.knots_s) + minutes.at(steps.knots_s) + fall.at(steps.knots_s)
    return Cycle(Curve(steps.knots_s, base_hz * np.exp(change)), float(jitter))


def _discharge(rng: np.random.Generator, frequency_hz: float) -> tuple[Wavelet, ...]:
    """Draw a bi- or triphasic sharp wave (30-90 ms, at times blunt) with a slow wave and, at times, fast activity.

    Faster trains have shorter slow waves: the next discharge cuts the after-hyperpolarisation short.
    """
    width_s = min(rng.uniform(0.030, 0.090) if rng.random() < 0.85 else rng.uniform(0.09, 0.13), 0.22 / frequency_hz)
    sigma_s = width_s / 2.355 * 1.2
    slow_s = min(rng.uniform(0.07, 0.16), 0.16 / frequency_hz)
    slow = rng.uniform(0.15, 0.9)
    shape = [
        Wavelet(-1.6 * sigma_s, 0.8 * sigma_s, -rng.uniform(0.1, 0.5)),
        Wavelet(0.0, sigma_s, 1.0),
        Wavelet(1.8 * sigma_s, 1.2 * sigma_s, -rng.uniform(0.1, 0.8)),
        Wavelet(3.0 * sigma_s + 1.5 * slow_s, slow_s, slow),
    ]
    if rng.random() < 0.2:  # polyspikes: a second sharp wave on the flank of the slow one
        shape.append(Wavelet(rng.uniform(4.0, 6.0) * sigma_s, sigma_s, rng.uniform(0.3, 0.9)))
    if rng.random() < 0.25:  # ACNS "+F"
        shape.append(Wavelet(0.03, 0.06, rng.uniform(0.15, 0.4), rng.uniform(12, 19)))
    return tuple(shape)


def _log_size(rng: np.random.Generator, over: Span, presence: Presence, max_sd: float) -> Curve:
    fluctuation = wander(rng, over, timescale_s=1.5, sd=rng.uniform(0.08, max_sd))
    start, end = presence.spans[:, 0], presence.spans[:, 1]
    knots = np.stack([start, start + 0.5 * (end - start), end], axis=1).ravel()
    growth = Curve(knots, np.tile([-presence.amplitude_rise, 0.0, 0.0], len(start)))
    minutes = wander(rng, over, timescale_s=60.0, sd=0.15)
    slow = growth.at(fluctuation.knots_s) + minutes.at(fluctuation.knots_s)
    return Curve(fluctuation.knots_s, fluctuation.values + slow)
