"""Samples as stores hold them and as commands that predict read files: without far offsets, in half precision."""

import numpy as np
from jaxtyping import Float, Float16

from hms.electrodes import SCALP

_LARGEST = float(np.finfo(np.float16).max)
FAR_UV = 1000.0
"""Models clip near this value, and half precision resolves only 1 µV there."""

OFFSET_EVERY = 64
"""Every so many samples are looked at to find an offset."""


def eeg_as_stored(eeg: Float[np.ndarray, "time electrode"]) -> Float16[np.ndarray, "time electrode"]:
    """EEG in µV, without the offsets of scalp channels that exceed 1 mV, and rounded."""
    return as_stored(without_far_offsets(eeg))


def without_far_offsets(eeg: Float[np.ndarray, "time electrode"]) -> Float[np.ndarray, "time electrode"]:
    """EEG in µV without the offsets of scalp channels that exceed 1 mV.

    Direct-current amplifiers record offsets of 100 mV, in which the clip and half precision would drown the EEG. An
    offset is a median: the mean of a file of which a part is saturated is nowhere near zero in the rest.
    """
    offset_uv = np.array([_known_median(channel) for channel in eeg[::OFFSET_EVERY, : len(SCALP)].T])
    far = np.abs(offset_uv) > FAR_UV
    if far.any():
        eeg = eeg.copy()
        eeg[:, : len(SCALP)] -= np.where(far, offset_uv, 0.0).astype(eeg.dtype)
    return eeg


def _known_median(samples: Float[np.ndarray, " time"]) -> float:
    """The lower median of the samples that are not missing; 0 if all are."""
    known = samples[np.isfinite(samples)]
    middle = (len(known) - 1) // 2
    return float(np.partition(known, middle)[middle]) if len(known) else 0.0


def as_stored(samples: Float[np.ndarray, "time ..."]) -> Float16[np.ndarray, "time ..."]:
    """Samples (µV or µV²/Hz), clipped to the range of half precision and rounded to it."""
    import torch  # takes seconds, which the simulation, too, would wait for

    if not -_LARGEST <= samples.min(initial=0) <= samples.max(initial=0) <= _LARGEST:  # or some are NaN
        samples = np.clip(samples, -_LARGEST, _LARGEST)
    # NumPy converts one number at a time.
    return torch.from_numpy(samples).to(torch.float16, memory_format=torch.contiguous_format).numpy()
