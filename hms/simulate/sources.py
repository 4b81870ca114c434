"""Sources with one field over the head: a brief wave at many times, or a slow curve."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from hms.electrodes import SCALP
from hms.simulate.clock import Clock, Curve
from hms.simulate.wavelet import Wavelet, wave_train


class Train(NamedTuple):
    """A brief wave that recurs, with one field."""

    field: Float[np.ndarray, " 19"]
    events_s: Float[np.ndarray, " event"]
    sizes_uv: Float[np.ndarray, " event"]
    shape: tuple[Wavelet, ...]

    def render(self, clock: Clock) -> Float[np.ndarray, " time"]:
        """Its time course at an electrode with a field of 1."""
        return wave_train(clock, self.events_s, self.sizes_uv[:, None], self.shape)


class Drift(NamedTuple):
    """A slow curve, with one field."""

    field: Float[np.ndarray, " 19"]
    curve: Curve

    def render(self, clock: Clock) -> Float[np.ndarray, " time"]:
        """Its time course at an electrode with a field of 1."""
        return self.curve.at(clock.times_s())


def sum_sources(sources: tuple[Train | Drift, ...], clock: Clock) -> Float[np.ndarray, "19 time"]:
    """The sum of all sources at each scalp electrode; most sources reach only a few electrodes."""
    total = np.zeros((len(SCALP), clock.samples), np.float32)
    for source in sources:
        reached = np.flatnonzero(source.field)
        if len(reached):
            total[reached] += source.field[reached, None] * source.render(clock).astype(np.float32)
    return total
