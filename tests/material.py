"""Test material: composed configs, batches and comparisons of them, untrained runs, predictions of a teacher."""

import hashlib
from collections.abc import Callable
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch
from conftest import ROOT
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from hms.batch import Batch, Signals
from hms.config.build import build
from hms.config.check import mistakes
from hms.electrodes import ELECTRODES
from hms.labels import CLASSES, VOTE_COLUMNS
from hms.preprocess import Preprocess
from hms.runs.bundle import SUMS
from hms.runs.checkpoint import save_model
from hms.scoring.scores import predictions
from hms.spectrogram_recipe import FREQUENCIES_HZ, REGIONS
from hms.train import Train
from hms.window_lengths import EEG_SAMPLES, SPECTROGRAM_ROWS

CONF = ROOT / "conf"

QUICK = {"span_s": 3, "blocks": 2, "layers": 4, "depth_factor": 0.2, "epochs": 3}
"""Upper limits for values, if the full size would take longer and test nothing more."""


def options(group: str) -> list[str]:
    return sorted(path.stem for path in (CONF / group).glob("*.yaml"))


@cache
def config(*overrides: str) -> dict[str, Any]:
    """Compose train.yaml, which may have no mistakes except values left to the user (`???`)."""
    with initialize_config_dir(str(CONF), version_base="1.3"):
        composed = compose("train", list(overrides))
    assert [line for line in mistakes(composed, "train", Train) if "want a value, got none" not in line] == []
    return OmegaConf.to_container(composed, resolve=True)  # type: ignore[return-value]


def composed(*overrides: str) -> dict[str, Any]:
    """What Hydra makes of train.yaml and these words, in a copy of one's own; unlike `config`, not checked."""
    return deepcopy(_composed(overrides))


@cache
def _composed(overrides: tuple[str, ...]) -> dict[str, Any]:
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return OmegaConf.to_container(compose("train", list(overrides)), resolve=True)  # type: ignore[return-value]


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


def each(value: tuple[Any, ...], change: Callable[[Tensor], Tensor]) -> Any:
    """A batch, or features, with `change` applied to every part that is not None."""
    return type(value)(*(None if part is None else change(part) for part in value))


def rows_of(value: tuple[Any, ...], first: int, last: int) -> Any:
    return each(value, lambda part: part[first:last])


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


def a_run(run: Path, folds: int, *words: str) -> Path:
    """A run of untrained models, each fold with its own weights."""
    node = quick(config(*words))["model"]
    for fold in range(folds):
        torch.manual_seed(fold + 10 * folds)
        into = run / f"fold{fold}_seed0"
        into.mkdir(parents=True)
        save_model(into, build(node), {"model": node})
        (into / "scores.json").write_text("{}")
    return run


class Launches(TorchDispatchMode):
    """Record the operations, each at least one kernel launch on a GPU, except views and empty tensors."""

    def __init__(self):
        super().__init__()
        self.made: list[str] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if not func.is_view and not str(func).startswith(("aten.empty", "aten.new_empty", "aten.detach")):
            self.made.append(str(func))
        return func(*args, **(kwargs or {}))


def teacher(folder: Path, *folds: dict[int, list[float]]) -> str:
    """A run whose folds predicted these probabilities, given by label_id; returns its folder."""
    for fold, found in enumerate(folds):
        (folder / f"fold{fold}_seed0").mkdir(parents=True)
        ids = pl.DataFrame({"label_id": [*found]}).select("label_id", eeg_id="label_id", patient_id="label_id")
        rows = ids.with_columns(pl.lit(1).alias(name) for name in VOTE_COLUMNS)
        table = predictions(rows, fold, np.array([*found.values()]))
        table.write_parquet(folder / f"fold{fold}_seed0/teacher.parquet")
    return str(folder)


def sealed(bundle: Path) -> Path:
    """Renew the hashes of a bundle to match its files, as anyone who writes a bundle can."""
    files = sorted(path for path in bundle.iterdir() if path.name != SUMS)
    lines = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in files]
    (bundle / SUMS).write_text("".join(lines))
    return bundle
