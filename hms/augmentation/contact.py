"""Vary how well electrodes are attached: at the bedside each has its own gain, and now and then one comes loose.

Impedance, hair, distance and the uneven thickness of the skull scale what an electrode sees. A model that learns from
simulated EEG must not rely on fields as clean as a simulator's.
"""

import torch

from hms.batch import Batch
from hms.electrodes import SCALP
from hms.ranges import want_at_least, want_probability


class Contact:
    """Multiply each electrode of each window by exp(N(0, `spread`)), and blank it with probability `p`."""

    acts_on = "electrodes"
    eeg_only = True

    def __init__(self, spread: float, p: float):
        want_probability(p=p)
        want_at_least(0, spread=spread)
        self.spread, self.p = spread, p

    def __call__(self, batch: Batch) -> Batch:
        shape, device = batch.eeg.shape[:2], batch.eeg.device
        gain = torch.exp(self.spread * torch.randn(shape, device=device)).to(batch.eeg.dtype)
        gain[:, len(SCALP) :] = 1  # EKG may already be at the limit of half precision
        loose = torch.rand(shape, device=device) < self.p
        gain = gain.masked_fill(loose, torch.nan)  # blanks an electrode in the same pass over the samples
        return batch._replace(eeg=batch.eeg * gain[:, :, None])
