"""List the parts of a model with the shapes they return, their parameters, multiply-adds and memory."""

from collections.abc import Callable, Iterator
from copy import deepcopy
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeCopyMode, FakeTensorMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode

from hms.backbone import Backbone
from hms.batch import Batch, unlabelled
from hms.config.build import build
from hms.cost import ElementsWritten, measured_rates, training_step_s
from hms.electrodes import ELECTRODES
from hms.errors import UserError
from hms.extractor.wavenet import Wavenet
from hms.model import Model
from hms.runs.checkpoint import without_pretrained
from hms.spectrogram_recipe import FREQUENCIES_HZ, REGIONS
from hms.system.console import print_columns
from hms.system.device import best_device, half_dtype
from hms.window_lengths import EEG_SAMPLES, SPECTROGRAM_ROWS

_WINDOWS = 2  # a batch norm has no statistics of a single one


class _Usage(NamedTuple):
    takes: str
    gives: str
    multiply_adds: float
    kept: float
    """Bytes for the backward pass."""


def print_summary(node: dict[str, Any], batch_size: int, trainer: dict[str, Any]) -> None:
    """Build the model that a config describes, pass fake tensors through it, and print its parts.

    Multiply-adds are those of convolutions and matrix products; memory is what a training step keeps for its backward
    pass, in float32. A step in half precision keeps half of that, except for WaveNets on a CPU. The total includes
    weights, gradients and the optimizer's state.
    """
    model, meter = metered(node)
    parts = {**dict(_parts(model)), "all": model}
    usage = [meter.usage.get(name, _Usage("", "", 0, 0)) for name in parts]
    columns = {
        "": ["  " * name.count(".") + name.rpartition(".")[2] for name in parts],
        "takes": [used.takes for used in usage],
        "gives": [used.gives for used in usage],
        "parameters": [f"{sum(p.numel() for p in part.parameters()):,}" for part in parts.values()],
        "multiply-adds": [_magnitude(used.multiply_adds) for used in usage],
        "memory": [f"{_magnitude(used.kept)}B" if used.kept else "" for used in usage],
    }
    print_columns("Parts, for one window", columns, expendable=[["takes"]])
    precision, accelerator = trainer.get("precision", "32-true"), trainer["accelerator"]
    state = 16 * sum(p.numel() for p in model.parameters())  # weight, gradient, two moments of AdamW; float32
    kept = meter.usage["all"].kept
    try:
        device = best_device(accelerator)
    except UserError:
        device = None  # it is in another machine: its memory can be estimated, but not its speed
    if half_dtype(precision):
        kept = (kept + (_kept_by_wavenets(model, meter) if device == "cpu" else 0)) / 2
    total = batch_size * kept + state
    fixed = f"{_magnitude(state)}B of it whatever the batch size"
    print(f"A training step of {batch_size} windows in {precision} keeps about {_magnitude(total)}B, {fixed}.")
    print("At its peak a process may use twice that: the workspaces of libraries are not counted.")
    if device is None:
        print(f"To see how long it takes, run this where there is a {accelerator}, or set trainer.accelerator=cpu.")
        return
    window_s = training_step_s(*meter.computed, measured_rates(device, precision))
    thousand = f"1,000 windows about {two_digits(1000 * window_s / 60)} min"
    well_known = device == "cpu" and not half_dtype(precision) and not _has_3d(model)
    accuracy = "each within a factor of 1.5" if well_known else "roughly"
    print(f"It takes about {two_digits(batch_size * window_s)} s on this machine, {thousand}, {accuracy}.")


def metered(node: dict[str, Any]) -> tuple[Model, "Meter"]:
    """The model that a config describes, made of fake tensors, and what was counted in a forward pass."""
    fake = FakeTensorMode()
    with FakeCopyMode(fake):
        model: Model = deepcopy(build(without_pretrained(node)).train())
    meter = Meter(model)
    for name, part in {**dict(_parts(model)), "all": model}.items():
        call = "features" if isinstance(part, Backbone) else "forward"
        setattr(part, call, meter.watched(getattr(part, call), name))
    with fake, meter.flops, meter.elements, torch.autograd.graph.saved_tensors_hooks(meter.keep, lambda kept: kept):
        model(_windows(model.reads_spectrogram))
    return model, meter


class Meter:
    """Measures each part of a model while `_WINDOWS` windows pass through."""

    def __init__(self, model: Model):
        self.flops, self.elements = FlopCounterMode(display=False), ElementsWritten()
        self.usage: dict[str, _Usage] = {}
        self._storages = {p.untyped_storage()._cdata for p in model.parameters()}  # fake tensors have no data_ptr
        self._kept = 0
        self._alive: list[Tensor] = []  # so that the address of a freed storage is not reused

    @property
    def computed(self) -> tuple[float, float]:
        """The multiply-adds of a window, and the elements written for it."""
        return self.flops.get_total_flops() / 2 / _WINDOWS, self.elements.count / _WINDOWS

    def keep(self, tensor: Tensor) -> Tensor:
        """Count what autograd saves, once per storage; parameters are not counted, as they exist anyway."""
        storage = tensor.untyped_storage()
        if storage._cdata not in self._storages:
            self._storages.add(storage._cdata)
            self._kept += storage.nbytes()
            self._alive.append(tensor.detach())
        return tensor

    def watched(self, call: Callable[..., Any], name: str) -> Callable[..., Any]:
        """Wrap a call so that its usage is recorded under `name`."""

        def recorded(given: Any) -> Any:
            flops, kept = self.flops.get_total_flops(), self._kept
            result = call(given)
            flops, kept = self.flops.get_total_flops() - flops, self._kept - kept
            self.usage[name] = _Usage(_shape(given), _shape(result), flops / 2 / _WINDOWS, kept / _WINDOWS)
            return result

        return recorded


def _parts(model: Model) -> Iterator[tuple[str, nn.Module]]:
    """Yield preprocessing, each extractor with its parts, and fusion, in the order of the data flow."""
    yield "preprocess", model.preprocess
    for name, extractor in model.extractors.items():
        yield f"extractors.{name}", extractor
        for child, module in extractor.named_children():
            yield f"extractors.{name}.{child}", module
    yield "fusion", model.fusion


def _has_3d(model: Model) -> bool:
    """Whether there are three-dimensional convolutions, which took two to three times their estimate on a CPU."""
    return any(isinstance(part, nn.Conv3d) for part in model.modules())


def _kept_by_wavenets(model: Model, meter: Meter) -> float:
    """What WaveNets keep apart from their backbones: float32 on a CPU, whatever the trainer's precision."""
    names = [f"extractors.{name}" for name, extractor in model.extractors.items() if isinstance(extractor, Wavenet)]
    return sum(meter.usage[name].kept - meter.usage[f"{name}.backbone"].kept for name in names)


def _windows(with_spectrogram: bool) -> Batch:
    shape = (_WINDOWS, len(REGIONS), SPECTROGRAM_ROWS, len(FREQUENCIES_HZ))
    eeg = torch.empty(_WINDOWS, len(ELECTRODES), EEG_SAMPLES)
    return unlabelled(eeg, torch.empty(shape) if with_spectrogram else None, torch.arange(_WINDOWS))


def _shape(value: Any) -> str:
    """A shape as text, without the batch: of a tensor, of the first one in a tuple, or of each value of a mapping."""
    if isinstance(value, dict):  # the features of all extractors
        return " + ".join(map(_shape, value.values()))
    tensor = next(part for part in tree_leaves(value) if isinstance(part, Tensor))
    return " x ".join(map(str, tensor.shape[1:]))


def _magnitude(count: float) -> str:
    for unit, size in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if count >= size:
            return f"{count / size:.3g} {unit}"
    return "" if count == 0 else f"{count:.0f}"


def two_digits(value: float) -> str:
    """A number to two digits: 3.8, 39, 1,600."""
    return f"{float(f'{value:.2g}'):,g}"
