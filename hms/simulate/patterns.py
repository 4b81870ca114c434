"""One rhythmic or periodic pattern, from latent state to signal.

ACNS 2021 calls a pattern periodic if near-uniform discharges recur with a quantifiable interval between them, and
rhythmic if uniform waves follow each other without an interval. Here these are the two ends of one scale: every cycle
mixes a share of a discharge (a sharp wave and a slow wave) with a share of a wave that fills the cycle.
"""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float

from hms.simulate import geometry
from hms.simulate.clock import Clock, Curve, constant
from hms.simulate.wavelet import Wavelet, wave_train
from hms.spectrogram_recipe import bipolar


@dataclass(frozen=True)
class Pattern:
    """Latent state of one pattern over a whole recording."""

    cycles: Curve
    """Cycles completed since the start; its slope is the frequency in Hz."""
    discharges_s: Float[np.ndarray, " event"]
    discharge_sizes: Float[np.ndarray, "2 event wavelet"]
    """In the first field and in the second."""
    discharge: tuple[Wavelet, ...]
    periodic_share: float
    """1: discharges only, 0: waves only."""
    overtones: Float[np.ndarray, "harmonic 2"]
    """Size and phase (rad) of the 2nd, 3rd ... harmonic of the wave."""
    active: Curve
    """0 or 1, with short ramps."""
    log_size: Curve
    """Slow changes in amplitude, including a seizure's growth."""
    size_uv: float
    fields: Float[np.ndarray, "2 19"]
    lag_s: float
    """Delay of the second field after the first."""
    spread: Curve
    """Weight of the second field, 0 to 1; the first field has the rest."""
    patches: Float[np.ndarray, "19 patch"]
    recruitment: tuple[Curve, ...]
    """Log of each patch's relative participation."""

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

    def steady(self) -> "Pattern":
        """The same waves at all times and at constant amplitude, 1 µV where the field is 1, with even recruitment."""
        even = tuple(constant(0.0) for _ in self.recruitment)
        return replace(self, active=constant(1.0), log_size=constant(0.0), size_uv=1.0, recruitment=even)

    def sized(self, peak_uv: float, centre_s: float) -> "Pattern":
        """The same pattern, scaled so that its largest pairs reach `peak_uv` in the ten seconds around `centre_s`."""
        unit = geometry.peak_amplitude(bipolar(self.steady().render(Clock(centre_s - 5.0, 1000, 100))))
        return replace(self, size_uv=peak_uv / max(unit, 0.05))
