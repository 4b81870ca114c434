"""Windows simulated on the fly during training: new ones in every epoch, and no files.

Worker processes render ahead of the training. A window depends only on the seed and its own number, and numbering
continues from epoch to epoch. Only what the model reads is rendered: 50 s of EEG, and the surrounding ten minutes only
if it reads their spectrogram.
"""

import copy
import os
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float
from torch.utils.data import DataLoader, Dataset, Sampler

from hms.batch import Batch
from hms.data.distributed import Batches
from hms.data.half_precision import as_stored, eeg_as_stored
from hms.data.windows import as_is
from hms.labels import CLASSES, VOTE_COLUMNS, target_of, vote_weight
from hms.ranges import want_at_least, want_probability
from hms.simulate.kinds import Kind
from hms.simulate.plan import KIND_SHARES, stream
from hms.simulate.window import Window, render_window
from hms.spectrogram_recipe import FREQUENCIES_HZ, REGIONS
from hms.system.memory import keep_freed
from hms.system.processes import ALONE, Process
from hms.system.workers import cores, one_thread_each

_OWN_STREAM = 20  # key of a random stream that no corpus draws from


class SimulatedWindows:
    """How to simulate the `windows` of each epoch.

    `kinds` gives the share of windows planned as each class; weak patterns still end up as "other". A share `plain` of
    them has a background without rhythms, the rest any background. `target` is the vote shares of a panel, or those
    expected of all experts, which lack the noise of a finite panel. `workers` processes render for each training
    process: null divides this machine's cores among the training processes, 0 renders in the training process itself.
    """

    def __init__(
        self,
        windows: int,
        kinds: dict[str, float],
        plain: float,
        target: Literal["votes", "expected"],
        workers: int | None,
    ):
        want_at_least(1, windows=windows)
        want_probability(plain=plain)
        if workers is not None:
            want_at_least(0, workers=workers)
        if {*kinds} != {*CLASSES} or min(kinds.values()) < 0 or not sum(kinds.values()) > 0:
            raise ValueError(f"kinds: want a share, 0 or more, of each of {', '.join(CLASSES)}, got {kinds}")
        self.windows, self.target, self.workers = windows, target, workers
        self.kinds, self.plain = kinds, plain

    def limited_to(self, windows: int) -> "SimulatedWindows":
        """The same with `windows` per epoch at most: workers that are left with some to render do not end quietly."""
        limited = copy.copy(self)
        limited.windows = min(windows, self.windows)
        return limited

    def loader(self, batch_size: int, seed: int, with_spectrogram: bool, process: Process = ALONE) -> DataLoader[Batch]:
        """Batches of new windows in every epoch, without end; of each batch, the rows of one process."""
        windows = RenderedWindows(self, seed, with_spectrogram)
        numbers = WindowNumbers(self.windows)
        # torch's launchers say how many processes share this machine's cores; Slurm gives each process its own cores.
        sharing = int(os.environ.get("LOCAL_WORLD_SIZE", 1))
        workers = max(1, cores() // sharing) if self.workers is None else self.workers
        return _Loader(
            windows,
            batch_sampler=Batches(numbers, batch_size, process),
            collate_fn=as_is,
            num_workers=workers,
            persistent_workers=workers > 0,
            multiprocessing_context="spawn" if workers else None,  # a fork of a process that ran Polars can hang
            worker_init_fn=_begin,
            pin_memory=torch.cuda.is_available(),
        )


class RenderedWindows(Dataset[Batch]):
    """Simulated windows by number, the same whichever process renders them; each item is a batch."""

    def __init__(self, how: SimulatedWindows, seed: int, with_spectrogram: bool):
        self._how, self._seed, self._with_spectrogram = how, seed, with_spectrogram
        self._kinds = [*KIND_SHARES["high"]]
        shares = np.array([how.kinds[kind] for kind in self._kinds])
        self._shares = shares / shares.sum()

    def __getitem__(self, item: int) -> Batch:
        return self.__getitems__([item])

    def __getitems__(self, items: Sequence[int]) -> Batch:
        """The batch of several windows."""
        windows = [self._window(item) for item in items]
        votes = np.stack([[window.row[name] for name in VOTE_COLUMNS] for window in windows])
        target: Float[np.ndarray, "window class"] = target_of(votes)
        if self._how.target == "expected":
            target = np.stack([[window.row[name] for name in CLASSES] for window in windows])
        spectrogram = None
        if self._with_spectrogram:
            power = np.stack([as_stored(w.spectrogram) for w in windows if w.spectrogram is not None])
            by_region = power.reshape(*power.shape[:2], len(REGIONS), len(FREQUENCIES_HZ))
            spectrogram = torch.from_numpy(by_region).transpose(1, 2)
        return Batch(
            torch.from_numpy(np.stack([eeg_as_stored(window.eeg) for window in windows])).transpose(1, 2),
            spectrogram,
            torch.from_numpy(target.astype(np.float32)),
            torch.from_numpy(vote_weight(votes).astype(np.float32)),
            torch.as_tensor(items),
        )

    def _window(self, number: int) -> Window:
        rng = stream(self._seed, _OWN_STREAM, number)
        kind: Kind | Literal["other"] = rng.choice(self._kinds, p=self._shares)
        return render_window(rng, kind, self._with_spectrogram, bool(rng.random() < self._how.plain))


class WindowNumbers(Sampler[int]):
    """0 to `windows` - 1 in the first epoch, the next `windows` numbers in the second, and so on."""

    def __init__(self, windows: int):
        self._windows, self._epoch = windows, 0

    def __len__(self) -> int:
        return self._windows

    def set_epoch(self, epoch: int) -> None:
        """Lightning calls this before each epoch, so that a resumed run sees the windows of an uninterrupted one."""
        self._epoch = epoch

    def __iter__(self) -> Iterator[int]:
        return iter(range(self._epoch * self._windows, (self._epoch + 1) * self._windows))


def _begin(worker: int) -> None:
    keep_freed()


class _Loader(DataLoader[Batch]):
    """A loader whose workers use one thread each.

    They start when the first batch is asked for, not with the iterator: Lightning makes that before it sets the epoch,
    and workers take numbers at once.
    """

    def __iter__(self) -> Iterator[Batch]:  # type: ignore[override]  # Lightning needs no more
        with one_thread_each() if self.num_workers else nullcontext():
            batches = super().__iter__()
        yield from batches
