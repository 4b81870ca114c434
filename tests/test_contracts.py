"""What all options of a group have in common, so that any can replace any other. A new YAML is tested automatically."""

import json
from copy import deepcopy
from functools import cache
from inspect import signature
from itertools import pairwise
from operator import itemgetter
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import torch
from configs import CONF, options
from fake_gpu import fake, moved
from fake_gpu import mode as fake_gpu
from lightning.pytorch import loggers
from material import batch, config, equal, quick, rows_of, signals, without_gradient
from torch import Tensor, nn
from torch.utils.data import DataLoader
from untrained_runs import teacher

from hms.augmentation import Augmentation
from hms.backbone import Backbone
from hms.batch import Batch, Features, Signals, mapped
from hms.config.build import build
from hms.data.corpus import Folder
from hms.data.store import Store
from hms.extractor import Extractor
from hms.labels import CLASSES
from hms.model import Model
from hms.subset import EveryRow
from hms.training.module import Classifier
from hms.training.trainer import train
from hms.training.unsuitable import without_package

OWN_TEST = {"augmentation", "backbone", "data", "extractor", "logger", "subset"}
"""Groups with their own tests below; with any option of the other groups, a model must run and learn."""

BESIDE = {"fusion": ["trainer=cpu", "extractor=[stft,wavenet,spectrogram]"], "trainer": []}
"""Overrides that an option of a group needs to take effect."""

SWITCHES = ("p", "left_right", "front_back", "spread", "sigma", "pseudo_votes")
"""Arguments that turn an augmentation off at 0, besides those whose name ends in `_p`."""

# Before torch 2.13 the meta device, which fails wherever a value is read, has no gamma distribution.
DEVICES = ["cpu", *["meta"] * (torch.__version__ >= (2, 13)), *["cuda"] * torch.cuda.is_available()]
"""`meta` computes shapes only; it refuses tensors that were left on the CPU, and reading a value."""


# Options that change the model, or how it is trained; if several give the same config, it is tried once


def choices() -> list[str]:
    groups = [path.name for path in sorted(CONF.iterdir()) if path.is_dir() and path.name not in OWN_TEST]
    return [f"{group}={option}" for group in groups for option in options(group)]


def part(choice: str, *keys: str) -> str:
    """Some keys of train.yaml composed with an option, as JSON."""
    found = quick(config(*BESIDE.get(choice.partition("=")[0], ["trainer=cpu"]), choice))
    return json.dumps({key: found[key] for key in keys})


@cache
def outcome(text: str) -> tuple[list[str], Tensor, Tensor]:
    """A model's parameters without gradient, the logits of four windows together, and of the first and third alone."""
    torch.manual_seed(0)
    node, given, learned = json.loads(text), mapped(batch(4, missing=True), torch.clone), batch()
    model: Model = build(node["model"])
    build(node["loss"])(model.classify(model.preprocess(learned)), learned.target, learned.weight).backward()
    with torch.no_grad():
        together, *alone = (model.eval()(rows_of(given, *rows)) for rows in ((0, 4), (0, 1), (2, 3)))
    assert equal(given, batch(4, missing=True))
    return without_gradient(model), together, torch.cat(alone)


@cache
def trained(text: str) -> dict[str, tuple[Tensor, Tensor]]:
    """The parameters of a small model before and after all stages of a training."""
    torch.manual_seed(0)
    node, model = json.loads(text), build(quick(config()["model"]))
    before, windows = deepcopy(dict(model.named_parameters())), DataLoader([batch()], collate_fn=itemgetter(0))
    for stage in filter(None, (node["pretrain"], node)):
        own = [build(stage[part]) for part in ("weighting", "optimizer", "schedule")]
        learns = Classifier(model, build(node["loss"]), {}, *own, lr_scale={}, seed=0)
        callbacks = [build(one) for group in ("averaging", "callbacks") for one in node[group].values()]
        with TemporaryDirectory() as folder:
            trainer = node["trainer"] | {"max_epochs": stage["epochs"]}
            train(learns, trainer, Path(folder), windows, windows, callbacks, [])
    return {name: (before[name].detach(), p.detach()) for name, p in model.named_parameters()}


@cache
def devices_on_a_gpu(text: str) -> set[str]:
    """The devices on which the loss and the predictions of a model end whose windows and weights are on a GPU."""
    node, given = json.loads(text), mapped(batch(4, missing=True), fake)
    model, loss = moved(build(node["model"])), build(node["loss"])
    with fake_gpu:
        learned = model.train().preprocess(given)
        found = [loss(model.classify(learned), learned.target, learned.weight), model.eval()(given)]
    return {tensor.device.type for tensor in found}


@pytest.mark.parametrize("choice", choices())
def test_a_model_with_any_option_learns_and_predicts_a_window_alone_as_in_a_batch(choice: str):
    silent, together, alone = outcome(part(choice, "model", "loss"))
    assert silent == []
    assert together.shape == (4, len(CLASSES))
    assert together.isfinite().all()
    torch.testing.assert_close(alone, together[[0, 2]], atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("choice", choices())
def test_a_training_with_any_option_changes_the_weights_and_keeps_them_finite(choice: str):
    if choice in ("trainer=gpu", "trainer=ddp") and not torch.cuda.is_available():
        pytest.skip("wants a GPU")
    stage = ("weighting", "optimizer", "schedule", "averaging", "callbacks", "trainer", "epochs", "loss")
    made = trained(part(choice, "pretrain", *stage))
    assert [name for name, (_, after) in made.items() if not after.isfinite().all()] == []
    assert any(not torch.equal(*both) for both in made.values())


@pytest.mark.skipif(torch.cuda.is_available(), reason="wants a machine without a GPU, to imitate one")
@pytest.mark.parametrize("choice", [*choices(), *(f"extractor={option}" for option in options("extractor"))])
def test_a_model_with_any_option_keeps_to_a_gpu_and_reads_no_value(choice: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (0, 0))  # for no kernels of one's own
    assert devices_on_a_gpu(part(choice, "model", "loss")) == {"cuda"}


# Backbones


@pytest.fixture(scope="module", params=options("backbone"))
def backbones(request: pytest.FixtureRequest) -> dict[str, nn.Module]:
    """The networks of a backbone option by name, including the one that each extractor uses."""
    torch.manual_seed(1)  # with 0 a scale of hgnetv2 gets a gradient of exactly 0 from two threads
    node = config(f"backbone={request.param}", f"extractor=[{','.join(options('extractor'))}]")["backbone"]
    networks = {name: part for name, part in node.items() if isinstance(part, dict)}
    return {name: build(part | dict.fromkeys({"pretrained"} & {*part}, False)) for name, part in networks.items()}


@pytest.mark.parametrize("size", [(64, 96), (33, 130)])
def test_a_backbone_declares_the_sizes_of_its_features_for_any_image(backbones: dict[str, nn.Module], size):
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
def test_an_extractor_returns_features_of_the_sizes_that_it_declares(name: str):
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


def test_an_extractor_treats_a_window_alone_as_in_a_batch(extractor: nn.Module):
    given = mapped(signals(4, missing=True), torch.clone)
    with torch.no_grad():
        together, *alone = (extractor.eval()(rows_of(given, *rows)) for rows in ((0, 4), *pairwise(range(5))))
    for parts in zip(together, *alone, strict=True):
        assert parts[0].isfinite().all()
        torch.testing.assert_close(torch.cat(parts[1:]), parts[0], atol=1e-5, rtol=1e-4)
    assert equal(given, signals(4, missing=True))


def test_a_token_is_about_its_own_pair_or_image(extractor: nn.Module):
    given, changed = signals(1), mapped(signals(1), torch.clone)
    changed.pairs[:, 6] *= 3
    changed.images[:, 6] *= 3
    with torch.no_grad():
        moved = (extractor.eval()(changed).tokens - extractor(given).tokens).norm(dim=2)[0]
    assert abs(int(moved.argmax()) - 6) <= 2  # a map's row may belong to two pairs; X3D's stem looks two to each side
    assert moved[6] > 2 * moved[:4].max()


def test_an_extractor_declares_whether_it_reads_the_spectrogram(extractor: nn.Module):
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
def test_an_extractor_agrees_on_a_gpu(extractor: nn.Module):
    with torch.no_grad():
        here, there = extractor.eval()(signals()), deepcopy(extractor).cuda()(mapped(signals(), Tensor.cuda))
    for one, other in zip(here, there, strict=True):
        torch.testing.assert_close(other.cpu(), one, atol=1e-2, rtol=1e-2)  # cuDNN convolves in TF32


# Augmentations


@pytest.fixture(scope="module")
def needs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Overrides for values that a YAML leaves to the user: a teacher that knows all windows but the first."""
    probabilities = torch.randn(20, len(CLASSES), generator=torch.Generator().manual_seed(0)).softmax(dim=1)
    run = teacher(tmp_path_factory.mktemp("teacher"), dict(enumerate(probabilities.tolist(), start=1)))
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
    """Input of the kind that an augmentation acts on."""
    given = mapped(batch(rows) if augmentation.acts_on == "electrodes" else signals(rows), torch.clone)
    return given if images else given._replace(**{given._fields[1]: None})


def made_by(augmentation: Augmentation, given: Batch | Signals, seed: int = 0) -> Any:
    torch.manual_seed(seed)
    return augmentation(given)


@pytest.mark.parametrize("images", [True, False])
@pytest.mark.parametrize("dtype", [torch.float16, torch.float32])  # the store holds float16
@pytest.mark.parametrize("device", DEVICES)
def test_an_augmentation_keeps_shape_type_and_device(
    augmentation: Augmentation, dtype: torch.dtype, device: str, images: bool
):
    assert isinstance(augmentation, Augmentation)
    assert augmentation.acts_on in ("electrodes", "signals")
    given = mapped(given_to(augmentation, images=images), lambda part: part.to(device))
    given = type(given)(*(None if part is None else part.to(dtype) for part in given[:2]), *given[2:])
    for mixed_precision in (False, True):
        with torch.autocast("cuda" if device == "cuda" else "cpu", torch.bfloat16, enabled=mixed_precision):
            made = made_by(augmentation, given)
        for name, old, new in zip(given._fields, given, made, strict=True):
            same = old is new is None or (new.shape, new.dtype, new.device) == (old.shape, old.dtype, old.device)
            assert same, name


@pytest.mark.parametrize("images", [True, False])
def test_an_augmentation_that_is_off_changes_nothing(node: dict[str, Any], images: bool):
    off = {key: 0.0 for key in node if key in SWITCHES or key.endswith("_p")}
    assert off, f"want a value that turns it off at 0, with a name of SWITCHES; got {[*node]}"
    augmentation = build(node | off)
    given = given_to(augmentation, images=images)
    assert equal(made_by(augmentation, given), given)


def test_an_augmentation_draws_by_the_seed_and_edits_nothing_in_place(augmentation: Augmentation):
    given = given_to(augmentation)
    assert equal(*(made_by(augmentation, given, 5) for _ in range(2)))
    assert any(not equal(made_by(augmentation, given, seed), given_to(augmentation)) for seed in range(16))
    assert equal(given, given_to(augmentation))


def test_an_augmentation_that_says_so_changes_the_eeg_or_the_images_alone(augmentation: Augmentation):
    given, changed = given_to(augmentation), set()
    for seed in range(16):
        made = made_by(augmentation, given, seed)
        same = [torch.equal(old.nan_to_num(), new.nan_to_num()) for old, new in zip(given, made, strict=True)]
        changed |= {place for place, unchanged in enumerate(same) if not unchanged}
    for place, mark in enumerate(("eeg_only", "images_only")):
        assert not getattr(augmentation, mark, False) or changed == {place}


@pytest.mark.parametrize("rows", [1, 6])  # a single window has no partner
def test_augmented_windows_are_valid(augmentation: Augmentation, rows: int):
    given = given_to(augmentation, rows)
    for seed in range(8):
        made = made_by(augmentation, given, seed)
        torch.testing.assert_close(made.target.sum(dim=1), torch.ones(rows))
        assert (made.target >= 0).all()
        assert given.weight.min() <= made.weight.min() <= made.weight.max() <= given.weight.max()
        for found in made[:2]:  # before preprocessing NaN marks missing samples
            assert not found.isinf().any()
            assert augmentation.acts_on == "electrodes" or not found.isnan().any()


def test_what_comes_from_another_window_comes_with_a_share_of_its_target(augmentation: Augmentation):
    given, other = given_to(augmentation), given_to(augmentation)
    other[0][0], other[1][0], other.target[0] = torch.nan, torch.nan, torch.eye(len(CLASSES))[0]
    for seed in range(8):
        made, changed = made_by(augmentation, given, seed), made_by(augmentation, other, seed)
        for row in range(1, 6):
            same_target = torch.equal(made.target[row], changed.target[row])
            assert not same_target or equal(rows_of(made, row, row + 1), rows_of(changed, row, row + 1))


# The input and output of a run


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
    assert validation["label_id"].is_unique().all()
    assert validation["eeg_id"].is_unique().all() or isinstance(subset, EveryRow)


@pytest.mark.parametrize("option", options("logger"))
def test_a_logger_is_built(option: str, tmp_path: Path):
    for node in config(f"logger={option}")["logger"].values():
        assert build(node, save_dir=tmp_path, name="run").save_dir == str(tmp_path)


@pytest.mark.parametrize("name", sorted({*loggers.__all__} - {"Logger", "CSVLogger"}))
def test_a_logger_is_refused_where_lightning_cannot_build_it(name: str, tmp_path: Path):
    kind, installed = getattr(loggers, name), True
    try:
        kind(**{"save_dir": tmp_path} if "save_dir" in signature(kind).parameters else {})
    except ModuleNotFoundError:
        installed = False
    refused = [*without_package({"mine": {"_target_": f"lightning.pytorch.loggers.{name}"}})]
    assert bool(refused) is not installed
