"""Round samples to half precision, as a store holds them and as `hms.predict` reads test files and recordings."""

import numpy as np
from jaxtyping import Float, Float16

from hms.electrodes import SCALP

_LARGEST = float(np.finfo(np.float16).max)
_FAR_UV = 1000.0  # about here models clip, and half precision resolves only 1 µV
_EVERY = 64  # samples; enough to see an offset


def eeg_as_stored(eeg: Float[np.ndarray, "time electrode"]) -> Float16[np.ndarray, "time electrode"]:
    """EEG in µV, rounded, without the offsets of scalp channels that exceed 1 mV.

    Direct-current amplifiers record offsets of 100 mV, in which the clip and half precision would drown the EEG.
    """
    sample = eeg[::_EVERY, : len(SCALP)]
    offset_uv = known_mean(sample, axis=0)
    far = np.abs(offset_uv) > _FAR_UV
    if far.any():
        eeg = eeg.copy()
        eeg[:, : len(SCALP)] -= np.where(far, offset_uv, 0.0).astype(eeg.dtype)
    return as_stored(eeg)


def known_mean(samples: Float[np.ndarray, "..."], axis: int) -> Float[np.ndarray, "..."]:
    """The mean of the samples that are not missing; 0 if all are."""
    known = np.isfinite(samples)
    return np.where(known, samples, 0.0).sum(axis=axis) / known.sum(axis=axis).clip(min=1)


def as_stored(samples: Float[np.ndarray, "time ..."]) -> Float16[np.ndarray, "time ..."]:
    """Samples (µV or µV²/Hz), clipped to the range of half precision and rounded to it."""
    if not -_LARGEST <= samples.min(initial=0) <= samples.max(initial=0) <= _LARGEST:  # or some are NaN
        samples = np.clip(samples, -_LARGEST, _LARGEST)
    return samples.astype(np.float16)
