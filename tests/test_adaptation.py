"""Batch norms adapted to the windows to predict: the statistics they then have, and what stays unchanged."""

from itertools import product

import pytest
import torch
from batch_norms import met, model, norms
from material import batch, rows_of
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from hms.augmentation.brain_flip import flip
from hms.errors import UserError
from hms.model import Model
from hms.prediction import adaptation
from hms.prediction.adaptation import adapt_models
from hms.prediction.inference import Compute

DEEP = "stft_short backbone=hgnetv2 backbone.pretrained=false backbone.image.name=mobilenetv3_small_050.lamb_in1k"
EXTRACTORS = ["stft_short", "wavenet_short", "spectrogram", DEEP]


@pytest.mark.parametrize("extractor", EXTRACTORS)
def test_with_a_share_of_one_every_norm_has_the_statistics_of_the_windows(extractor: str):
    before = model(extractor)
    (after,) = adapt_models([before], [batch(3)], 1, Compute("cpu", flips=False))
    for norm, (mean, var) in zip(norms(after), met(after, batch(3)), strict=True):
        torch.testing.assert_close(norm.running_mean, mean, rtol=1e-2, atol=1e-3)
        torch.testing.assert_close(norm.running_var, var, rtol=1e-2, atol=1e-3)
    assert any(not torch.allclose(a.running_mean, b.running_mean, atol=0.1) for a, b in _both(before, after))


@pytest.mark.parametrize("extractor", EXTRACTORS)
def test_a_share_mixes_the_statistics_of_training_and_windows(extractor: str):
    before = model(extractor)
    (after,) = adapt_models([before], [batch(3)], 0.25, Compute("cpu", flips=False))
    for (old, new), (mean, var) in zip(_both(before, after), met(after, batch(3)), strict=True):
        torch.testing.assert_close(new.running_mean, 0.75 * old.running_mean + 0.25 * mean, rtol=1e-2, atol=1e-3)
        torch.testing.assert_close(new.running_var, 0.75 * old.running_var + 0.25 * var, rtol=1e-2, atol=1e-3)


def test_neither_the_size_of_batches_nor_their_order_matters():
    before = model()
    parts = [rows_of(batch(7), 0, 1), rows_of(batch(7), 1, 5), rows_of(batch(7), 5, 7)]
    whole, pieces, turned = (
        adapt_models([before], some, 0.5, Compute("cpu", flips=False))[0] for some in ([batch(7)], parts, parts[::-1])
    )
    for norm, *others in zip(norms(whole), norms(pieces), norms(turned), strict=True):
        for other in others:
            torch.testing.assert_close(norm.running_mean, other.running_mean, rtol=1e-4, atol=1e-5)
            torch.testing.assert_close(norm.running_var, other.running_var, rtol=1e-4, atol=1e-5)


def test_windows_are_dealt_out_to_batches_that_hardly_differ(monkeypatch: pytest.MonkeyPatch):
    """The first half of the windows is ten times as loud: in batches of neighbours it would have norms of its own."""
    before, some = model(), batch(12)
    loud = torch.tensor([10.0] * 6 + [1.0] * 6)[:, None, None]
    some = some._replace(eeg=some.eeg * loud)
    (whole,) = adapt_models([before], [some], 1, Compute("cpu", flips=False))
    monkeypatch.setattr(adaptation, "_TOGETHER", 6)
    (parts,) = adapt_models([before], [some], 1, Compute("cpu", flips=False))
    for one, other in _both(whole, parts):
        assert ((one.running_mean - other.running_mean).abs() < 0.1 * one.running_var.sqrt()).all()


def test_of_many_windows_an_evenly_spread_part_is_used(monkeypatch: pytest.MonkeyPatch):
    before = model()
    monkeypatch.setattr(adaptation, "_MOST", 4)
    parts = [rows_of(batch(11), 0, 5), rows_of(batch(11), 5, 11)]
    (after,) = adapt_models([before], parts, 1, Compute("cpu", flips=False))
    (alone,) = adapt_models([before], [rows_of(batch(11), i, i + 1) for i in (0, 4, 8)], 1, Compute("cpu", flips=False))
    for one, other in _both(after, alone):
        torch.testing.assert_close(one.running_mean, other.running_mean)


def test_flips_count_as_additional_windows():
    before = model()
    (together,) = adapt_models([before], [batch(2)], 1, Compute("cpu", flips=True))
    flipped = [flip(batch(2), *marks) for marks in product((torch.zeros(2) > 0, torch.ones(2) > 0), repeat=2)]
    (one_by_one,) = adapt_models([before], flipped, 1, Compute("cpu", flips=False))
    for one, other in _both(together, one_by_one):
        torch.testing.assert_close(one.running_mean, other.running_mean)
        torch.testing.assert_close(one.running_var, other.running_var)


def test_models_and_weights_stay_unchanged_and_each_member_adapts_on_its_own():
    members = [model(seed=0), model("wavenet_short", seed=1)]
    held = [{name: value.clone() for name, value in each.state_dict().items()} for each in members]
    together = adapt_models(members, [batch(3)], 0.5, Compute("cpu", flips=False))
    for member, before, after in zip(members, held, together, strict=True):
        (alone,) = adapt_models([member], [batch(3)], 0.5, Compute("cpu", flips=False))
        for name, value in member.state_dict().items():
            assert torch.equal(value, before[name]), name
            assert torch.equal(after.state_dict()[name], alone.state_dict()[name]), name
            assert torch.equal(after.state_dict()[name], value) == ("running_" not in name), name
        assert not after.training


def test_a_constant_channel_does_not_end_adaptation_early():
    before = model()
    stem = before.extractors["stft_short"].backbone.stem[0]
    stem.weight.data[0], stem.bias.data[0] = 0, 1
    (after,) = adapt_models([before], [batch(3)], 1, Compute("cpu", flips=False))
    for norm, (mean, var) in zip(norms(after), met(after, batch(3)), strict=True):
        torch.testing.assert_close(norm.running_mean, mean, rtol=1e-2, atol=1e-3)
        torch.testing.assert_close(norm.running_var, var, rtol=1e-2, atol=1e-3)


def test_without_windows_nothing_changes():
    before = model()
    (after,) = adapt_models([before], [], 0.5, Compute("cpu", flips=False))
    for one, other in _both(before, after):
        assert torch.equal(one.running_mean, other.running_mean)
        assert torch.equal(one.running_var, other.running_var)


def test_models_without_batch_norms_are_refused():
    bare = model()
    bare.extractors["stft_short"].backbone = nn.Identity()
    with pytest.raises(UserError, match=r"adapt: want 0, as no model has a batch norm, got 0.5"):
        adapt_models([bare], [batch(2)], 0.5, Compute("cpu", flips=False))


def test_norms_that_extractors_share_are_refused():
    shared = model("[stft_short,raw_image] model.share_backbones=true")
    message = r"adapt: want 0 with model.share_backbones=true, where norms meet two inputs, got 0.5"
    with pytest.raises(UserError, match=message):
        adapt_models([shared], [batch(2)], 0.5, Compute("cpu", flips=False))


def _both(one: Model, other: Model) -> list[tuple[_BatchNorm, _BatchNorm]]:
    return list(zip(norms(one), norms(other), strict=True))
