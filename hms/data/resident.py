"""Keep the training windows on the GPU: a batch is one indexing operation there, and nothing is copied to it.

The 50 s around each row take 0.4 MB, the 9,827 windows of the competition's ten-vote EEGs 3.9 GB. If they do not fit,
or the device is the CPU, for which the store's memory map is just as fast, batches are gathered from the store, the
next one while the current one is used.
"""

import gc
from collections.abc import Sequence

import torch
from torch.utils.data import Dataset, Sampler

from hms.batch import Batch, mapped
from hms.data.corpus import Residence
from hms.data.distributed import Batches
from hms.data.windows import Loader, Windows, as_is
from hms.system.console import say
from hms.system.processes import ALONE, Process

SHARE = 0.25
"""Share of a device's free memory that windows may take; the rest is for the model."""

_AT_ONCE = 256  # windows copied to the device at a time


class Resident(Dataset[Batch]):
    """All windows on a device, in place of `Windows`: the same batches, bit for bit."""

    def __init__(self, windows: Windows, device: str | torch.device):
        self._whole = _moved(windows, device)

    def __len__(self) -> int:
        return len(self._whole.label_id)

    def __getitem__(self, item: int) -> Batch:
        return self.__getitems__([item])

    def __getitems__(self, items: Sequence[int]) -> Batch:
        """One batch of several rows, by their positions."""
        device = self._whole.eeg.device
        # A copy from memory that is not pinned would wait for all work queued on the GPU.
        rows = torch.tensor(items, pin_memory=device.type == "cuda").to(device, non_blocking=True)
        return mapped(self._whole, lambda part: part[rows])

    def loader(self, batch_size: int, sampler: Sampler[int] | None = None, process: Process = ALONE) -> Loader:
        """Batches in the sampler's order (without one, in that of the rows); of each, the rows of one process."""
        return Loader(self, batch_sampler=Batches(sampler or range(len(self)), batch_size, process), collate_fn=as_is)


def maybe_resident(windows: Windows, resident: Residence, device: torch.device, process: Process) -> Windows | Resident:
    """The windows moved to `device`, if that is a CUDA GPU and trains alone.

    With `resident` "auto" they are moved if they fit; True moves them regardless, False leaves them in the store.
    """
    if resident is False or device.type != "cuda" or process != ALONE:
        return windows
    gc.collect()  # the trainer of an earlier stage is a reference cycle, which still holds its windows
    torch.cuda.empty_cache()
    free, _ = torch.cuda.mem_get_info(device)
    if resident == "auto" and windows.nbytes > SHARE * free:
        size = f"{windows.nbytes / 1e9:.1f} GB"
        say(f"{len(windows):,} windows take {size}, too much for the GPU; they stay in the store")
        return windows
    return Resident(windows, device)


def _moved(windows: Windows, device: str | torch.device) -> Batch:
    """All windows as one batch on a device, copied some at a time: of the store, only these windows are read."""
    first = windows[0]
    whole = mapped(first, lambda part: torch.empty(len(windows), *part.shape[1:], dtype=part.dtype, device=device))
    rows = range(len(windows))
    for at in range(0, len(windows), _AT_ONCE):
        for target, part in zip(whole, windows.__getitems__(rows[at : at + _AT_ONCE]), strict=True):
            if target is not None and part is not None:
                target[at : at + _AT_ONCE] = part
    return whole
