"""The stages of a model with what comes out of each, how much it has to learn, and how much it computes."""

from collections.abc import Callable, Iterator
from copy import deepcopy
from typing import Any, NamedTuple

import torch
from rich.table import Table
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeCopyMode, FakeTensorMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode

from hms.backbone import Backbone
from hms.batch import Batch
from hms.checkpoint import without_pretrained
from hms.config.build import build
from hms.console import print_table
from hms.cost import NumbersMade, measured_rates, step_s
from hms.electrodes import ELECTRODES
from hms.errors import UserError
from hms.extractor.wavenet import Wavenet
from hms.inference import best_device, half
from hms.labels import CLASSES
from hms.model import Model
from hms.spectrogram_recipe import FREQUENCIES_HZ, REGIONS
from hms.timing import EEG_SAMPLES, SPECTROGRAM_ROWS

_WINDOWS = 2  # one alone has no statistics for a batch norm


class _Seen(NamedTuple):
    takes: str
    gives: str
    multiply_adds: float
    kept: float
    """Bytes for the backward pass."""


def show(node: dict[str, Any], batch_size: int, trainer: dict[str, Any]) -> None:
    """Build the model that a config describes, send shapes without values through it, and print its stages.

    Multiply-adds are those of convolutions and matrix products; memory is what a training step keeps for its backward
    pass, in float32. In half precision a step keeps half of it, but for WaveNets on a CPU; weights, gradients and the
    optimizer's state are added.
    """
    model, meter = metered(node)
    stages = {**dict(_stages(model)), "all": model}
    table = Table(title="Stages, for one window", title_justify="left")
    table.add_column("")
    for column in ("takes", "gives", "parameters", "multiply-adds", "memory"):
        table.add_column(column, justify="right")
    for name, stage in stages.items():
        seen = meter.seen.get(name, _Seen("", "", 0, 0))
        parameters = sum(p.numel() for p in stage.parameters())
        label = "  " * name.count(".") + name.rpartition(".")[2]
        numbers = (f"{parameters:,}", _magnitude(seen.multiply_adds), f"{_magnitude(seen.kept)}B" if seen.kept else "")
        table.add_row(label, seen.takes, seen.gives, *numbers)
    print_table(table, width=120)
    precision, accelerator = trainer.get("precision", "32-true"), trainer["accelerator"]
    state = 16 * sum(p.numel() for p in model.parameters())  # weight, gradient, two moments of AdamW; float32
    kept = meter.seen["all"].kept
    try:
        device = best_device(accelerator)
    except UserError:
        device = None  # of another machine: what it keeps can be told, not how fast it is
    if half(precision):
        kept = (kept + (_kept_by_wavenets(model, meter) if device == "cpu" else 0)) / 2
    total = batch_size * kept + state
    whatever = f"{_magnitude(state)}B of it whatever the batch"
    print(f"A training step of {batch_size} windows in {precision} keeps about {_magnitude(total)}B, {whatever}.")
    print("At its peak a process may hold twice that: what libraries work in is not counted.")
    if device is None:
        print(f"How long it takes, a machine with {accelerator} can tell; for this one trainer.accelerator=cpu does.")
        return
    window_s = step_s(*meter.computed, measured_rates(device, precision))
    thousand = f"1,000 windows about {1000 * window_s / 60:.2g} min"
    how = "each to a factor of 1.5" if device == "cpu" and not half(precision) else "roughly"
    print(f"It takes about {batch_size * window_s:.2g} s on this machine, {thousand}, {how}.")


def metered(node: dict[str, Any]) -> tuple[Model, "Meter"]:
    """The model that a config describes, as shapes without values, and what was counted while windows passed it."""
    shapes = FakeTensorMode()
    with FakeCopyMode(shapes):
        model: Model = deepcopy(build(without_pretrained(node)).train())
    meter = Meter(model)
    for name, stage in {**dict(_stages(model)), "all": model}.items():
        call = "features" if isinstance(stage, Backbone) else "forward"
        setattr(stage, call, meter.watched(getattr(stage, call), name))
    with shapes, meter.flops, meter.numbers, torch.autograd.graph.saved_tensors_hooks(meter.keep, lambda kept: kept):
        model(_windows(model.reads_spectrogram))
    return model, meter


class Meter:
    """Counts what passes through the stages of a model while `_WINDOWS` windows do."""

    def __init__(self, model: Model):
        self.flops, self.numbers = FlopCounterMode(display=False), NumbersMade()
        self.seen: dict[str, _Seen] = {}
        self._storages = {p.untyped_storage()._cdata for p in model.parameters()}  # shapes have no address of data
        self._kept = 0
        self._alive: list[Tensor] = []  # or the address of one that is gone could be given to another

    @property
    def computed(self) -> tuple[float, float]:
        """Multiply-adds of a window, and numbers made for it."""
        return self.flops.get_total_flops() / 2 / _WINDOWS, self.numbers.count / _WINDOWS

    def keep(self, tensor: Tensor) -> Tensor:
        """Count what autograd keeps, once for each storage; parameters are there anyway."""
        storage = tensor.untyped_storage()
        if storage._cdata not in self._storages:
            self._storages.add(storage._cdata)
            self._kept += storage.nbytes()
            self._alive.append(tensor.detach())
        return tensor

    def watched(self, call: Callable[..., Any], name: str) -> Callable[..., Any]:
        """The call, noted under a name."""

        def noted(given: Any) -> Any:
            flops, kept = self.flops.get_total_flops(), self._kept
            made = call(given)
            flops, kept = self.flops.get_total_flops() - flops, self._kept - kept
            self.seen[name] = _Seen(_shape(given), _shape(made), flops / 2 / _WINDOWS, kept / _WINDOWS)
            return made

        return noted


def _stages(model: Model) -> Iterator[tuple[str, nn.Module]]:
    """Preprocessing, each extractor with its parts, fusion: in the order of the data."""
    yield "preprocess", model.preprocess
    for name, extractor in model.extractors.items():
        yield f"extractors.{name}", extractor
        for part, module in extractor.named_children():
            yield f"extractors.{name}.{part}", module
    yield "fusion", model.fusion


def _kept_by_wavenets(model: Model, meter: Meter) -> float:
    """What they keep beside their image networks: on a CPU in float32, whatever a training's precision."""
    names = [f"extractors.{name}" for name, one in model.extractors.items() if isinstance(one, Wavenet)]
    return sum(meter.seen[name].kept - meter.seen[f"{name}.backbone"].kept for name in names)


def _windows(with_spectrogram: bool) -> Batch:
    shape = (_WINDOWS, len(REGIONS), SPECTROGRAM_ROWS, len(FREQUENCIES_HZ))
    return Batch(
        eeg=torch.empty(_WINDOWS, len(ELECTRODES), EEG_SAMPLES),
        spectrogram=torch.empty(shape) if with_spectrogram else None,
        target=torch.empty(_WINDOWS, len(CLASSES)),
        weight=torch.empty(_WINDOWS),
        label_id=torch.empty(_WINDOWS, dtype=torch.int64),
    )


def _shape(value: Any) -> str:
    """Of a tensor, or of the first in a tuple or mapping, without the batch."""
    tensor = next(part for part in tree_leaves(value) if isinstance(part, Tensor))
    return " x ".join(map(str, tensor.shape[1:]))


def _magnitude(count: float) -> str:
    for unit, size in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if count >= size:
            return f"{count / size:.3g} {unit}"
    return "" if count == 0 else f"{count:.0f}"
