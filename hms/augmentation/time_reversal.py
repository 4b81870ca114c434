"""Let time run backwards, ahead of all filters, so that these delay what they pass as they do in prediction.

Rhythms and periods stay what they are, and where they are on the head. Not so the shape of a discharge, where the sharp
wave comes before the slow one, nor the course of a seizure, which typically slows down towards its end. Source: 3rd
place, on half of its windows. Changed: the spectrogram, which that network did not read, is reversed as well.
"""

import torch

from hms.batch import Batch
from hms.ranges import want_probability


class TimeReversal:
    """Reverse each window, EEG and spectrogram, with probability `p`."""

    acts_on = "electrodes"

    def __init__(self, p: float):
        want_probability(p=p)
        self.p = p

    def __call__(self, batch: Batch) -> Batch:
        marked = torch.rand(len(batch.eeg), device=batch.eeg.device) < self.p
        eeg, power = torch.where(marked[:, None, None], batch.eeg.flip(2), batch.eeg), batch.spectrogram
        if power is not None:
            power = torch.where(marked[:, None, None, None], power.flip(2), power)
        return batch._replace(eeg=eeg, spectrogram=power)
