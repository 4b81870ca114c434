"""Scale the whole EEG a little: skull and amplifier differ between patients (15th-place solution)."""

import torch

from hms.batch import Batch


class HeadScale:
    """Multiply each window's EEG by its own factor, uniform in 1 ± `spread`."""

    acts_on = "electrodes"
    eeg_only = True

    def __init__(self, spread: float):
        if not 0 <= spread < 1:
            raise ValueError(f"spread: want 0 up to less than 1, got {spread}")
        self.spread = spread

    def __call__(self, batch: Batch) -> Batch:
        factor = 1 + self.spread * (2 * torch.rand(len(batch.eeg), 1, 1, device=batch.eeg.device) - 1)
        return batch._replace(eeg=batch.eeg * factor.to(batch.eeg.dtype))
