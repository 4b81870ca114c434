"""Serve the windows of a store as batches: one gather for all rows of a batch, with no code per sample.

`Windows` is a torch dataset that returns whole batches (`__getitems__`), so an ordinary DataLoader works with it, given
`collate_fn=as_is`.
"""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch
from jaxtyping import Float16, Int64
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from hms.batch import Batch
from hms.data.distributed import Batches
from hms.data.store import Store, open_store
from hms.labels import VOTE_COLUMNS, target_of, vote_weight
from hms.system.processes import ALONE, Process
from hms.window_lengths import EEG_SAMPLES, SPECTROGRAM_ROWS


class Windows(Dataset[Batch]):
    """The windows of `rows` (a subset of `store.rows`); item i is a batch of row i alone."""

    def __init__(self, store: Store, rows: pl.DataFrame, with_spectrogram: bool = False):
        self.rows = rows
        self._path = store.path
        self._eeg_start = rows["eeg_start"].to_numpy()
        self._eeg = store.eeg
        self._spectrogram_start = rows["spectrogram_start"].to_numpy()
        self._spectrogram = store.spectrogram if with_spectrogram else None
        votes = rows.select(VOTE_COLUMNS).to_numpy()
        self._target = torch.from_numpy(target_of(votes).astype(np.float32))
        self._label_id = torch.from_numpy(rows["label_id"].to_numpy().copy())
        self._weight = torch.from_numpy(vote_weight(votes).astype(np.float32))

    def __len__(self) -> int:
        return len(self.rows)

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle the path of the store instead of its samples, for the spawned workers of an ordinary DataLoader."""
        return _reopened, (self._path, self.rows, self._spectrogram is not None)

    def __getitem__(self, item: int) -> Batch:
        return self.__getitems__([item])

    def __getitems__(self, items: Sequence[int]) -> Batch:
        """One batch of several rows, by their positions in `rows`."""
        eeg = _gathered(self._eeg, self._eeg_start[items], EEG_SAMPLES)
        spectrogram = None
        if self._spectrogram is not None:
            spectrogram = _gathered(self._spectrogram, self._spectrogram_start[items], SPECTROGRAM_ROWS)
        rows = torch.as_tensor(items)
        return Batch(eeg, spectrogram, self._target[rows], self._weight[rows], self._label_id[rows])

    @property
    def nbytes(self) -> int:
        """The memory that all windows take."""
        sizes = [EEG_SAMPLES * self._eeg[0].nbytes]
        if self._spectrogram is not None:
            sizes.append(SPECTROGRAM_ROWS * self._spectrogram[0].nbytes)
        return len(self) * sum(sizes)

    def loader(self, batch_size: int, sampler: Sampler[int] | None = None, process: Process = ALONE) -> "Loader":
        """Batches in the sampler's order (without one, in the order of `rows`); of each, the rows of one process."""
        batches = Batches(sampler or range(len(self)), batch_size, process)
        return Loader(self, batch_sampler=batches, collate_fn=as_is, pin_memory=torch.cuda.is_available())


class Loader(DataLoader[Batch]):
    """Load from a dataset whose items are batches; a thread gathers each batch while the one before it is used.

    There are no worker processes: the gather costs less than passing a batch between processes.
    """

    def __iter__(self) -> Iterator[Batch]:  # type: ignore[override]  # Lightning needs no more
        batches = super().__iter__()
        with ThreadPoolExecutor(1) as thread:
            upcoming = thread.submit(next, batches, None)
            while (batch := upcoming.result()) is not None:
                upcoming = thread.submit(next, batches, None)
                yield batch


class OneRowPerEeg(Sampler[int]):
    """Draw one random row of every EEG per epoch, in random order: long recordings count no more than short ones."""

    def __init__(self, rows: pl.DataFrame, seed: int):
        order = np.argsort(rows["eeg_id"].to_numpy(), kind="stable")
        _, self._first, self._count = np.unique(rows["eeg_id"].to_numpy()[order], return_index=True, return_counts=True)
        self._order, self._seed, self._epoch = order, seed, 0

    def __len__(self) -> int:
        return len(self._first)

    def set_epoch(self, epoch: int) -> None:
        """Called by Lightning before each epoch, so that a resumed run draws the same rows as an uninterrupted one."""
        self._epoch = epoch

    def __iter__(self) -> Iterator[int]:
        draw = np.random.default_rng((self._seed, self._epoch))
        chosen = self._order[self._first + draw.integers(self._count)]
        return iter(draw.permutation(chosen).tolist())


def _gathered(
    samples: Float16[np.ndarray, "time ..."], starts: Int64[np.ndarray, " row"], size: int
) -> Float16[Tensor, "row ..."]:
    """A copy of the windows of `size` samples, their second axis last; nothing else is read."""
    sliding = np.lib.stride_tricks.sliding_window_view(samples, size, axis=0)
    return torch.from_numpy(np.moveaxis(sliding, -1, 1)[starts]).transpose(1, 2)


def _reopened(path: Path, rows: pl.DataFrame, with_spectrogram: bool) -> Windows:
    return Windows(open_store(path), rows, with_spectrogram)


def as_is(batch: Any) -> Any:
    """Collate nothing: the dataset returns whole batches."""
    return batch
