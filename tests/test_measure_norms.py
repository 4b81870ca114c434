"""Batch norms measured anew after a training: by which windows, how, and what stays as it was."""

import pytest
import torch
from batch_norms import met, model, norms
from material import batch, config, quick, rows_of
from torch import nn

from hms.config.build import build
from hms.data.store import Store
from hms.model import Model
from hms.system.processes import ALONE, Process
from hms.training.feed import feed_of
from hms.training.measure_norms import measure_norms

CPU = torch.device("cpu")


def test_the_first_norm_has_the_mean_statistics_of_all_batches():
    measured = model()
    batches = [batch(3), rows_of(batch(7), 3, 6)]
    each = [met(measured, one)[0] for one in batches]  # nothing before the first norm changes
    measure_norms(measured, batches, CPU)
    first = norms(measured)[0]
    torch.testing.assert_close(first.running_mean, torch.stack([mean for mean, _ in each]).mean(dim=0))
    torch.testing.assert_close(first.running_var, torch.stack([var for _, var in each]).mean(dim=0), rtol=1e-3, atol=0)


@pytest.mark.parametrize("extractor", ["stft_short", "wavenet_short", "[stft_short,raw_image]"])
def test_what_was_measured_before_does_not_count(extractor: str):
    one, other = model(extractor), model(extractor)
    for norm in norms(other):
        norm.running_mean += 1
    for some in (one, other):
        measure_norms(some, [batch(3)], CPU)
    for a, b in zip(norms(one), norms(other), strict=True):
        torch.testing.assert_close(a.running_mean, b.running_mean, rtol=0, atol=0)
        torch.testing.assert_close(a.running_var, b.running_var, rtol=0, atol=0)


def test_dropout_is_off_and_only_norms_change():
    torch.manual_seed(0)
    node = quick(config("extractor=wavenet_short"))["model"]
    dropping: Model = build(node)
    dropouts = [part for part in dropping.modules() if isinstance(part, nn.Dropout)]
    before = {name: weight.clone() for name, weight in dropping.state_dict().items()}
    measure_norms(dropping.train(), [batch(3)], CPU)
    assert dropouts
    assert not any(part.training for part in dropping.modules())
    assert {norm.momentum for norm in norms(dropping)} == {norm.momentum for norm in norms(build(node))}
    changed = {
        name.rsplit(".", 1)[1] for name, now in dropping.state_dict().items() if not torch.equal(before[name], now)
    }
    assert changed == {"running_mean", "running_var", "num_batches_tracked"}


@pytest.mark.parametrize("live", ["none", "simulated live.simulated.windows=50 live.simulated.workers=0"])
def test_every_process_measures_by_the_same_whole_batches(live: str, store: Store):
    settings = config(*f"live={live} batch_size=4".split())
    served = [
        [batch.label_id.tolist() for batch in feed_of(settings, store, False, process, CPU).some(store.rows, 3)]
        for process in (ALONE, Process(1, 2))
    ]
    assert served[0] == served[1]
    assert [len(ids) for ids in served[0]] == [4, 4, 4]


def test_fewer_batches_than_asked_for_are_measured_by_all(store: Store):
    feed = feed_of(config("batch_size=4"), store, False, ALONE, CPU)
    served = [*feed.some(store.rows, 1000)]
    assert sum(len(batch.label_id) for batch in served) == store.rows["eeg_id"].n_unique()
