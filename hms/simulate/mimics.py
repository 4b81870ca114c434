"""What resembles a pattern and is none: the hard part of "other".

ACNS 2021 asks of a pattern six cycles or more, near-uniform waves and a cycle length that changes by less than half
from most cycles to the next. A mimic breaks one of these, more or less: it is too weak, too brief, or too irregular.
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
    """A mimic over a recording, to the size of its background; None where there is nothing but background."""
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
    """Runs of 0.5-4 s: a few cycles. ACNS: brief potentially ictal rhythmic discharges, if they are fast and sharp."""
    return replace(pattern, active=gate(alternate(rng, over, (0.5, 4.0), (2.0, 20.0)), rise_s=0.3))


def _sporadic(rng: np.random.Generator, pattern: Pattern) -> Pattern:
    """Sharp waves of one shape that come when they like: sporadic epileptiform discharges, frequent to abundant."""
    kept = rng.random(len(pattern.discharges_s)) > rng.uniform(0.1, 0.6)
    apart_s = float(np.median(np.diff(pattern.discharges_s)))
    moved = pattern.discharges_s[kept] + rng.normal(0, rng.uniform(0.15, 0.5) * apart_s, kept.sum())
    return replace(
        pattern, discharges_s=np.sort(moved), discharge_sizes=pattern.discharge_sizes[:, kept], periodic_share=1.0
    )


def _slowing(rng: np.random.Generator, pattern: Pattern) -> Pattern:
    """Continuous slowing: delta whose every cycle has a length of its own, from nearly rhythmic to polymorphic."""
    known = pattern.cycles
    cycles = np.arange(1.0, known.values[-1])
    moments_s = np.interp(cycles, known.values, known.knots_s)
    lengths_s = np.diff(moments_s) * np.exp(rng.normal(0, rng.uniform(0.2, 0.7), len(moments_s) - 1))
    lengths_s *= (moments_s[-1] - moments_s[0]) / lengths_s.sum()
    return replace(pattern, cycles=Curve(moments_s[0] + np.concatenate([[0.0], np.cumsum(lengths_s)]), cycles))
