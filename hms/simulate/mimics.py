"""Mimics, which resemble a pattern but are none: the hard part of "other".

ACNS 2021 requires of a pattern six cycles or more, near-uniform waves, and a cycle length that changes by less than
half between most successive cycles. A mimic more or less breaks one of these rules: it is too weak, brief or irregular.
"""

from dataclasses import replace
from typing import Literal

import numpy as np
from jaxtyping import Float

from hms.simulate.clock import Curve, Span, alternate, gate
from hms.simulate.kinds import Kind, draw_pattern
from hms.simulate.patterns import Pattern

Mimic = Literal["none", "weak", "fragment", "sporadic", "slowing"]

_SHARES: dict[Mimic, float] = {"none": 0.15, "weak": 0.4, "fragment": 0.17, "sporadic": 0.11, "slowing": 0.17}
_KINDS: dict[Mimic, tuple[Kind, ...]] = {
    "weak": ("lpd", "gpd", "lrda", "grda"),
    "fragment": ("seizure", "lpd", "gpd", "lrda", "grda"),
    "sporadic": ("lpd", "gpd"),
    "slowing": ("lrda", "grda", "grda"),
}
_CONTRAST: dict[Mimic, float] = {"weak": 1.4, "fragment": 3.3, "sporadic": 3.3, "slowing": 2.6}


def draw_mimic(
    rng: np.random.Generator, over: Span, centres_s: Float[np.ndarray, " eeg"], amplitude_uv: float
) -> Pattern | None:
    """Draw a mimic for a recording, scaled to its background; None for background alone."""
    mimic: Mimic = rng.choice(list(_SHARES), p=list(_SHARES.values()))
    if mimic == "none":
        return None
    kinds = _KINDS[mimic]
    pattern = draw_pattern(rng, kinds[rng.integers(len(kinds))], over, centres_s)
    if mimic == "fragment":
        pattern = _fragment(rng, pattern, over)
    elif mimic == "sporadic":
        pattern = _sporadic(rng, pattern)
    elif mimic == "slowing":
        pattern = _slowing(rng, pattern)
    peak_uv = _CONTRAST[mimic] * np.exp(rng.normal(0, 0.45)) * amplitude_uv
    return pattern.sized(min(peak_uv, 450.0), centres_s[0])


def _fragment(rng: np.random.Generator, pattern: Pattern, over: Span) -> Pattern:
    """Runs of 0.5-4 s, a few cycles; if fast and sharp, brief potentially ictal rhythmic discharges (ACNS: BIRDs)."""
    return replace(pattern, active=gate(alternate(rng, over, (0.5, 4.0), (2.0, 20.0)), rise_s=0.3))


def _sporadic(rng: np.random.Generator, pattern: Pattern) -> Pattern:
    """Sharp waves of one shape at irregular times: sporadic epileptiform discharges, frequent to abundant."""
    kept = rng.random(len(pattern.discharges_s)) > rng.uniform(0.1, 0.6)
    apart_s = float(np.median(np.diff(pattern.discharges_s)))
    moved = pattern.discharges_s[kept] + rng.normal(0, rng.uniform(0.15, 0.5) * apart_s, kept.sum())
    return replace(
        pattern, discharges_s=np.sort(moved), discharge_sizes=pattern.discharge_sizes[:, kept], periodic_share=1.0
    )


def _slowing(rng: np.random.Generator, pattern: Pattern) -> Pattern:
    """Continuous slowing: delta in which each cycle has its own length, from nearly rhythmic to polymorphic."""
    even = pattern.cycles
    cycles = np.arange(1.0, even.values[-1])
    starts_s = np.interp(cycles, even.values, even.knots_s)
    lengths_s = np.diff(starts_s) * np.exp(rng.normal(0, rng.uniform(0.2, 0.7), len(starts_s) - 1))
    lengths_s *= (starts_s[-1] - starts_s[0]) / lengths_s.sum()
    return replace(pattern, cycles=Curve(starts_s[0] + np.concatenate([[0.0], np.cumsum(lengths_s)]), cycles))
