"""Compiled networks compute the same as plain ones."""

import shutil
from copy import deepcopy
from pathlib import Path

import pytest
import torch
from material import config, signals
from torch import Tensor, nn

from hms.batch import mapped
from hms.config.build import build
from hms.errors import UserError
from hms.model import Model
from hms.runs.checkpoint import load_model, save_model
from hms.training.compiled import compile_networks

SMALL = [f"extractor.efficientnet1d_short.{sizes}" for sizes in ("channels=[8,8]", "depths=[2]", "kernels=[5]")]
"""A compiler takes long for each block."""


@pytest.fixture
def node() -> dict:
    return config("extractor=[stft_short,wavenet_short,efficientnet1d_short,stft_x3d_short]", "montage=pairs8")["model"]


def compiled_graphs() -> int:
    return int(torch._dynamo.utils.counters["stats"]["unique_graphs"])


def compiled(model: nn.Module) -> set[str]:
    return {name for name, part in model.named_modules() if part._compiled_call_impl is not None}


def test_parts_of_networks_are_compiled_but_weights_keep_their_names_and_copies_are_plain(
    node: dict, tmp_path: Path, monkeypatch
):
    monkeypatch.setattr(shutil, "which", lambda name: name)
    model: Model = build(node)
    names = [*model.state_dict()]
    compile_networks(model, "cpu", "32-true")
    networks = ("stft_short.backbone", "wavenet_short.backbone", "efficientnet1d_short.network")
    parts = {f"{name}.{part}" for name in networks for part in ("stem", "blocks")} | {"stft_x3d_short.network.blocks"}
    assert compiled(model) == {f"extractors.{part}" for part in parts}
    assert [*model.state_dict()] == names
    assert not compiled(deepcopy(model))
    save_model(tmp_path, model, node)
    assert not compiled(load_model(tmp_path))


def test_a_missing_compiler_is_reported(node: dict, monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    monkeypatch.delenv("CXX", raising=False)
    said = r"compile: want a C\+\+ compiler on a CPU, found no (g|clang)\+\+; install one, or use compile=false"
    with pytest.raises(UserError, match=said):
        compile_networks(build(node), "cpu", "32-true")


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # the compiler's own
@pytest.mark.skipif(not shutil.which("g++"), reason="wants g++")
@pytest.mark.parametrize(
    "words",
    [
        ("extractor=raw_image", "backbone=tiny"),
        ("extractor=raw_image", "backbone=hgnetv2", "backbone.pretrained=false"),
        ("extractor=efficientnet1d_short", *SMALL),
    ],
)
def test_a_compiled_model_gives_the_same_numbers_forward_and_backward(words: tuple[str, ...]):
    node = config(*words)["model"]
    plain: Model = build(node).train().double()  # batch norm amplifies the rounding errors of single precision
    model = deepcopy(plain)
    compile_networks(model, "cpu", "32-true")
    for rows in (3, 2):
        made, compiled_before = [], compiled_graphs()
        for each_model in (plain, model):
            torch.manual_seed(0)
            made.append(each_model.classify(mapped(signals(rows), Tensor.double)).joint)
            made[-1].square().sum().backward()
        torch.testing.assert_close(made[1], made[0])
        for one, other in zip(model.parameters(), plain.parameters(), strict=True):
            torch.testing.assert_close(one.grad, other.grad)
    assert compiled_graphs() == compiled_before > 0, "each number of rows is compiled anew"
