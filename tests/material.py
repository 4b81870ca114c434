"""Test material: composed configs, batches and comparisons of them, counted launches."""

from copy import deepcopy
from functools import cache
from typing import Any

import torch
from configs import by_hydra
from omegaconf import DictConfig, OmegaConf, open_dict
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from hms.batch import AnyBatch, Batch, Signals, mapped
from hms.config.build import build
from hms.config.check import mistakes
from hms.config.composer import own_choices
from hms.electrodes import ELECTRODES
from hms.labels import CLASSES
from hms.preprocess import Preprocess
from hms.spectrogram_recipe import FREQUENCIES_HZ, REGIONS
from hms.train import Train
from hms.window_lengths import EEG_SAMPLES, SPECTROGRAM_ROWS

QUICK = {"span_s": 3, "blocks": 2, "layers": 4, "depth_factor": 0.2, "epochs": 3}
"""Upper limits for values, if the full size would take longer and test nothing more."""


@cache
def config(*overrides: str) -> dict[str, Any]:
    """Compose train.yaml, which may have no mistakes except values left to the user (`???`)."""
    composed, choices = _by_hydra(*overrides)
    assert [line for line in mistakes(composed, "train", Train) if "want a value, got none" not in line] == []
    return {**OmegaConf.to_container(composed, resolve=True), "choices": choices}  # type: ignore[dict-item]


def composed(*overrides: str) -> dict[str, Any]:
    """What Hydra makes of train.yaml and these words, in a copy of one's own; unlike `config`, not checked."""
    return deepcopy(_composed(overrides))


@cache
def _composed(overrides: tuple[str, ...]) -> dict[str, Any]:
    composed, choices = _by_hydra(*overrides)
    return {**OmegaConf.to_container(composed, resolve=True), "choices": choices}  # type: ignore[dict-item]


def _by_hydra(*overrides: str) -> tuple[DictConfig, dict[str, str]]:
    """What Hydra makes of train.yaml, and the options that it chose."""
    composed = by_hydra("train", *overrides, return_hydra_config=True)
    with open_dict(composed):
        return composed, own_choices(composed.pop("hydra").runtime.choices)


def quick(node: Any) -> Any:
    """The node with its values limited to those of `QUICK`, and with the tiny backbone."""
    if not isinstance(node, dict):
        return node
    if node.get("_target_") == "hms.backbone.TimmBackbone":
        return config()["backbone"]["image"]
    return {key: min(value, QUICK[key]) if key in QUICK else quick(value) for key, value in node.items()}


@cache
def batch(rows: int = 2, missing: bool = False) -> Batch:
    """Noise with EEG amplitudes, and positive powers; with `missing` the last window but one is NaN, the last 0."""
    draw = torch.Generator().manual_seed(0)
    eeg = 30 * torch.randn(rows, len(ELECTRODES), EEG_SAMPLES, generator=draw)
    power = torch.rand(rows, len(REGIONS), SPECTROGRAM_ROWS, len(FREQUENCIES_HZ), generator=draw)
    if missing:
        eeg[-2:], power[-2:] = (torch.tensor([torch.nan, 0]).reshape(2, *[1] * n) for n in (2, 3))
    target = torch.rand(rows, len(CLASSES), generator=draw).softmax(dim=1)
    return Batch(eeg, power, target, 1 + torch.rand(rows, generator=draw), torch.arange(rows))


@cache
def signals(rows: int = 2, missing: bool = False) -> Signals:
    preprocess: Preprocess = build(config()["preprocess"])
    return preprocess(batch(rows, missing))


def rows_of(batch: AnyBatch, first: int, last: int) -> AnyBatch:
    return mapped(batch, lambda part: part[first:last])


def equal(one: tuple[Any, ...], other: tuple[Any, ...]) -> bool:
    """Whether two batches hold the same numbers, including NaN."""
    both = zip(one, other, strict=True)
    return all(x is y is None or torch.equal(x.nan_to_num(9e9), y.nan_to_num(9e9)) for x, y in both)


def without_gradient(network: nn.Module) -> list[str]:
    """Parameters that a backward pass gave no gradient, or only zeros.

    A bias may get zeros, because a batch norm after it cancels it.
    """
    named = [(name, p.grad) for name, p in network.named_parameters() if p.requires_grad]
    return sorted(name for name, grad in named if grad is None or not (grad.any() or name.endswith("bias")))


class Launches(TorchDispatchMode):
    """Record the operations, each at least one kernel launch on a GPU, except views and empty tensors."""

    def __init__(self):
        super().__init__()
        self.made: list[str] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if not func.is_view and not str(func).startswith(("aten.empty", "aten.new_empty", "aten.detach")):
            self.made.append(str(func))
        return func(*args, **(kwargs or {}))
