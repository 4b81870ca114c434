"""Sleep graphoelements, by which a healthy sleeping brain mimics a diseased one.

Vertex waves and K-complexes are sharp, high and come in short runs, so they are mistaken for periodic discharges;
positive occipital sharp transients (POSTS) come four to five per second. Shapes and sizes: AASM manual for the scoring
of sleep; Kane et al. 2017 (Clin Neurophysiol Pract 2:170-185). Spindles are a rhythm of the background.
"""

import numpy as np
from jaxtyping import Float

from hms.simulate import geometry
from hms.simulate.clock import Span, alternate, gate, poisson_times
from hms.simulate.sources import Train
from hms.simulate.wavelet import Wavelet

_VERTEX = (Wavelet(-0.09, 0.035, 0.25), Wavelet(0.0, 0.045, -1.0), Wavelet(0.14, 0.08, 0.35))
_OCCIPITAL = (Wavelet(0.0, 0.03, 1.0), Wavelet(0.07, 0.04, -0.3))


def draw_sleep(rng: np.random.Generator, over: Span, amplitude_uv: float) -> tuple[Train, ...]:
    """Vertex waves, K-complexes followed by a spindle, and POSTS, in phases of sleep, scaled to the background."""
    asleep = gate(alternate(rng, over, (60.0, 300.0), (20.0, 150.0)), rise_s=0.1)
    sigma_hz = rng.uniform(12.0, 14.5)
    complex_ = (
        Wavelet(0.0, 0.08, -1.0),
        Wavelet(0.32, 0.16, 0.65),
        Wavelet(0.75, 0.22, rng.uniform(0.0, 0.35), sigma_hz),
    )
    kinds = (
        (rng.uniform(0.02, 0.3), rng.uniform(3, 7), geometry.source(rng.uniform(0, 15), 0.0, 0.45), _VERTEX),
        (rng.uniform(0.02, 0.12), rng.uniform(4, 8), geometry.source(rng.uniform(15, 35), 0.0, 0.7), complex_),
        (rng.uniform(0.0, 0.4), rng.uniform(1, 3), geometry.source(85.0, 180.0, 0.5), _OCCIPITAL),
    )
    trains = []
    for rate_hz, size, field, shape in kinds:
        events = _in_runs(rng, poisson_times(rng, over, rate_hz))
        events = events[asleep.at(events) > 0.5]
        trains.append(Train(field, events, size * amplitude_uv * np.exp(rng.normal(0, 0.3, len(events))), shape))
    return tuple(trains)


def _in_runs(rng: np.random.Generator, events: Float[np.ndarray, " event"]) -> Float[np.ndarray, " more"]:
    """Add two more events, about a second apart, after a quarter of the events: short runs mislead experts most."""
    leads = events[rng.random(len(events)) < 0.25]
    gap_s = rng.uniform(0.6, 1.4, len(leads))
    return np.sort(np.concatenate([events, leads + gap_s, leads + 2 * gap_s]))
