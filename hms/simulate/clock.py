"""Sampling times, and slow curves in continuous time, so that any stretch can be rendered at any sampling rate.

Throughout this package, times are seconds from the start of the recording's first ten-minute window.
"""

from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float


class Clock(NamedTuple):
    """`samples` equally spaced sampling times, starting at `start_s`."""

    start_s: float
    samples: int
    sfreq_hz: int

    def times_s(self) -> Float[np.ndarray, " time"]:
        """Time of every sample."""
        return self.start_s + np.arange(self.samples) / self.sfreq_hz

    def part(self, start_s: float, duration_s: float) -> slice:
        """Slice of this clock's samples; start and duration are rounded to the nearest sample."""
        first = round((start_s - self.start_s) * self.sfreq_hz)
        return slice(first, first + round(duration_s * self.sfreq_hz))


class Curve(NamedTuple):
    """A piecewise linear curve, constant before its first knot and after its last."""

    knots_s: Float[np.ndarray, " knot"]
    values: Float[np.ndarray, " knot"]

    def at(self, times_s: Float[np.ndarray, " time"]) -> Float[np.ndarray, " time"]:
        """Value at each time."""
        return np.interp(times_s, self.knots_s, self.values)

    def multiplied(self, other: "Curve") -> "Curve":
        """The product of both curves, exact at the knots of either and linear between them."""
        knots_s = np.union1d(self.knots_s, other.knots_s)
        return Curve(knots_s, self.at(knots_s) * other.at(knots_s))


class Span(NamedTuple):
    """From `start_s` to `end_s`."""

    start_s: float
    end_s: float


def constant(value: float) -> Curve:
    """A curve with the same value at all times."""
    return Curve(np.zeros(1), np.full(1, value))


def wander(rng: np.random.Generator, over: Span, timescale_s: float, sd: float) -> Curve:
    """A slow random curve around 0 with standard deviation `sd`, decorrelated after about `timescale_s`."""
    step_s = timescale_s / 2
    count = int((over.end_s - over.start_s) / step_s) + 2
    raw = rng.standard_normal(count + 2)
    smooth = (raw[:-2] + 2 * raw[1:-1] + raw[2:]) / np.sqrt(6.0)  # weights 1 2 1; the variance stays 1
    return Curve(over.start_s + step_s * np.arange(count), sd * smooth)


def gate(spans: Float[np.ndarray, "span 2"], rise_s: float) -> Curve:
    """1 inside the spans (start, end), 0 outside, with ramps of `rise_s` inside each span; spans must not overlap."""
    if len(spans) == 0:
        return constant(0.0)
    ramp = np.minimum(rise_s, 0.45 * (spans[:, 1] - spans[:, 0]))
    knots = np.stack([spans[:, 0], spans[:, 0] + ramp, spans[:, 1] - ramp, spans[:, 1]], axis=1)
    return Curve(knots.ravel(), np.tile([0.0, 1.0, 1.0, 0.0], len(spans)))


def alternate(
    rng: np.random.Generator, over: Span, on_s: tuple[float, float], off_s: tuple[float, float]
) -> Float[np.ndarray, "span 2"]:
    """Draw alternating on-spans and off-gaps, their lengths log-uniform between the given bounds; return the spans."""
    count = int((over.end_s - over.start_s) / (on_s[0] + off_s[0])) + 2
    on = log_uniform(rng, *on_s, size=count)
    off = log_uniform(rng, *off_s, size=count)
    start = over.start_s - rng.random() * on[0] + np.concatenate([[0.0], np.cumsum(on + off)[:-1]])
    spans = np.stack([start, start + on], axis=1)
    return spans[start < over.end_s]


def log_uniform(rng: np.random.Generator, low: float, high: float, size: int | None = None) -> Any:
    """Draw a number, or an array of `size`, whose logarithm is uniform between those of `low` and `high`."""
    return np.exp(rng.uniform(np.log(low), np.log(high), size))


def random_sign(rng: np.random.Generator, negative: float) -> np.float32:
    """-1 with probability `negative`, else 1, drawn by a child of `rng`: what `rng` draws later stays the same."""
    return np.float32(-1 if rng.spawn(1)[0].random() < negative else 1)


def poisson_times(rng: np.random.Generator, over: Span, rate_hz: float) -> Float[np.ndarray, " event"]:
    """Times of independent events (a Poisson process), in ascending order."""
    count = rng.poisson(rate_hz * (over.end_s - over.start_s))
    return np.sort(rng.uniform(over.start_s, over.end_s, count))
