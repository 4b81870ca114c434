"""Batches to augment: noise of a few samples, each window with votes and a weight of its own."""

import torch

from hms.batch import Batch, Signals


def batch(size: int = 8) -> Batch:
    torch.manual_seed(0)
    eeg, power, target = torch.randn(size, 20, 50), torch.rand(size, 4, 6, 5), torch.randn(size, 6).softmax(dim=1)
    return Batch(eeg, power, target, torch.rand(size), torch.arange(size))


def signals(images: bool = True, size: int = 8) -> Signals:
    torch.manual_seed(0)
    pairs, image, target = torch.randn(size, 3, 80), torch.randn(size, 10, 60, 20), torch.randn(size, 6).softmax(dim=1)
    return Signals(pairs, image if images else None, target, torch.rand(size))


def assert_equal(one: Batch | Signals, other: Batch | Signals) -> None:
    for field, before, after in zip(one._fields, one, other, strict=True):
        assert before is after is None or torch.equal(before, after), field
