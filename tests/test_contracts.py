"""What every option of a group keeps, so that any can stand in for any other. A new YAML is tested by being there."""

import json
from collections.abc import Callable
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import torch
from conftest import ROOT
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf
from torch import Tensor, nn

from hms.backbone import Backbone
from hms.batch import Batch, Features, Signals
from hms.build import build
from hms.check import mistakes
from hms.corpus import EEG_WINDOW, SPECTROGRAM_WINDOW, Folder
from hms.electrodes import ELECTRODES
from hms.extractor import Extractor
from hms.labels import CLASSES
from hms.model import Model
from hms.module import Augmentation, Classifier
from hms.preprocess import Preprocess
from hms.spectrogram_recipe import FREQUENCIES_HZ, REGIONS
from hms.store import Store
from hms.train import Train
from hms.trainer import train
from hms.windows import Windows

CONF = ROOT / "conf"

OWN_TEST = {"augmentation", "backbone", "data", "extractor", "logger", "subset"}
"""Groups with tests of their own below; with an option of any other, a model must run and learn."""

BESIDE = {"fusion": ["trainer=cpu", "extractor=[stft,wavenet,spectrogram]"], "trainer": []}
"""What an option of a group needs beside it to show what it does."""

SWITCHES = ("p", "left_right", "front_back", "spread", "sigma")
"""Values that turn an augmentation off at 0, beside those whose name ends in `_p`."""

DEVICES = ["cpu", "meta", *(["cuda"] if torch.cuda.is_available() else [])]
"""`meta` computes shapes only, but like a GPU it refuses a tensor that was left on the CPU, and has no value to read."""


def options(group: str) -> list[str]:
    return sorted(path.stem for path in (CONF / group).glob("*.yaml"))


@cache
def config(*overrides: str) -> dict[str, Any]:
    """train.yaml, in which nothing is wrong but that a value may be left to the user (`???`)."""
    with initialize_config_dir(str(CONF), version_base="1.3"):
        composed = compose("train", list(overrides))
    assert [line for line in mistakes(composed, "train", Train) if "want a value, got none" not in line] == []
    return OmegaConf.to_container(composed, resolve=True)  # type: ignore[return-value]


def quick(node: Any) -> Any:
    """The node as it is, but it reads 2 s where it says how much it reads, and its backbones are tiny."""
    if not isinstance(node, dict):
        return node
    if node.get("_target_") == "hms.backbone.TimmBackbone":
        return config()["backbone"]["image"]
    return {key: 2 if key == "span_s" else quick(value) for key, value in node.items()}


@cache
def batch(rows: int = 2, missing: bool = False) -> Batch:
    """Noise at the size of EEG, and positive powers; `missing` in the last window but one, silence in the last."""
    draw = torch.Generator().manual_seed(0)
    eeg = 30 * torch.randn(rows, len(ELECTRODES), EEG_WINDOW, generator=draw)
    power = torch.rand(rows, len(REGIONS), SPECTROGRAM_WINDOW, len(FREQUENCIES_HZ), generator=draw)
    if missing:
        eeg[-2:], power[-2:] = (torch.tensor([torch.nan, 0]).reshape(2, *[1] * n) for n in (2, 3))
    target = torch.rand(rows, len(CLASSES), generator=draw).softmax(dim=1)
    return Batch(eeg, power, target, 1 + torch.rand(rows, generator=draw), torch.arange(rows))


@cache
def signals(rows: int = 2, missing: bool = False) -> Signals:
    preprocess: Preprocess = build(config()["preprocess"])
    return preprocess(batch(rows, missing))


def tensors(value: tuple[Any, ...]) -> dict[str, Tensor]:
    """The parts of a batch or of features by name; without those that are None."""
    return {name: part for name, part in value._asdict().items() if part is not None}


def of_rows(value: tuple[Any, ...], rows: slice) -> Any:
    return type(value)(*(None if part is None else part[rows] for part in value))


def to(value: tuple[Any, ...], device: str) -> Any:
    return type(value)(*(None if part is None else part.to(device) for part in value))


def copy(value: tuple[Any, ...]) -> Any:
    return type(value)(*(None if part is None else part.clone() for part in value))


def equal(one: tuple[Any, ...], other: tuple[Any, ...], row: slice = slice(None)) -> bool:
    """Whether two batches hold the same numbers, NaN included."""
    parts = zip(tensors(one).values(), tensors(other).values(), strict=True)
    return all(torch.equal(x[row].nan_to_num(9e9), y[row].nan_to_num(9e9)) for x, y in parts)


def without_gradient(network: nn.Module) -> list[str]:
    """Parameters that a backward pass did not reach, or told nothing. A bias may get zeros: a batch norm after it takes
    it out again."""
    named = [(name, p.grad) for name, p in network.named_parameters() if p.requires_grad]
    return sorted(name for name, grad in named if grad is None or not (grad.any() or name.endswith("bias")))


# Whatever else changes the model, or how it is trained; what several options come to is tried once


def choices() -> list[str]:
    groups = [path.name for path in sorted(CONF.iterdir()) if path.is_dir() and path.name not in OWN_TEST]
    return [f"{group}={option}" for group in groups for option in options(group)]


def part(choice: str, *keys: str) -> str:
    """Some of train.yaml with an option, as text."""
    found = quick(config(*BESIDE.get(choice.partition("=")[0], ["trainer=cpu"]), choice))
    return json.dumps({key: found[key] for key in keys})


@cache
def silent_parameters(text: str) -> list[str]:
    torch.manual_seed(0)
    node, given = json.loads(text), batch()
    model: Model = build(node["model"])
    build(node["loss"])(model.classify(model.preprocess(given)), given.target, given.weight).backward()
    return without_gradient(model)


@cache
def said_together_and_alone(text: str) -> tuple[Tensor, Tensor]:
    torch.manual_seed(0)
    model, given = build(json.loads(text)["model"]).eval(), copy(batch(4, missing=True))
    with torch.no_grad():
        together, alone = model(given), [model(of_rows(given, slice(row, row + 1))) for row in (0, 2)]
    assert equal(given, batch(4, missing=True))
    return together, torch.cat(alone)


@pytest.fixture(scope="module")
def trained(store: Store, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], dict[str, Tensor]]:
    """The change of each parameter of a small model by all stages of a training."""

    @cache
    def change(text: str) -> dict[str, Tensor]:
        torch.manual_seed(0)
        node = json.loads(text)
        model: Model = build(quick(config()["model"]))
        before, windows = deepcopy([*model.parameters()]), Windows(store, store.rows[:2]).loader(2)
        for stage in filter(None, (node["pretrain"], node)):
            learns = Classifier(model, build(node["loss"]), {}, build(stage["optimizer"]), build(stage["schedule"]), 0)
            trainer = node["trainer"] | {"max_epochs": stage["epochs"]}
            averaging = [build(one) for one in node["averaging"].values()]
            train(learns, trainer, tmp_path_factory.mktemp("run"), windows, windows, averaging, [])
        pairs = zip(model.named_parameters(), before, strict=True)
        return {name: (p - old).detach() for (name, p), old in pairs}

    return change


@pytest.mark.parametrize("choice", choices())
def test_a_model_with_any_option_learns_in_every_parameter(choice: str):
    assert silent_parameters(part(choice, "model", "loss")) == []


@pytest.mark.parametrize("choice", choices())
def test_a_model_with_any_option_gives_a_window_alone_what_it_gets_in_a_batch(choice: str):
    together, alone = said_together_and_alone(part(choice, "model"))
    assert together.shape == (4, len(CLASSES))
    assert together.isfinite().all()
    torch.testing.assert_close(alone, together[[0, 2]], atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("choice", choices())
def test_a_training_with_any_option_changes_the_weights_and_keeps_them_finite(
    choice: str, trained: Callable[[str], dict[str, Tensor]]
):
    if choice == "trainer=gpu" and not torch.cuda.is_available():
        pytest.skip("wants a GPU")
    change = trained(part(choice, "pretrain", "optimizer", "schedule", "averaging", "trainer", "epochs", "loss"))
    assert [name for name, by in change.items() if not by.isfinite().all()] == []
    assert any(by.any() for by in change.values())


# Backbones


@pytest.fixture(scope="module", params=options("backbone"))
def backbones(request: pytest.FixtureRequest) -> dict[str, nn.Module]:
    """The networks of a backbone option by name; every extractor finds there the one it asks for."""
    torch.manual_seed(0)
    node = config(f"backbone={request.param}", f"extractor=[{','.join(options('extractor'))}]")["backbone"]
    networks = {name: part for name, part in node.items() if isinstance(part, dict)}
    return {name: build(part | ({"pretrained": False} if "pretrained" in part else {})) for name, part in networks.items()}


@pytest.mark.parametrize("size", [(64, 96), (33, 130)])
def test_a_backbone_says_how_long_its_features_are_whatever_the_size(backbones: dict[str, nn.Module], size):
    for name, network in backbones.items():
        assert isinstance(network, Backbone), name
        with torch.no_grad():
            found = network.eval().features(torch.randn(2, 1, *size))
            vector = network.pool(found)
        assert found.shape[:2] == (2, network.map_features), name
        assert vector.shape == (2, network.out_features), name
        assert vector.isfinite().all(), name


def test_a_backbone_sends_a_gradient_to_every_parameter(backbones: dict[str, nn.Module]):
    for network in backbones.values():
        torch.manual_seed(0)
        network.train().pool(network.features(torch.randn(3, 1, 64, 96))).square().sum().backward()
        assert without_gradient(network) == []
        network.zero_grad()


# Extractors


def extractor_of(name: str) -> dict[str, Any]:
    (node,) = config(f"extractor={name}")["extractor"].values()
    return node


@pytest.fixture(scope="module", params=options("extractor"))
def extractor(request: pytest.FixtureRequest) -> nn.Module:
    torch.manual_seed(0)
    return build(quick(extractor_of(request.param)))


@pytest.mark.parametrize("name", options("extractor"))
def test_an_extractor_gives_features_of_the_sizes_that_it_says(name: str):
    extractor, given = build(extractor_of(name)), signals(1)
    with torch.no_grad():
        found: Features = extractor.eval()(given)
    assert isinstance(extractor, Extractor)
    count = given.pairs.shape[1] if extractor.token_kind == "pair" else given.images.shape[1]
    assert found.vector.shape == (1, extractor.out_features)
    assert found.tokens.shape == (1, count, extractor.token_features)
    assert all(part.isfinite().all() and part.std() > 0 for part in found)


def test_the_vector_sends_a_gradient_to_every_parameter(extractor: nn.Module):
    torch.manual_seed(0)
    vector = extractor.train()(signals(3)).vector  # a fusion may read nothing else
    (vector * torch.randn_like(vector)).sum().backward()
    assert without_gradient(extractor) == []
    extractor.zero_grad()


def test_an_extractor_gives_a_window_alone_what_it_gets_in_a_batch(extractor: nn.Module):
    given = copy(signals(4, missing=True))
    with torch.no_grad():
        together: Features = extractor.eval()(given)
        for row in range(4):
            alone: Features = extractor(of_rows(given, slice(row, row + 1)))
            for one, all_four in zip(alone, together, strict=True):
                assert all_four.isfinite().all()
                torch.testing.assert_close(one[0], all_four[row], atol=1e-5, rtol=1e-4)
    assert equal(given, signals(4, missing=True))


def test_a_token_is_about_its_own_pair_or_image(extractor: nn.Module):
    given, changed = signals(1), copy(signals(1))
    changed.pairs[:, 6] *= 3
    changed.images[:, 6] *= 3
    with torch.no_grad():
        moved = (extractor.eval()(changed).tokens - extractor(given).tokens).norm(dim=2)[0]
    assert abs(int(moved.argmax()) - 6) <= 1  # one row of a map may belong to two pairs
    assert moved[6] > 2 * moved[:4].max()


def test_an_extractor_says_whether_it_reads_the_spectrogram(extractor: nn.Module):
    without = signals()._replace(images=None)
    with torch.no_grad():
        found: Features = extractor.eval()(signals())
        if extractor.reads_spectrogram:
            assert not equal(extractor(signals()._replace(images=signals().images.flip(2))), found)
            with pytest.raises(ValueError, match="images: want the ten images of a spectrogram, got none"):
                extractor(without)
        else:
            assert equal(extractor(without), found)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="wants a GPU")
def test_an_extractor_gives_much_the_same_on_a_gpu(extractor: nn.Module):
    with torch.no_grad():
        here, there = extractor.eval()(signals()), deepcopy(extractor).cuda()(to(signals(), "cuda"))
    for one, other in zip(here, there, strict=True):
        torch.testing.assert_close(other.cpu(), one, atol=1e-2, rtol=1e-2)  # cuDNN convolves in TF32


# Augmentations


@pytest.fixture(scope="module")
def needs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Values that a YAML leaves to the user, as an override: a teacher that knows all windows but the first."""
    run = tmp_path_factory.mktemp("teacher")
    (run / "fold0_seed0").mkdir()
    probabilities = torch.randn(20, len(CLASSES), generator=torch.Generator().manual_seed(0)).softmax(dim=1).numpy()
    table = {"label_id": range(1, 21), **dict(zip(CLASSES, probabilities.T, strict=True))}
    pl.DataFrame(table).write_parquet(run / "fold0_seed0/teacher.parquet")
    return {"teacher_labels": f"augmentation.teacher_labels.runs=['{run}']"}


@pytest.fixture(params=options("augmentation"))
def node(request: pytest.FixtureRequest, needs: dict[str, str]) -> dict[str, Any]:
    more = [needs[request.param]] if request.param in needs else []
    ((name, node),) = config(f"augmentation=[{request.param}]", *more)["augmentation"].items()
    assert name == request.param
    assert "???" not in node.values(), "want what the user has to give in `needs`"
    return node


@pytest.fixture
def augmentation(node: dict[str, Any]) -> Augmentation:
    return build(node)


def given_to(augmentation: Augmentation, rows: int = 6, images: bool = True) -> Any:
    """What an augmentation of this stage gets."""
    if augmentation.stage == "electrodes":
        return copy(batch(rows) if images else batch(rows)._replace(spectrogram=None))
    return copy(signals(rows) if images else signals(rows)._replace(images=None))


def made_by(augmentation: Augmentation, given: Batch | Signals, seed: int = 0) -> Any:
    torch.manual_seed(seed)
    return augmentation(given)


def test_an_augmentation_says_when_it_acts(augmentation: Augmentation):
    assert isinstance(augmentation, Augmentation)
    assert augmentation.stage in ("electrodes", "signals")


@pytest.mark.parametrize("images", [True, False])
@pytest.mark.parametrize("dtype", [torch.float16, torch.float32])  # the store holds float16
@pytest.mark.parametrize("device", DEVICES)
def test_an_augmentation_keeps_shape_type_and_device(
    augmentation: Augmentation, dtype: torch.dtype, device: str, images: bool
):
    eeg, power, *rest = given_to(augmentation, images=images)
    given = type(given_to(augmentation))(eeg.to(dtype), power.to(dtype) if images else None, *rest)
    made = made_by(augmentation, to(given, device))
    assert type(made) is type(given)
    for name, part in tensors(to(given, device)).items():
        new = getattr(made, name)
        assert (new.shape, new.dtype, new.device) == (part.shape, part.dtype, part.device), name
    with torch.autocast(device if device == "cuda" else "cpu", dtype=torch.bfloat16):
        mixed = made_by(augmentation, to(given, device))
    assert [x.dtype for x in tensors(mixed).values()] == [x.dtype for x in tensors(given).values()]


@pytest.mark.parametrize("images", [True, False])
def test_an_augmentation_that_is_off_changes_nothing(node: dict[str, Any], images: bool):
    off = {key: 0.0 for key in node if key in SWITCHES or key.endswith("_p")}
    assert off, f"want a value that turns it off at 0, named as in SWITCHES; got {[*node]}"
    augmentation = build(node | off)
    given = given_to(augmentation, images=images)
    assert equal(made_by(augmentation, given), given)


def test_an_augmentation_draws_the_same_from_the_same_seed(augmentation: Augmentation):
    assert equal(*(made_by(augmentation, given_to(augmentation), 5) for _ in range(2)))


def test_an_augmentation_changes_something_and_edits_nothing_in_place(augmentation: Augmentation):
    given = given_to(augmentation)
    assert any(not equal(made_by(augmentation, given, seed), given_to(augmentation)) for seed in range(16))
    assert equal(given, given_to(augmentation))


@pytest.mark.parametrize("rows", [1, 6])  # a window alone has no partner
def test_augmented_windows_keep_what_is_true_of_any(augmentation: Augmentation, rows: int):
    given = given_to(augmentation, rows)
    for seed in range(8):
        made = made_by(augmentation, given, seed)
        torch.testing.assert_close(made.target.sum(dim=1), torch.ones(rows))
        assert (made.target >= 0).all()
        assert given.weight.min() <= made.weight.min() <= made.weight.max() <= given.weight.max()
        assert all(not part.isinf().any() for part in made[:2])
        if augmentation.stage == "signals":  # NaN stands for what was not recorded, and preprocessing filled it
            assert all(part.isfinite().all() for part in made[:2])


def test_what_comes_from_another_window_comes_with_a_share_of_its_target(augmentation: Augmentation):
    given, other = given_to(augmentation), given_to(augmentation)
    other[0][0], other[1][0] = torch.nan, torch.nan
    other.target[0] = torch.eye(len(CLASSES))[0]
    for seed in range(8):
        made, changed = made_by(augmentation, given, seed), made_by(augmentation, other, seed)
        for row in range(1, 6):
            same_target = torch.equal(made.target[row], changed.target[row])
            assert not same_target or equal(made, changed, slice(row, row + 1))


# What a run reads, and where it writes


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


@pytest.mark.parametrize("option", options("logger"))
def test_a_logger_is_built(option: str, tmp_path: Path):
    for node in config(f"logger={option}")["logger"].values():
        assert build(node, save_dir=tmp_path, name="run").save_dir == str(tmp_path)
