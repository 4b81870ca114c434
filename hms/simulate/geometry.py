"""Smooth fields over the head: how strongly each electrode records a source under the scalp.

A field is a Gaussian in chord distance on the unit sphere. Skull and scalp blur cortical sources over some centimetres,
so neighbouring electrodes (0.62 apart) share much of a field; the widths are chosen to give the real correlations
between pairs.
"""

import numpy as np
from jaxtyping import Float

from hms.electrodes import POSITIONS, SCALP, on_sphere
from hms.spectrogram_recipe import REGIONS

LEFT_PAIRS = np.array([region.startswith("L") for region, pairs in REGIONS.items() for _ in pairs])
"""(16,) whether each pair of the double banana lies over the left hemisphere; the others lie over the right."""


def peak_amplitude(pairs: Float[np.ndarray, "16 time"]) -> float:
    """Peak amplitude (µV) of a pattern: 98th percentile of |pair|, averaged over the four largest pairs."""
    return float(np.sort(np.percentile(np.abs(pairs), 98, axis=1))[-4:].mean())


def background_amplitude(pairs: Float[np.ndarray, "16 time"]) -> float:
    """Amplitude (µV) of a background: 1.4826 · median |x - median|, median over the pairs."""
    centred = np.abs(pairs - np.median(pairs, axis=1, keepdims=True))
    return float(1.4826 * np.median(np.median(centred, axis=1)))


def at(*names: str, gains: tuple[float, ...] = ()) -> Float[np.ndarray, " 19"]:
    """A field at the named electrodes only, each with its gain (default 1)."""
    field = np.zeros(len(SCALP), np.float32)
    field[[SCALP.index(name) for name in names]] = gains or 1.0
    return field


def source(tilt_deg: float, turn_deg: float, width: float) -> Float[np.ndarray, " 19"]:
    """Field of a source `tilt_deg` from the vertex and `turn_deg` clockwise from the nose; 1 at its centre."""
    distance2 = ((POSITIONS - on_sphere(tilt_deg, turn_deg)) ** 2).sum(axis=1)
    return np.exp(-0.5 * distance2 / width**2).astype(np.float32)


def lateralised_fields(rng: np.random.Generator) -> Float[np.ndarray, "2 19"]:
    """Two nearby sources in one hemisphere: a focus, and a neighbour that the pattern reaches slightly later.

    A third of the patterns have a weak mirror image through the corpus callosum (ACNS: "bilateral asymmetric").
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


def generalised_fields(rng: np.random.Generator) -> Float[np.ndarray, "2 19"]:
    """Two nearby bilateral sources: on the midline, mostly frontal, or mirrored in both hemispheres.

    Generalised patterns are mostly frontally predominant (ACNS main term "G", minor term "frontal"). No head is quite
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
    """Two bilateral sources, frontal and posterior, of equal or opposite sign; mostly the posterior one lags.

    Generalised patterns may have an anterior-posterior lag or the reverse (ACNS modifier "lag").
    """
    turn, width = rng.normal(0, 10), rng.uniform(0.45, 0.8)
    front, back = source(rng.uniform(30, 75), turn, width), source(rng.uniform(15, 75), 180 + turn, width)
    back *= np.float32(rng.choice([-1.0, 1.0]))
    return np.stack([front, back] if rng.random() < 0.75 else [back, front])


def patches(rng: np.random.Generator, count: int) -> Float[np.ndarray, "19 patch"]:
    """Draw sources anywhere under the electrodes, and how strongly each electrode records them; rows have unit norm."""
    fields = np.stack([source(rng.uniform(10, 95), rng.uniform(-180, 180), 0.6) for _ in range(count)], axis=1)
    return fields / np.linalg.norm(fields, axis=1, keepdims=True)


def mixing(width: float) -> Float[np.ndarray, "19 19"]:
    """Weights that blur independent sources, one under each electrode, into electrodes; rows have unit norm."""
    distance2 = ((POSITIONS[:, None] - POSITIONS[None]) ** 2).sum(axis=2)
    weight = np.exp(-0.5 * distance2 / width**2)
    return (weight / np.linalg.norm(weight, axis=1, keepdims=True)).astype(np.float32)
