"""Serve the batches that a model trains on and is validated on."""

from collections.abc import Iterator
from itertools import islice
from typing import Any, NamedTuple

import polars as pl
import torch
from torch.utils.data import DataLoader

from hms.batch import Batch
from hms.config.build import build
from hms.data.corpus import Residence
from hms.data.resident import maybe_resident
from hms.data.store import Store
from hms.data.windows import OneRowPerEeg, Windows
from hms.live import SimulatedWindows
from hms.system.processes import ALONE, Process

_RENDERED = 1024  # windows at most: other processes wait while they are


class Feed(NamedTuple):
    """What a training process takes its batches from; of each batch it gets the rows that fall to it."""

    store: Store
    with_spectrogram: bool
    resident: Residence
    live: SimulatedWindows | None
    """Trained on instead of windows of the store."""
    batch_size: int
    """Rows in all processes together."""
    seed: int
    process: Process
    """This process among those that train together."""
    device: torch.device
    """The one that this process trains on."""

    def training(self, rows: pl.DataFrame) -> DataLoader[Batch]:
        """Batches of one random row of each EEG per epoch, or with `live` of windows simulated on demand."""
        if self.live:
            return self.live.loader(self.batch_size, self.seed, self.with_spectrogram, self.process)
        windows = maybe_resident(self._windows(rows), self.resident, self.device, self.process)
        return windows.loader(self.batch_size, OneRowPerEeg(rows, self.seed), self.process)

    def some(self, rows: pl.DataFrame, count: int) -> Iterator[Batch]:
        """Up to `count` whole batches of an epoch of training, the same in every process."""
        live = self.live and self.live.limited_to(min(count * self.batch_size, _RENDERED))
        alone = self._replace(live=live, process=ALONE, resident=False)
        return islice(alone.training(rows), count)

    def validation(self, rows: pl.DataFrame) -> DataLoader[Batch] | None:
        """Batches of all rows, in their order; None if there are none."""
        return None if rows.is_empty() else self._windows(rows).loader(self.batch_size, process=self.process)

    def _windows(self, rows: pl.DataFrame) -> Windows:
        return Windows(self.store, rows, self.with_spectrogram)


def feed_of(
    config: dict[str, Any], store: Store, with_spectrogram: bool, process: Process, device: torch.device
) -> Feed:
    """The feed of a process that trains as `config` says."""
    resident = build(config["data"]).resident
    live = next((build(node) for node in config["live"].values()), None)
    return Feed(
        store=store,
        with_spectrogram=with_spectrogram,
        resident=resident,
        live=live,
        batch_size=config["batch_size"],
        seed=config["seed"],
        process=process,
        device=device,
    )
