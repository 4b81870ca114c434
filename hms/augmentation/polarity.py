"""Turn the EEG upside down: no class is defined by the sign of a wave.

The sign is not without meaning, however: most epileptiform discharges are negative at the surface, and of the phases of
a triphasic wave the positive one is the largest. And it only concerns extractors that read waves: spectra have no sign.
Source: TeamEpoch, whose code returns its input unchanged.
"""

import torch

from hms.batch import Batch
from hms.ranges import want_probability


class Polarity:
    """Change the sign of all electrodes of a window with probability `p`."""

    acts_on = "electrodes"
    eeg_only = True

    def __init__(self, p: float):
        want_probability(p=p)
        self.p = p

    def __call__(self, batch: Batch) -> Batch:
        sign = torch.where(torch.rand(len(batch.eeg), 1, 1, device=batch.eeg.device) < self.p, -1, 1)
        return batch._replace(eeg=batch.eeg * sign)
