"""The views that models predict by: what preprocessing a flipped head would give, without doing it for each."""

from copy import deepcopy
from itertools import pairwise, product
from pathlib import Path

import pytest
import torch
from configs import options
from material import batch, config
from torch import Tensor

from hms.augmentation.brain_flip import flip
from hms.batch import Batch, Signals, joined
from hms.config.build import build
from hms.electrodes import FLIPS
from hms.montage import Montage
from hms.prediction.views import views, views_by_model
from hms.preprocess import Preprocess
from hms.runs.checkpoint import load_models, save_model

LACKING = ["Fp1-F7", "F7-T3", "Fz-Cz"]  # no right side
TWICE = ["Fp1-F7", "Fp2-F8", "F7-Fp1", "O1-T5", "O2-T6"]  # flipped, the median pair is another


def preprocess_of(*overrides: str) -> Preprocess:
    built: Preprocess = build(config(*overrides)["preprocess"])
    return built


def flipped(given: Batch) -> list[Batch]:
    mark = torch.ones(len(given.eeg), dtype=torch.bool)
    return [flip(given, mark & left_right, mark & front_back) for left_right, front_back in FLIPS]


def windows() -> Batch:
    """Windows of noise whose electrodes are unevenly loud, one with a gap at the end and an electrode off."""
    given = batch(3)
    eeg = given.eeg * torch.linspace(0.5, 3, given.eeg.shape[1])[:, None]
    eeg[1, :, -3000:], eeg[1, 4] = torch.nan, torch.nan
    return given._replace(eeg=eeg)


def assert_views_are_flipped_heads(preprocess: Preprocess) -> None:
    seen = views(preprocess, windows(), flips=True)
    for view, wanted in zip(seen, map(preprocess, flipped(windows())), strict=True):
        torch.testing.assert_close(view.pairs, wanted.pairs)
        torch.testing.assert_close(view.images, wanted.images)
        assert torch.equal(view.target, wanted.target)
    for one, other in pairwise(seen):
        assert not torch.allclose(one.pairs, other.pairs)


@pytest.mark.parametrize("preprocess", options("preprocess"))
@pytest.mark.parametrize("montage", options("montage"))
def test_views_are_what_preprocessing_gives_for_flipped_heads(preprocess: str, montage: str):
    of = preprocess_of(f"preprocess={preprocess}", f"montage={montage}")
    assert of.montage.flipped_places is not None
    assert_views_are_flipped_heads(of)


@pytest.mark.parametrize("pairs", [LACKING, TWICE])
def test_a_montage_that_is_not_its_own_mirror_image_has_the_same_views(pairs: list[str]):
    of = preprocess_of("preprocess=clinical")
    of.montage = Montage({"own": pairs}, "listed")
    assert of.montage.flipped_places is None
    assert_views_are_flipped_heads(of)


class Louder(Preprocess):
    def forward(self, batch: Batch) -> Signals:
        signals = super().forward(batch)
        return signals._replace(pairs=signals.pairs * torch.arange(1, 1 + signals.pairs.shape[1])[:, None])


class OneLouder(Montage):
    def forward(self, eeg: Tensor) -> Tensor:
        return super().forward(eeg) * torch.arange(1, 1 + len(self.pairs))[:, None]


@pytest.mark.parametrize("own", ["preprocess", "montage"])
def test_preprocessing_of_ones_own_may_treat_pairs_differently(own: str):
    of = preprocess_of("preprocess=original", "montage=pairs8")
    changed = {"preprocess": (of, Louder), "montage": (of.montage, OneLouder)}
    part, kind = changed[own]
    part.__class__ = kind
    assert_views_are_flipped_heads(of)


def test_without_flips_the_only_view_is_the_window_as_it_is():
    of = preprocess_of()
    (view,) = views(of, windows(), flips=False)
    assert all(torch.equal(part, wanted) for part, wanted in zip(view, of(windows()), strict=True))


@pytest.mark.parametrize("flips", [False, True])
def test_models_next_to_each_other_that_share_preprocessing_run_it_once(flips: bool):
    models = [
        build(config("trainer=cpu", f"montage={montage}")["model"]) for montage in ("pairs8", "pairs8", "pairs24")
    ]
    models[1].preprocess = models[0].preprocess
    runs: list[Preprocess] = []
    for model in models[::2]:
        model.preprocess.register_forward_hook(lambda module, *_: runs.append(module))
    found = list(views_by_model(models, windows(), flips))
    assert [model for model, _ in found] == models
    assert runs == [models[0].preprocess, models[2].preprocess]
    assert [view.pairs.shape[1] for _, seen in found for view in seen[:1]] == [8, 8, 24]


def test_models_loaded_together_share_preprocessing_of_the_same_settings(tmp_path: Path):
    groups = {"one": ["Fp1-F3", "Fp2-F4"], "two": ["P3-O1", "P4-O2"]}
    orders = [groups, {"two": groups["two"], "one": groups["one"]}, groups]
    folds = [tmp_path / str(number) for number in range(len(orders))]
    for fold, ordered in zip(folds, orders, strict=True):
        fold.mkdir()
        whole = deepcopy(config("trainer=cpu", "extractor=stft_short", "montage=pairs8"))
        whole["model"]["preprocess"]["montage"]["groups"] = ordered
        save_model(fold, build(whole["model"]), whole["model"])
    one, other, same = load_models(folds)
    assert one.preprocess is same.preprocess
    assert one.extractors is not same.extractors
    assert other.preprocess.montage.pairs == ("P3-O1", "P4-O2", "Fp1-F3", "Fp2-F4")


def test_views_joined_are_one_batch():
    seen = views(preprocess_of(), windows(), flips=True)
    whole = joined(seen)
    assert isinstance(whole, Signals)
    for (number, view), row in product(enumerate(seen), range(3)):
        assert torch.equal(whole.pairs[3 * number + row], view.pairs[row])
    assert joined([view._replace(images=None) for view in seen]).images is None
