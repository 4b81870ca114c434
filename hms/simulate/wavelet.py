"""Trains of brief waves: discharges, blinks and heartbeats are sums of Gaussians at exact times."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from hms.simulate.clock import Clock


class Wavelet(NamedTuple):
    """A Gaussian bump `delay_s` after its event, optionally modulating a fast oscillation."""

    delay_s: float
    sigma_s: float
    height: float
    carrier_hz: float = 0.0


def wave_train(
    clock: Clock,
    events_s: Float[np.ndarray, " event"],
    sizes: Float[np.ndarray, "event _"],
    shape: tuple[Wavelet, ...],
) -> Float[np.ndarray, " time"]:
    """Sum of `shape` at all events, each wavelet scaled by its size there; computes only samples near an event."""
    total = np.zeros(clock.samples)
    for wavelet, scale in zip(shape, np.broadcast_to(sizes, (len(events_s), len(shape))).T, strict=True):
        peaks = (events_s + wavelet.delay_s - clock.start_s) * clock.sfreq_hz
        half = int(np.ceil(5 * wavelet.sigma_s * clock.sfreq_hz))
        near = (peaks > -half) & (peaks < clock.samples + half)
        sample = np.floor(peaks[near]).astype(np.int64)[:, None] + np.arange(-half, half + 2)
        after_s = (sample - peaks[near][:, None]) / clock.sfreq_hz
        wave = scale[near][:, None] * wavelet.height * np.exp(-0.5 * (after_s / wavelet.sigma_s) ** 2)
        if wavelet.carrier_hz:
            wave *= np.cos(2 * np.pi * wavelet.carrier_hz * after_s)
        inside = (sample >= 0) & (sample < clock.samples)
        total += np.bincount(sample[inside], weights=wave[inside], minlength=clock.samples)
    return total
