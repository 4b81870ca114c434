"""One recording: a patient's brain, a pattern, artefacts and equipment, rendered as EEG files and a spectrogram.

The latent state covers the whole recording in continuous time. EEG files are rendered at 200 Hz, the minutes around
them only at 50 Hz, which suffices for the ten-minute spectrogram.
"""

from functools import cached_property
from typing import Literal

import numpy as np
from jaxtyping import Float

from hms.electrodes import ELECTRODES, SFREQ_HZ
from hms.simulate.artefacts import draw_artefacts
from hms.simulate.background import draw_background, draw_brain
from hms.simulate.clock import Clock, Span
from hms.simulate.equipment import draw_equipment
from hms.simulate.findings import Findings, measure
from hms.simulate.kinds import draw_pattern
from hms.simulate.mimics import draw_mimic
from hms.simulate.noise import SLOW_HZ, interpolate
from hms.simulate.patterns import Pattern
from hms.simulate.plan import EegPlan, RecordingPlan, stream
from hms.spectrogram_recipe import COLUMNS, STEP_S, TAPER_S, regional_spectrogram
from hms.window_lengths import EEG_S, LEAD_S, SPECTROGRAM_S

_MARGIN_S = 6
_OWN_STREAMS = {"state": 10, "noise": 11, "votes": 12, "fast": 13}

Purpose = Literal["pool", "patient", "state", "noise", "votes", "fast"]


class SimulatedRecording:
    """Everything under one spectrogram_id; it depends on the seed, `plan.number` and the patient's number alone.

    `only` restricts its noise, though not its length, to these seconds: enough for their EEG, not for a spectrogram.
    `plain` gives a background without rhythms.
    """

    def __init__(self, plan: RecordingPlan, seed: int, only: Span | None = None, plain: bool = False):
        self.plan = plan
        self.seed = seed
        self.duration_s = SPECTROGRAM_S + plan.last_offset_s
        over = Span(-float(_MARGIN_S), float(self.duration_s + _MARGIN_S))
        part = only or over
        self.slow_clock = Clock(part.start_s, round((part.end_s - part.start_s) * SLOW_HZ), SLOW_HZ)
        rng = self.stream("state")
        self.brain = draw_brain(self.stream("patient"), plain)
        self.background = draw_background(rng, self.brain, over)
        self.pattern = self._draw_pattern(rng, over)
        restless = bool(rng.random() < (0.3 if plan.kind == "other" else 0.12))
        seizing = self.pattern.active if self.pattern is not None and plan.kind == "seizure" else None
        self.artefacts = draw_artefacts(rng, over, restless, seizing)
        self.equipment = draw_equipment(rng, over)

    def stream(self, purpose: Purpose, number: int = 0) -> np.random.Generator:
        """A random generator for one purpose: the pool's, the patient's, or the recording's own."""
        if purpose == "pool":
            return stream(self.seed, 3)
        if purpose == "patient":
            return stream(self.seed, 2, self.plan.patient)
        return stream(self.seed, _OWN_STREAMS[purpose], self.plan.number, number)

    def _draw_pattern(self, rng: np.random.Generator, over: Span) -> Pattern | None:
        """Draw a pattern of the planned kind; for "other", mostly a mimic that should convince few, else none."""
        centres_s = np.array([LEAD_S + eeg.start_s + eeg.judged_s[0] + EEG_S / 2 for eeg in self.plan.eegs])
        if self.plan.kind == "other":
            return draw_mimic(rng, over, centres_s, self.brain.amplitude_uv)
        # Real peak amplitude relative to background: rhythmic delta 3.8, all others 4.6. The amplitude of a seizure may
        # be independent of the background.
        contrast = np.exp(rng.normal(np.log(3.8 if self.plan.kind in ("lrda", "grda") else 4.6), 0.55))
        peak_uv = contrast * self.brain.amplitude_uv
        if self.plan.kind == "seizure" and rng.random() < 0.4:
            peak_uv = np.exp(rng.normal(np.log(180.0), 0.5))
        peak_uv = min(peak_uv, 600.0)
        return draw_pattern(rng, self.plan.kind, over, centres_s).sized(peak_uv, centres_s[0])

    @cached_property
    def _slow_noise(self) -> Float[np.ndarray, "19 slow_time"]:
        """All noise below 22 Hz: background, muscle, bad electrode."""
        rng = self.stream("noise")
        noise = self.background.render(rng, self.slow_clock, fast=False)
        noise += self.artefacts.muscle(rng, self.slow_clock, fast=False)
        return noise + self.equipment.bad_noise(rng, self.slow_clock)

    @cached_property
    def _slow_rest(self) -> Float[np.ndarray, "19 slow_time"]:
        """Everything but the pattern, at the slow rate."""
        return self._slow_noise + self.artefacts.render(self.slow_clock) + self.equipment.hum(self.slow_clock)

    def findings(self, centre_s: float) -> Findings:
        """What experts can see in the window around `centre_s`."""
        return measure(self.pattern, self._slow_rest, self.slow_clock, centre_s)

    def eeg(self, number: int) -> Float[np.ndarray, "time 20"]:
        """The EEG file's samples (µV, rounded to 0.01 as in the real files; NaN where missing)."""
        eeg = self.plan.eegs[number]
        clock = Clock(float(LEAD_S + eeg.start_s), eeg.duration_s * SFREQ_HZ, SFREQ_HZ)
        rng = self.stream("fast", number)
        channels = np.empty((len(ELECTRODES), clock.samples), np.float32)
        channels[:-1] = interpolate(self._slow_noise, self.slow_clock, clock)
        channels[:-1] += self.background.render(rng, clock, fast=True)
        channels[:-1] += self.artefacts.muscle(rng, clock, fast=True)
        channels[:-1] += self.artefacts.render(clock)
        channels[:-1] += self.equipment.hum(clock)
        if self.pattern is not None:
            channels[:-1] += self.pattern.render(clock)
        channels[-1] = self.artefacts.heart_channel(clock)
        recorded = self.equipment.record(channels, clock, mains=True)
        return np.ascontiguousarray((np.round(recorded * 100) / 100).astype(np.float32).T)

    def spectrogram(self, eegs: list[Float[np.ndarray, "_ 20"]]) -> Float[np.ndarray, "row 400"]:
        """Power of the four regions every 2 s: from the EEG files where they reach, else from the slow rendering."""
        lead_s = 5.0  # two steps before the first row's window, which starts at -1 s: time for the filter to settle
        part = self.slow_clock.part(-lead_s, self.duration_s + 2 * lead_s)
        slow = np.zeros((len(ELECTRODES), part.stop - part.start), np.float32)
        clock = Clock(-lead_s, slow.shape[1], SLOW_HZ)
        slow[:-1] = self._slow_rest[:, part]
        if self.pattern is not None:
            slow[:-1] += self.pattern.render(clock)
        outer = regional_spectrogram(
            np.ascontiguousarray(self.equipment.record(slow, clock, mains=False).T), float(SLOW_HZ)
        )
        rows = outer[:, 2 : 2 + self.duration_s // STEP_S]
        for plan, eeg in zip(self.plan.eegs, eegs, strict=True):
            inner = regional_spectrogram(eeg)
            first = first_inner_row(plan)
            rows[:, first : first + inner.shape[1]] = inner
        return rows.transpose(1, 0, 2).reshape(rows.shape[1], len(COLUMNS))


def first_inner_row(eeg: EegPlan) -> int:
    """Index of the spectrogram row whose window starts with the EEG file; row j is centred at 1 + 2j s."""
    return (LEAD_S + eeg.start_s + TAPER_S // 2 - 1) // STEP_S
