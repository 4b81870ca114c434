"""What the benchmarks share: configs, a store, a batch, a step's signals."""

from collections.abc import Iterable
from functools import cache
from pathlib import Path

import torch

from hms.augmentation import Augmentation
from hms.batch import Batch, Signals, mapped
from hms.config.build import build
from hms.data.store import Store, build_store
from hms.data.windows import Windows
from hms.model import Model
from hms.train import main as train

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"

FULL = ("backbone=hgnetv2", "backbone.pretrained=false", "preprocess=original")
"""A model at full size with random weights."""


config = cache(train.config)


@cache
def store(folder: Path) -> Store:
    """The store of the tiny simulated corpus in `folder`; both are made on first use."""
    node = config("data.size=tiny", f"data.root={folder / 'tiny'}")["data"]
    corpus = build(node)
    corpus.make()
    return build_store(corpus.root, folder / "store")


def batch(folder: Path, rows: int, with_spectrogram: bool = False) -> Batch:
    """`rows` windows of the tiny corpus, on the benchmark's device."""
    windows = Windows(store(folder), store(folder).rows, with_spectrogram)
    loaded = windows.__getitems__([row % len(windows) for row in range(rows)])
    return mapped(loaded, lambda part: part.to(DEVICE))


def signals_of(model: Model, augmentations: Iterable[Augmentation], raw: Batch) -> Signals:
    """The networks' input in a training step: raw windows augmented, preprocessed, and augmented again."""
    augmentations = [*augmentations]
    for augment in augmentations:
        raw = augment(raw) if augment.acts_on == "electrodes" else raw
    signals = model.preprocess(raw)
    for augment in augmentations:
        signals = augment(signals) if augment.acts_on == "signals" else signals
    return signals
