"""Distribute the rows of every batch among the processes that train one model together.

Batches are the same, however many processes there are: process r of n gets rows r, r + n, r + 2n and so on. If a batch
does not divide evenly, some rows are repeated, so that all processes have the same number and none waits for another;
`Process.own_rows` says how many count.
"""

from collections.abc import Iterator
from itertools import cycle, islice
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import Sampler

from hms.system.processes import Process


class Batches(Sampler[list[int]]):
    """This process's part of each batch, in the order of `sampler`, whose epoch Lightning sets.

    There are as few batches of up to `batch_size` rows as possible, and their sizes differ by one row at most: a last
    batch of what is left might be a single row, which would count as much as a full batch, and as much in the running
    statistics of batch norms, just before they are used to validate.
    """

    def __init__(self, sampler: Any, batch_size: int, process: Process):
        self.sampler, self.batch_size, self.process = sampler, batch_size, process

    def __len__(self) -> int:
        return -(-len(self.sampler) // self.batch_size)

    def rows(self, index: int) -> int:
        """How many rows batch number `index` has in all processes together."""
        rows, more = divmod(len(self.sampler), len(self))
        return rows + (index < more)

    def __iter__(self) -> Iterator[list[int]]:
        rank, world_size = self.process
        order = iter(self.sampler)
        for index in range(len(self)):
            batch = [*islice(order, self.rows(index))]
            yield [*islice(cycle(batch), rank, world_size * _rows_each(len(batch), world_size), world_size)]


def part_of(whole: Tensor, process: Process) -> Tensor:
    """The rows of a whole batch that `Batches` gives to a process."""
    rank, world_size = process
    rows = len(whole)
    return whole[torch.arange(rank, world_size * _rows_each(rows, world_size), world_size, device=whole.device) % rows]


def whole_of(part: Tensor, process: Process, rows: int) -> Tensor:
    """The whole batch of `rows` rows, gathered from the parts of all processes."""
    parts = part.new_empty((process.world_size, *part.shape))
    torch.distributed.all_gather_into_tensor(parts.flatten(0, 1), part.contiguous())
    return parts.transpose(0, 1).flatten(0, 1)[:rows]


def _rows_each(rows: int, world_size: int) -> int:
    """Rows of a batch per process, repeated ones included."""
    return -(-rows // world_size)
