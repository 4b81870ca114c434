"""Effects of amplifier, cables and room: offsets, mains hum, bad, bridged or dead electrodes, missing samples."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from hms.electrodes import ELECTRODES, SCALP, SFREQ_HZ
from hms.simulate.clock import Clock, Curve, Span, alternate, gate, log_uniform
from hms.simulate.noise import coloured
from hms.spectrogram_recipe import PAIRS


@dataclass(frozen=True)
class Equipment:
    """State of amplifier and electrodes over one recording."""

    offset_uv: Float[np.ndarray, " 20"]
    mains_hz: float
    mains_uv: Float[np.ndarray, " 20"]
    """Amplitude at each electrode."""
    mains_phase: Float[np.ndarray, " 20"]
    harmonic: float
    """Amplitude of the third harmonic relative to `mains_uv`."""
    bad_electrode: int
    """Index into SCALP, -1: none."""
    bad_uv: float
    bad_contact: Curve
    dead_electrode: int
    """Index into ELECTRODES, -1: none."""
    bridged_pair: int
    """Index into the pairs of the double banana, -1: none."""
    missing: Float[np.ndarray, "span 2"]

    def bad_noise(self, rng: np.random.Generator, clock: Clock) -> Float[np.ndarray, "19 time"]:
        """Slow-band noise of the electrode with poor contact (gel moving, 1/f²)."""
        total = np.zeros((len(SCALP), clock.samples), np.float32)
        if self.bad_electrode >= 0:
            noise = coloured(rng, 1, clock, lambda hz: 1 / (1 + hz**2), "slow")[0]
            total[self.bad_electrode] = self.bad_uv * noise * self.bad_contact.at(clock.times_s()).astype(np.float32)
        return total

    def hum(self, clock: Clock) -> Float[np.ndarray, "19 time"]:
        """Mains hum within the EEG band: sampled at 200 Hz, the third harmonic of 60 Hz is aliased to 20 Hz.

        That of 50 Hz is aliased to 50 Hz, where the fundamental already is.
        """
        alias_hz = abs(SFREQ_HZ - 3 * self.mains_hz)
        if alias_hz > 21:
            return np.zeros((len(SCALP), clock.samples), np.float32)
        return self._sines(self.harmonic * self.mains_uv, 3 * self.mains_phase, alias_hz, clock)[: len(SCALP)]

    def record(
        self, eeg: Float[np.ndarray, "electrode time"], clock: Clock, mains: bool
    ) -> Float[np.ndarray, "20 time"]:
        """The 20 channels as recorded in the file; `mains` is needless for a spectrogram, whose filter removes it."""
        if self.bridged_pair >= 0:
            both = PAIRS[self.bridged_pair]
            eeg = eeg.copy()
            eeg[both] = eeg[both].mean(axis=0)
        recorded = eeg + self.offset_uv[:, None]
        if mains:
            recorded += self._sines(self.mains_uv, self.mains_phase, self.mains_hz, clock)
        if self.dead_electrode >= 0:
            recorded[self.dead_electrode] = 0.0
        times_s = clock.times_s()
        for start_s, end_s in self.missing:
            recorded[:, (times_s >= start_s) & (times_s < end_s)] = np.nan
        return recorded

    @staticmethod
    def _sines(
        size_uv: Float[np.ndarray, " 20"], phase: Float[np.ndarray, " 20"], hz: float, clock: Clock
    ) -> Float[np.ndarray, "20 time"]:
        angle = 2 * np.pi * hz * clock.times_s()
        sine, cosine = np.sin(angle).astype(np.float32), np.cos(angle).astype(np.float32)
        return (size_uv * np.cos(phase))[:, None] * sine + (size_uv * np.sin(phase))[:, None] * cosine


def draw_equipment(rng: np.random.Generator, over: Span) -> Equipment:
    """Draw the equipment of one recording: offsets of 4-104 µV, and few faults.

    Mains hum is mostly some µV; with a loose ground electrode hundreds; with it off, thousands, which drown the EEG.
    """
    channels = len(ELECTRODES)
    offset = rng.normal(0, np.exp(rng.normal(np.log(20), 0.8)), channels)
    ground = rng.choice(["good", "loose", "off"], p=[0.84, 0.13, 0.03])
    size_uv = {"good": 5.0, "loose": 200.0, "off": 1500.0}[ground] * np.exp(rng.normal(0, 1.0))
    mains = size_uv * np.exp(rng.normal(0, 0.7, channels))
    # There is one source, so the phases are similar; each cable's impedance shifts its own.
    phase = rng.uniform(0, 2 * np.pi) + rng.normal(0, 0.5, channels)
    bad = int(rng.integers(len(SCALP))) if rng.random() < 0.12 else -1
    dead = int(rng.integers(channels)) if rng.random() < 0.02 else -1
    # A salt bridge: gel that runs from one electrode to the next makes both record their mean.
    bridged = int(rng.integers(len(PAIRS))) if rng.random() < 0.04 else -1
    missing = np.zeros((0, 2))
    if rng.random() < 0.03:  # amplifier unplugged for nursing care: 0.1-26 s
        start_s = rng.uniform(over.start_s + 10, over.end_s - 40, rng.integers(1, 5))
        missing = np.stack([start_s, start_s + log_uniform(rng, 0.1, 26, len(start_s))], axis=1)
    # Arguments draw in this order: to reorder them changes every corpus (corpus.FORMAT).
    return Equipment(
        offset_uv=offset.astype(np.float32),
        # Grid frequencies and amplifier clocks are accurate to some hundredths of a hertz.
        mains_hz=(60.0 if rng.random() < 0.85 else 50.0) * (1 + rng.normal(0, 4e-4)),
        mains_uv=np.minimum(mains, 4000).astype(np.float32),
        mains_phase=phase.astype(np.float32),
        harmonic=float(log_uniform(rng, 0.002, 0.05)),
        bad_electrode=bad,
        bad_uv=float(log_uniform(rng, 20, 200)),
        bad_contact=gate(alternate(rng, over, (5.0, 60.0), (5.0, 200.0)), rise_s=0.5),
        dead_electrode=dead,
        bridged_pair=bridged,
        missing=missing,
    )
