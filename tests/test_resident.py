"""Windows on the device give the same batches as those in the store."""

import pytest
import torch
from material import equal
from torch.utils.data import SubsetRandomSampler

from hms.data import resident
from hms.data.resident import Resident, maybe_resident
from hms.data.store import Store
from hms.data.windows import OneRowPerEeg, Windows
from hms.system.processes import ALONE, Process


@pytest.mark.parametrize("with_spectrogram", [False, True])
def test_resident_windows_give_the_same_batches_bit_for_bit(store: Store, with_spectrogram: bool, monkeypatch):
    monkeypatch.setattr(resident, "_AT_ONCE", 5)
    windows = Windows(store, store.rows, with_spectrogram)
    loaders = [one.loader(3, OneRowPerEeg(store.rows, 0)) for one in (windows, Resident(windows, "cpu"))]
    for epoch in range(2):
        for loader in loaders:
            loader.batch_sampler.sampler.set_epoch(epoch)
        both = [*zip(*loaders, strict=True)]
        assert len(both) == len(loaders[0])
        assert all(equal(one, other) for one, other in both)


def test_the_next_batch_is_gathered_while_one_is_used_and_a_failure_is_raised(store: Store):
    windows, order = Windows(store, store.rows), []
    gather = windows.__getitems__
    windows.__getitems__ = lambda items: order.append(items[0]) or gather(items)
    batches = iter(windows.loader(2))
    next(batches)
    next(batches)
    batches.close()
    assert order[:3] == [0, 2, 4]
    loader = Windows(store, store.rows).loader(2, SubsetRandomSampler([0, 1, len(store.rows)]))
    with pytest.raises(IndexError):
        list(loader)


def test_windows_go_to_the_gpu_if_they_fit_and_it_trains_alone(store: Store, monkeypatch, capsys):
    windows, gpu, asked_of, moved_to = Windows(store, store.rows), torch.device("cuda", 1), [], []
    assert windows.nbytes == len(windows) * 10_000 * 20 * 2
    monkeypatch.setattr(
        resident, "Resident", lambda windows, device: moved_to.append(device) or Resident(windows, "cpu")
    )
    for free, asked, goes in ((1e12, "auto", True), (1e6, "auto", False), (1e6, True, True), (1e12, False, False)):
        monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device, free=free: asked_of.append(device) or (free, 0))
        assert (maybe_resident(windows, asked, gpu, ALONE) is not windows) == goes
    assert {*asked_of} == {*moved_to} == {gpu}
    for device, process in (("cpu", ALONE), ("mps", ALONE), ("cuda", Process(0, 2)), ("cuda", Process(1, 2))):
        assert maybe_resident(windows, True, torch.device(device), process) is windows
    warning = f"{len(windows):,} windows take 0.0 GB, too much for the GPU; they stay in the store"
    assert warning in capsys.readouterr().err
