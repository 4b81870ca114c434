"""When a pattern is present: continuously, from an onset on, in runs with pauses, or as a seizure that evolves."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from hms.simulate.clock import Curve, Span, alternate, log_uniform


class Presence(NamedTuple):
    """When a pattern is present, and how it changes during that time."""

    spans: Float[np.ndarray, "span 2"]
    frequency_fall: float
    """Log of first over last frequency within a span."""
    amplitude_rise: float
    """Log of largest over first amplitude within a span."""
    evolves: bool

    def ramp(self, first: float, last: float) -> Curve:
        """A curve that goes from `first` to `last` along every span."""
        return Curve(self.spans.ravel(), np.tile([first, last], len(self.spans)))


def draw_presence(rng: np.random.Generator, over: Span, centres_s: Float[np.ndarray, " eeg"]) -> Presence:
    """Draw a prevalence (ACNS): continuous (60 %), an onset or offset near an EEG's centre, or runs with pauses."""
    draw = rng.random()
    if draw < 0.6:
        spans = np.array([[over.start_s - 1, over.end_s + 1]])
    elif draw < 0.8:
        spans = alternate(rng, over, (40.0, 200.0), (20.0, 90.0))
        edge_s = spans.ravel()[np.abs(spans.ravel() - centres_s[0]).argmin()]
        spans = spans + (centres_s[0] + rng.uniform(-7, 7) - edge_s)
    else:
        spans = alternate(rng, over, (4.0, 20.0), (1.0, 10.0))
        spans = spans + (centres_s[0] - spans.mean(axis=1)[np.abs(spans.mean(axis=1) - centres_s[0]).argmin()])
    return Presence(spans, 0.0, 0.0, False)


def draw_seizure(rng: np.random.Generator, over: Span, centres_s: Float[np.ndarray, " eeg"]) -> Presence:
    """Draw a seizure of 12-90 s in the judged window of every EEG, with onset before its centre or up to 12 s after.

    A third of these recordings have further seizures. A quarter of all recordings show a status epilepticus that
    neither begins, evolves nor ends within them: mostly generalised, uneven waves that wax and wane, half to all of
    them with a spike. ACNS and the Salzburg criteria (Leitinger et al. 2015, Epilepsy Behav 49:158-163) count
    discharges above 2.5 Hz as ictal even without evolution.
    """
    if rng.random() < 0.25:
        return Presence(np.array([[over.start_s - 1, over.end_s + 1]]), 0.0, 0.0, False)
    starts: list[float] = []
    ends: list[float] = []
    for centre_s in centres_s:
        starts.append(max(centre_s - rng.uniform(-12, 50), starts[-1] + 14 if starts else -np.inf))
        ends.append(max(starts[-1] + log_uniform(rng, 12, 90), centre_s + rng.uniform(4, 12)))
    if rng.random() < 0.35:  # cyclic seizures, minutes apart
        for start_s in np.arange(over.start_s + rng.uniform(0, 100), over.end_s - 60, rng.uniform(100, 240)):
            end_s = start_s + rng.uniform(20, 60)
            if all(end_s + 15 < s or start_s - 15 > e for s, e in zip(starts, ends, strict=True)):
                starts.append(start_s)
                ends.append(end_s)
    spans = np.stack([np.sort(starts), np.sort(ends)], axis=1)
    spans[:-1, 1] = np.minimum(spans[:-1, 1], spans[1:, 0] - 2)
    return Presence(spans, rng.uniform(0.0, 0.9), rng.uniform(0.3, 2.5), True)
