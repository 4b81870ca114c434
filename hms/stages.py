"""The stages of a model with what comes out of each, how much it has to learn, and how much it computes."""

from collections.abc import Iterator
from typing import Any

import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from hms.batch import Batch
from hms.build import build
from hms.checkpoint import without_pretrained
from hms.corpus import EEG_WINDOW, SPECTROGRAM_WINDOW
from hms.electrodes import ELECTRODES
from hms.labels import CLASSES
from hms.model import Model
from hms.spectrogram_recipe import FREQUENCIES_HZ, REGIONS


def show(node: dict[str, Any]) -> None:
    """Build the model that a config describes, with random weights, send one window through it, and print its stages.

    Multiply-adds are those of convolutions and matrix products.
    """
    model: Model = build(without_pretrained(node)).eval()
    shapes: dict[str, tuple[str, str]] = {}
    shown = dict(_stages(model))
    for name, stage in shown.items():
        stage.register_forward_hook(
            lambda _, given, made, name=name: shapes.__setitem__(name, (_shape(given[0]), _shape(made)))
        )
    with FlopCounterMode(display=False) as counter, torch.inference_mode():
        model(_window(model.reads_spectrogram))
    flops = {name: sum(each.values()) for name, each in counter.get_flop_counts().items()}
    table = Table(title="Stages, for one window", title_justify="left")
    table.add_column("")
    for column in ("takes", "gives", "parameters", "multiply-adds"):
        table.add_column(column, justify="right")
    for name, stage in [*shown.items(), ("all", model)]:
        parameters = sum(p.numel() for p in stage.parameters())
        counted = flops.get(f"Model.{name}" if name != "all" else "Global", 0) / 2
        label = "  " * name.count(".") + name.rpartition(".")[2]
        table.add_row(label, *shapes.get(name, ("", "")), f"{parameters:,}", _magnitude(counted))
    console = Console()
    (console if console.is_terminal else Console(width=120)).print(table)


def _stages(model: Model) -> Iterator[tuple[str, nn.Module]]:
    """Preprocessing, each extractor with its parts, fusion: in the order of the data."""
    yield "preprocess", model.preprocess
    for name, extractor in model.extractors.items():
        yield f"extractors.{name}", extractor
        for part, module in extractor.named_children():
            yield f"extractors.{name}.{part}", module
    yield "fusion", model.fusion


def _window(with_spectrogram: bool) -> Batch:
    shape = (1, len(REGIONS), SPECTROGRAM_WINDOW, len(FREQUENCIES_HZ))
    return Batch(
        eeg=torch.randn(1, len(ELECTRODES), EEG_WINDOW),
        spectrogram=torch.rand(shape) if with_spectrogram else None,
        target=torch.full((1, len(CLASSES)), 1 / len(CLASSES)),
        weight=torch.ones(1),
        label_id=torch.arange(1),
    )


def _shape(value: Any) -> str:
    """Of a tensor, or of the first in a tuple or mapping, without the batch."""
    parts = value.values() if isinstance(value, dict) else [value] if isinstance(value, Tensor) else value
    tensor = next(part for part in parts if isinstance(part, Tensor))
    return " x ".join(map(str, tensor.shape[1:]))


def _magnitude(count: float) -> str:
    for unit, size in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if count >= size:
            return f"{count / size:.3g} {unit}"
    return "" if count == 0 else f"{count:.0f}"
