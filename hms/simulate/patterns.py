"""One rhythmic or periodic pattern, from latent state to signal.

ACNS 2021 calls a pattern periodic when discharges of near-uniform shape recur with a quantifiable interval between
them, and rhythmic when uniform waves follow each other without one. Here both are ends of one scale: every cycle holds
a share of a discharge (sharp wave and slow wave at one moment) and a share of a wave that fills the cycle.
"""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float

from hms.simulate import geometry
from hms.simulate.clock import Clock, Curve, constant
from hms.simulate.wavelet import Wavelet, wave_train


@dataclass(frozen=True)
class Pattern:
    """Latent state of one pattern over a whole recording."""

    cycles: Curve  # cycles done since the start; its slope is the frequency in Hz
    discharges_s: Float[np.ndarray, " event"]
    discharge_sizes: Float[np.ndarray, "2 event wavelet"]  # in the first field and in the second
    discharge: tuple[Wavelet, ...]
    periodic_share: float  # 1: discharges only, 0: waves only
    overtones: Float[np.ndarray, "harmonic 2"]  # size and phase (rad) of the 2nd, 3rd ... harmonic of the wave
    active: Curve  # 0 or 1 with short flanks
    log_size: Curve  # slow changes of amplitude, evolution included
    size_uv: float
    fields: Float[np.ndarray, "2 19"]
    lag_s: float  # the second field follows the first
    spread: Curve  # weight of the second field, 0 to 1; the first has the rest
    patches: Float[np.ndarray, "19 patch"]
    recruitment: tuple[Curve, ...]  # log of how much more than its share each patch takes part

    def render(self, clock: Clock) -> Float[np.ndarray, "19 time"]:
        """The pattern at every scalp electrode in µV."""
        times_s = clock.times_s()
        envelope = self.size_uv * self.active.at(times_s) * np.exp(self.log_size.at(times_s))
        second = self.spread.at(times_s)
        later = clock._replace(start_s=clock.start_s - self.lag_s)
        first_wave = (envelope * (1 - second) * self._wave(clock, 0)).astype(np.float32)
        second_wave = (envelope * second * self._wave(later, 1)).astype(np.float32)
        whole = self.fields[0][:, None] * first_wave + self.fields[1][:, None] * second_wave
        recruited = np.stack([curve.at(times_s) for curve in self.recruitment]).astype(np.float32)
        # einsum, not BLAS: the result must not depend on the number of threads.
        return whole * np.exp(np.einsum("ep,pt->et", self.patches, recruited))

    def _wave(self, clock: Clock, field: int) -> Float[np.ndarray, " time"]:
        """Time course of one of the two fields, without envelope."""
        wave = np.zeros(clock.samples)
        if self.periodic_share > 0:
            sizes = self.discharge_sizes[field]
            wave += self.periodic_share * wave_train(clock, self.discharges_s, sizes, self.discharge)
        if self.periodic_share < 1:
            phase = 2 * np.pi * self.cycles.at(clock.times_s())
            rhythm = np.cos(phase)
            for order, (size, shift) in enumerate(self.overtones, start=2):
                rhythm += size * np.cos(order * phase + shift)
            wave += (1 - self.periodic_share) * rhythm
        return wave

    def even(self) -> "Pattern":
        """The same waves at all times, in one field and of one size: 1 µV where the field is 1."""
        still = tuple(constant(0.0) for _ in self.recruitment)
        return replace(self, active=constant(1.0), log_size=constant(0.0), size_uv=1.0, recruitment=still)

    def sized(self, peak_uv: float, centre_s: float) -> "Pattern":
        """The same pattern with its loudest pairs reaching `peak_uv` in the ten seconds around a moment."""
        unit = geometry.loudest(geometry.bipolar(self.even().render(Clock(centre_s - 5.0, 1000, 100))))
        return replace(self, size_uv=peak_uv / max(unit, 0.05))
