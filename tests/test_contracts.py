"""What every option of a group keeps, so that any can stand in for any other. A new YAML is tested by being there."""

from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import ROOT
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf
from torch import Tensor, nn

from hms.batch import Batch, Signals
from hms.build import build
from hms.corpus import EEG_WINDOW, SPECTROGRAM_WINDOW, Folder
from hms.electrodes import ELECTRODES
from hms.labels import CLASSES
from hms.loss import VoteWeightedKl
from hms.module import Augmentation
from hms.preprocess import Preprocess
from hms.spectrogram_recipe import FREQUENCIES_HZ, REGIONS
from hms.store import Store

CONF = ROOT / "conf"

OWN_TEST = {"augmentation", "backbone", "data", "extractor", "logger", "subset", "trainer"}
"""Groups with tests of their own below; an option of any other changes the model, and the model must run."""

LEARNS_NOTHING = (".stem.0.bias",)
"""Ends of the names of parameters without a gradient: of a bias before a batch norm, which takes it out again."""

DEVICES = ["cpu", "meta", *(["cuda"] if torch.cuda.is_available() else [])]
"""`meta` computes shapes only, but like a GPU it refuses a tensor that was left on the CPU."""


def options(group: str) -> list[str]:
    return sorted(path.stem for path in (CONF / group).glob("*.yaml"))


@cache
def config(*overrides: str) -> dict[str, Any]:
    """train.yaml with the tiny backbone, unless told otherwise."""
    with initialize_config_dir(str(CONF), version_base="1.3"):
        composed = compose("train", ["backbone=tiny", "data.root=nowhere", *overrides])
    return OmegaConf.to_container(composed, resolve=True)  # type: ignore[return-value]


def batch(rows: int = 2, dtype: torch.dtype = torch.float32) -> Batch:
    """Noise at the size of EEG, and positive powers; the same at every call."""
    draw = torch.Generator().manual_seed(0)
    return Batch(
        eeg=(30 * torch.randn(rows, len(ELECTRODES), EEG_WINDOW, generator=draw)).to(dtype),
        spectrogram=torch.rand(rows, len(REGIONS), SPECTROGRAM_WINDOW, len(FREQUENCIES_HZ), generator=draw).to(dtype),
        target=torch.rand(rows, len(CLASSES), generator=draw).softmax(dim=1),
        weight=1 + torch.rand(rows, generator=draw),
        label_id=torch.arange(rows),
    )


def filled(value: float) -> Batch:
    """A batch whose EEG and spectrogram are `value` throughout."""
    given = batch()
    return given._replace(eeg=torch.full_like(given.eeg, value), spectrogram=torch.full_like(given.spectrogram, value))


def vector(found: Any) -> Tensor:
    """The features of an extractor, whether it gives tokens beside them or not."""
    return getattr(found, "vector", found)


def tensors(value: tuple[Any, ...]) -> dict[str, Tensor]:
    """The parts of a batch or of features by name; without those that are None."""
    return {name: part for name, part in value._asdict().items() if part is not None}


def of_rows(value: tuple[Any, ...], rows: slice) -> Any:
    return type(value)(*(None if part is None else part[rows] for part in value))


def to(value: tuple[Any, ...], device: str) -> Any:
    return type(value)(*(None if part is None else part.to(device) for part in value))


def without_gradient(network: nn.Module) -> list[str]:
    """Parameters that a backward pass told nothing."""
    silent = {
        name for name, p in network.named_parameters() if p.requires_grad and (p.grad is None or not p.grad.any())
    }
    return sorted(name for name in silent if not f".{name}".endswith(LEARNS_NOTHING))


# Groups that change the model


@pytest.mark.parametrize(
    "choice",
    [
        f"{path.name}={option}"
        for path in sorted(CONF.iterdir())
        if path.is_dir() and path.name not in OWN_TEST
        for option in options(path.name)
    ],
)
def test_a_model_with_any_option_gives_finite_logits_and_learns(choice: str):
    torch.manual_seed(0)
    model = build(config(choice)["model"])
    given = batch()
    VoteWeightedKl()(model(given), given.target, given.weight).backward()
    assert without_gradient(model) == []
    with torch.no_grad():
        for missing in (given, filled(torch.nan), filled(0.0)):
            logits = model.eval()(missing)
            assert logits.shape == (2, len(CLASSES))
            assert logits.isfinite().all()


# Backbones


@pytest.fixture(scope="module", params=options("backbone"))
def backbones(request: pytest.FixtureRequest) -> dict[str, nn.Module]:
    """The networks of a backbone option, by the input that they are for."""
    torch.manual_seed(0)
    node = config(f"backbone={request.param}")["backbone"]
    if "pretrained" in node:
        node = config(f"backbone={request.param}", "backbone.pretrained=false")["backbone"]
    return {name: build(part) for name, part in node.items() if isinstance(part, dict)}


def test_a_backbone_has_a_network_for_images(backbones: dict[str, nn.Module]):
    assert "image" in backbones


@pytest.mark.parametrize("size", [(64, 96), (33, 130)])
def test_a_backbone_says_how_long_its_features_are_whatever_the_size(backbones: dict[str, nn.Module], size):
    for name, network in backbones.items():
        with torch.no_grad():
            found = network.eval()(torch.randn(2, 1, *size))
        assert found.shape == (2, network.out_features), name
        assert found.isfinite().all(), name


def test_a_backbone_sends_a_gradient_to_every_parameter(backbones: dict[str, nn.Module]):
    for network in backbones.values():
        torch.manual_seed(0)
        network.train()(torch.randn(3, 1, 64, 96)).square().sum().backward()
        assert without_gradient(network) == []
        network.zero_grad()


# Extractors


@pytest.fixture(scope="module", params=options("extractor"))
def extractor(request: pytest.FixtureRequest) -> nn.Module:
    torch.manual_seed(0)
    (node,) = config(f"extractor={request.param}")["extractor"].values()
    return build(node)


@cache
def preprocess() -> Preprocess:
    return build(config()["preprocess"])


def test_an_extractor_says_how_long_its_features_are(extractor: nn.Module):
    with torch.no_grad():
        found = extractor.eval()(preprocess()(batch()))
    assert vector(found).shape == (2, extractor.out_features)
    assert vector(found).std() > 0


def test_an_extractors_tokens_are_of_one_width(extractor: nn.Module):
    with torch.no_grad():
        tokens = getattr(extractor.eval()(preprocess()(batch())), "tokens", None)
    if tokens is None:
        pytest.skip("this one gives no tokens")
    rows, count, width = tokens.shape
    assert (rows, count > 0, width > 0) == (2, True, True)


def test_an_extractor_sends_a_gradient_to_every_parameter(extractor: nn.Module):
    torch.manual_seed(0)
    found = extractor.train()(preprocess()(batch(3)))
    parts = tensors(found) if isinstance(found, tuple) else {"vector": found}
    sum(part.square().sum() for part in parts.values()).backward()
    assert without_gradient(extractor) == []
    extractor.zero_grad()


def test_an_extractor_gives_a_window_alone_what_it_gets_in_a_batch(extractor: nn.Module):
    signals = preprocess()(batch(3))
    with torch.no_grad():
        together = vector(extractor.eval()(signals))
        for row in range(3):
            alone = vector(extractor(of_rows(signals, slice(row, row + 1))))
            torch.testing.assert_close(alone[0], together[row], atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("value", [torch.nan, 0.0])
def test_an_extractor_is_finite_where_nothing_was_recorded(extractor: nn.Module, value: float):
    with torch.no_grad():
        assert vector(extractor.eval()(preprocess()(filled(value)))).isfinite().all()


def test_an_extractor_says_whether_it_reads_the_spectrogram(extractor: nn.Module):
    signals = preprocess()(batch())
    other = signals._replace(spectrogram=signals.spectrogram.flip(2) if extractor.reads_spectrogram else None)
    with torch.no_grad():
        same = torch.equal(vector(extractor.eval()(signals)), vector(extractor(other)))
    assert same != extractor.reads_spectrogram


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="wants a GPU")
def test_an_extractor_gives_much_the_same_on_a_gpu(extractor: nn.Module):
    signals = preprocess()(batch())
    with torch.no_grad():
        here, there = vector(extractor.eval()(signals)), vector(deepcopy(extractor).cuda()(to(signals, "cuda")))
    torch.testing.assert_close(there.cpu(), here, atol=1e-2, rtol=1e-2)  # cuDNN convolves in TF32


def test_an_extractor_does_not_edit_the_signals(extractor: nn.Module):
    signals = preprocess()(batch())
    before = {name: part.clone() for name, part in tensors(signals).items()}
    extractor.train()(signals)
    for name, part in tensors(signals).items():
        assert torch.equal(part, before[name]), name


# Augmentations


@pytest.fixture(scope="module", params=options("augmentation"))
def augmentation(request: pytest.FixtureRequest) -> Augmentation:
    (node,) = config(f"augmentation=[{request.param}]")["augmentation"].values()
    return build(node)


def given_to(augmentation: Augmentation, rows: int = 6, dtype: torch.dtype = torch.float32) -> Batch | Signals:
    """What an augmentation of this stage gets."""
    return batch(rows, dtype) if augmentation.stage == "electrodes" else preprocess()(batch(rows))


def made_by(augmentation: Augmentation, given: Batch | Signals, seed: int = 0) -> dict[str, Tensor]:
    torch.manual_seed(seed)
    return tensors(augmentation(given))


def equal(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    """Whether two batches hold the same numbers, NaN included."""
    return all(torch.equal(one[name].nan_to_num(9e9), other[name].nan_to_num(9e9)) for name in one)


def test_an_augmentation_says_when_it_acts(augmentation: Augmentation):
    assert isinstance(augmentation, Augmentation)
    assert augmentation.stage in ("electrodes", "signals")


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32])  # the store holds float16
@pytest.mark.parametrize("device", DEVICES)
def test_an_augmentation_keeps_shape_type_and_device(augmentation: Augmentation, dtype: torch.dtype, device: str):
    given = to(given_to(augmentation, dtype=dtype), device)
    made = made_by(augmentation, given)
    assert made.keys() == tensors(given).keys()
    for name, part in tensors(given).items():
        assert (made[name].shape, made[name].dtype, made[name].device) == (part.shape, part.dtype, part.device), name


def test_an_augmentation_needs_no_spectrogram(augmentation: Augmentation):
    given = given_to(augmentation)._replace(spectrogram=None)
    assert made_by(augmentation, given).keys() == tensors(given).keys()


def test_augmented_targets_sum_to_one_and_weights_stay_positive(augmentation: Augmentation):
    for seed in range(8):
        made = made_by(augmentation, given_to(augmentation), seed)
        torch.testing.assert_close(made["target"].sum(dim=1), torch.ones(6))
        assert (made["target"] >= 0).all()
        assert (made["weight"] > 0).all()


def test_an_augmentation_draws_the_same_from_the_same_seed(augmentation: Augmentation):
    first, second = (made_by(augmentation, given_to(augmentation), 5) for _ in range(2))
    assert equal(first, second)


def test_an_augmentation_changes_something_and_edits_nothing_in_place(augmentation: Augmentation):
    given, untouched = given_to(augmentation), tensors(given_to(augmentation))
    changed = [not equal(made_by(augmentation, given, seed), untouched) for seed in range(16)]
    assert any(changed)
    assert equal(tensors(given), untouched)


# What a run reads, and what runs it


@pytest.mark.parametrize("option", options("data"))
def test_a_corpus_is_a_folder_that_can_be_made(option: str, corpus: Path):
    size = ["data.size=tiny"] * (option == "simulated")
    folder = build(config(f"data={option}", f"data.root={corpus}", *size)["data"])
    assert isinstance(folder, Folder)
    folder.make()
    assert (folder.root / "train.csv").is_file()


@pytest.mark.parametrize("option", options("subset"))
def test_a_subset_chooses_rows_of_the_corpus(option: str, store: Store):
    subset = build(config(f"subset={option}")["subset"])
    training, validation = subset.training(store.rows), subset.validation(store.rows)
    known = {*store.rows["label_id"]}
    for rows in (training, validation):
        assert 0 < len(rows) <= len(store.rows)
        assert {*rows["label_id"]} <= known
        assert rows.columns == store.rows.columns
    assert validation["eeg_id"].is_unique().all()


@pytest.mark.parametrize("option", options("trainer"))
def test_a_trainer_is_built(option: str):
    node = config(f"trainer={option}")["trainer"]
    if node["accelerator"] == "gpu" and not torch.cuda.is_available():
        pytest.skip("wants a GPU")
    trainer = build(node, logger=False, enable_checkpointing=False, enable_progress_bar=False)
    assert trainer.max_epochs == config()["epochs"]


@pytest.mark.parametrize("option", options("logger"))
def test_a_logger_is_built(option: str, tmp_path: Path):
    for node in config(f"logger={option}")["logger"].values():
        assert build(node, save_dir=tmp_path, name="run").save_dir == str(tmp_path)
