"""Smooth fields over the head: how strongly each electrode sees a source under the scalp.

A source is a Gaussian in chord distance on the unit sphere. Skull and scalp blur cortical sources to some centimetres,
so neighbours (0.62 apart) share much of a field; the widths are those that gave real correlations between pairs.
"""

import numpy as np
from jaxtyping import Float

from hms.electrodes import POSITIONS, SCALP
from hms.spectrogram_recipe import PAIRS, REGIONS

LEFT_PAIRS = np.array([region.startswith("L") for region, pairs in REGIONS.items() for _ in pairs])
"""(16,) whether a pair of the double banana lies over the left hemisphere; the others lie over the right."""


def bipolar(scalp: Float[np.ndarray, "electrode time"]) -> Float[np.ndarray, "16 time"]:
    """The difference of each of `PAIRS`."""
    return scalp[PAIRS[:, 0]] - scalp[PAIRS[:, 1]]


def loudest(pairs: Float[np.ndarray, "16 time"]) -> float:
    """Peak size (µV) of a pattern: 98th percentile of |pair|, mean of the four loudest pairs."""
    return float(np.sort(np.percentile(np.abs(pairs), 98, axis=1))[-4:].mean())


def robust_sd(pairs: Float[np.ndarray, "16 time"]) -> float:
    """Background size (µV): 1.4826 · median |x - median|, median over the pairs."""
    centred = np.abs(pairs - np.median(pairs, axis=1, keepdims=True))
    return float(1.4826 * np.median(np.median(centred, axis=1)))


def at(*names: str, gains: tuple[float, ...] = ()) -> Float[np.ndarray, " 19"]:
    """A field that only the named electrodes see, each with its gain (1 unless given)."""
    field = np.zeros(len(SCALP), np.float32)
    field[[SCALP.index(name) for name in names]] = gains or 1.0
    return field


def source(tilt_deg: float, turn_deg: float, width: float) -> Float[np.ndarray, " 19"]:
    """Field of a source `tilt_deg` from the vertex, turned `turn_deg` from the nose to the right; 1 at its centre."""
    tilt, turn = np.radians(tilt_deg), np.radians(turn_deg)
    centre = np.array([np.sin(tilt) * np.sin(turn), np.sin(tilt) * np.cos(turn), np.cos(tilt)])
    distance2 = ((POSITIONS - centre) ** 2).sum(axis=1)
    return np.exp(-0.5 * distance2 / width**2).astype(np.float32)


def lateral_fields(rng: np.random.Generator) -> Float[np.ndarray, "2 19"]:
    """Two near sources of one hemisphere: a focus and its neighbour, which the pattern reaches a little later.

    Every third pattern has a weak mirror image through the callosum (ACNS: "bilateral asymmetric").
    """
    side = rng.choice([-1, 1])
    tilt, turn, width = rng.uniform(38, 78), rng.uniform(25, 150), rng.uniform(0.3, 0.7)
    mirror = rng.uniform(0.1, 0.6) if rng.random() < 0.35 else 0.0
    fields = []
    for _ in range(2):
        own = source(tilt, side * turn, width)
        fields.append(own + np.float32(mirror) * source(tilt, -side * turn, width))
        tilt, turn = tilt + rng.normal(0, 10), turn + rng.normal(0, 18)
    return np.stack(fields)


def general_fields(rng: np.random.Generator) -> Float[np.ndarray, "2 19"]:
    """Two near sources of both hemispheres: on the midline, mostly frontal, or a pair of mirror twins.

    Generalised patterns are mostly frontally predominant (ACNS main term "G", minor term "frontal"); no head is quite
    symmetric, hence the few degrees off the midline.
    """
    if rng.random() < 0.3:
        tilt, turn, width = rng.uniform(40, 75), rng.uniform(15, 120), rng.uniform(0.35, 0.7)
        balance = np.float32(np.exp(rng.normal(0, 0.15)))
        return np.stack(
            [
                source(tilt + shift, turn, width) + balance * source(tilt + shift, -turn, width)
                for shift in (0.0, rng.normal(0, 8))
            ]
        )
    tilt, turn = rng.uniform(5, 60), (180.0 if rng.random() < 0.2 else 0.0) + rng.normal(0, 10)
    width = rng.uniform(0.5, 1.0)
    return np.stack([source(tilt, turn, width), source(tilt + rng.normal(0, 12), turn + rng.normal(0, 8), width)])


def lagging_fields(rng: np.random.Generator) -> Float[np.ndarray, "2 19"]:
    """Two sources of both hemispheres at either end of the head, the later one mostly behind, of like or opposite sign.

    Generalised patterns may have an anterior-posterior lag or the reverse (ACNS modifier "lag").
    """
    turn, width = rng.normal(0, 10), rng.uniform(0.45, 0.8)
    front, back = source(rng.uniform(30, 75), turn, width), source(rng.uniform(15, 75), 180 + turn, width)
    back *= np.float32(rng.choice([-1.0, 1.0]))
    return np.stack([front, back] if rng.random() < 0.75 else [back, front])


def patches(rng: np.random.Generator, count: int) -> Float[np.ndarray, "19 patch"]:
    """Sources anywhere under the electrodes, as each electrode sees them; rows have unit length."""
    seen = np.stack([source(rng.uniform(10, 95), rng.uniform(-180, 180), 0.6) for _ in range(count)], axis=1)
    return seen / np.linalg.norm(seen, axis=1, keepdims=True)


def mixing(width: float) -> Float[np.ndarray, "19 19"]:
    """Every electrode as a blur of independent sources, one under each; rows have unit length."""
    distance2 = ((POSITIONS[:, None] - POSITIONS[None]) ** 2).sum(axis=2)
    weight = np.exp(-0.5 * distance2 / width**2)
    return (weight / np.linalg.norm(weight, axis=1, keepdims=True)).astype(np.float32)
