"""(c) Overhead of an extractor over its backbone. (d) Overhead of a step over its networks. (e) The WaveNet."""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from hms.batch import Signals
from hms.config.build import build
from hms.model import Model
from hms.network.wavenet_layer import GatedLayer
from hms.system.memory import keep_freed
from scripts.bench.measure import Figure, peak_mb, ratio, seconds
from scripts.bench.setting import DEVICE, FULL, batch, config, signals_of
from scripts.plain_reference import PlainWavenet

ROWS = 2 if DEVICE == "cpu" else 16  # windows per step; a GPU gets a whole batch in half precision, as in training
DTYPE = torch.float32 if DEVICE == "cpu" else torch.float16
INPUTS = "wavenet,stft_cosine,spectrogram"


def extractors(folder: Path, pairs: int, *overrides: str) -> Iterator[Figure]:
    """A forward and backward pass, against that of the backbone alone on an image of the same size."""
    keep_freed()
    model, signals = _model(folder, "extractor=[stft,stft_cosine,spectrogram]", *overrides)
    for name, extractor in model.extractors.items():
        bare = _bare(extractor, signals)
        step = _step(lambda extractor=extractor: extractor(signals).vector)  # type: ignore[misc]
        description = f"{name} / its backbone on a ready image"
        mb = peak_mb(step)
        yield Figure(f"c_{name}_over_backbone", ratio(step, bare, pairs), description, "<= 1.10", mb)


def whole_step(folder: Path, pairs: int, *overrides: str) -> Iterator[Figure]:
    """From raw electrodes to gradients, including augmentation and loss, against the sum of the bare networks."""
    keep_freed()
    names = f"extractor=[{INPUTS}]"
    model, signals = _model(folder, names, *overrides)
    raw = batch(folder, ROWS, with_spectrogram=True)
    bare = [_bare(extractor, signals) for extractor in model.extractors.values()]
    for network, group in _networks(model.extractors["wavenet"], signals):
        bare.append(_step(lambda network=network, group=group: network(group)))  # type: ignore[misc]
    settings = config(*FULL, names, *overrides)
    augmentations = [build(node) for node in settings["augmentation"].values()]
    loss = build(settings["loss"])

    def forward() -> Tensor:
        ready = signals_of(model, augmentations, raw)
        return loss(model.classify(ready), ready.target, ready.weight)

    step = _step(forward)
    mb = peak_mb(step)
    label = "whole step / its backbones and WaveNets alone"
    yield Figure("d_step_over_networks", ratio(step, lambda: [one() for one in bare], pairs), label, "<= 1.15", mb)


def wavenet(folder: Path, pairs: int, *overrides: str) -> Iterator[Figure]:
    """Forward and backward pass, against plain code, and against the lower bound by its operations and bytes."""
    keep_freed()
    model, signals = _model(folder, "extractor=wavenet", *overrides)
    ((network, group),) = _networks(model.extractors["wavenet"], signals)
    plain = PlainWavenet(network).to(DEVICE)
    ours, theirs = (_step(partial(one, group)) for one in (network, plain))
    ours_mb, theirs_mb = peak_mb(ours), peak_mb(theirs)
    target = ">= 1.5" if DEVICE == "cpu" else ">= 4"
    yield Figure(
        "e_plain_over_wavenet",
        ratio(theirs, ours, pairs),
        "WaveNet, one convolution per gate / ours",
        target,
        ours_mb,
    )
    if ours_mb and theirs_mb:
        target = "" if DEVICE == "cpu" else ">= 2"
        yield Figure("e_plain_over_wavenet_memory", theirs_mb / ours_mb, "the same, peak memory", target, theirs_mb)
    taken = seconds(ours)
    operations_s, bytes_s = _operations_s(network, group), _bytes_s(network, group)
    for key, floor_s, description in (
        ("operations", operations_s, "its operations at the rate of a large matrix product"),
        ("bytes", bytes_s, "the bytes its layers read and write at the rate of a large copy"),
        ("floor", max(operations_s, bytes_s), "the larger of the two, its lower bound"),
    ):
        yield Figure(f"e_wavenet_over_{key}", taken / floor_s, f"WaveNet / {description}")


def _model(folder: Path, *overrides: str) -> tuple[Model, Signals]:
    model: Model = build(config(*FULL, *overrides)["model"]).to(DEVICE).train()
    with torch.no_grad():
        return model, model.preprocess(batch(folder, ROWS, model.reads_spectrogram))


def _mixed() -> torch.autocast:
    return torch.autocast(DEVICE, DTYPE, enabled=DEVICE == "cuda")


def _step(call: Callable[[], Tensor]) -> Callable[[], None]:
    """A forward and backward pass; after the first call, gradients accumulate in existing tensors."""

    def step() -> None:
        with _mixed():
            made = call()
        made.float().square().mean().backward()  # type: ignore[no-untyped-call]

    return step


def _bare(extractor: Any, signals: Signals) -> Callable[[], None]:
    """A step of the extractor's backbone alone, on the image that it gets from the extractor."""
    images: list[Tensor] = []
    backbone = extractor.backbone
    features = backbone.features
    backbone.features = lambda image: features(images.append(image.detach()) or image)  # type: ignore[func-returns-value]
    with torch.no_grad(), _mixed():
        extractor(signals)
    backbone.features = features
    return _step(lambda: backbone(images[0]))


def _networks(extractor: Any, signals: Signals) -> Iterator[tuple[nn.Module, Tensor]]:
    return zip(extractor.networks.values(), torch.split(signals.pairs, extractor.sizes, dim=1), strict=True)


def _operations_s(network: nn.Module, group: Tensor) -> float:
    """Seconds that a step's multiply-adds take at the rate of a large matrix product."""
    plain = PlainWavenet(network).to(DEVICE)
    with FlopCounterMode(display=False) as counted:
        _step(partial(plain, group))()
    side = 2048 if DEVICE == "cpu" else 8192
    one, other = (torch.randn(side, side, device=DEVICE, dtype=DTYPE) for _ in range(2))
    one @ other
    rate = 2 * side**3 / min(seconds(lambda: one @ other) for _ in range(3))
    return counted.get_total_flops() / rate


def _bytes_s(network: nn.Module, group: Tensor) -> float:
    """Seconds to move the minimum of data that each layer needs, at the rate of a copy far larger than any cache.

    In the forward pass a layer reads its input, the residual and its weights, and writes its output. In the backward
    pass it reads the output's gradient (which is the residual's, too), input and weights, and writes the gradients of
    the latter two.
    """
    moved = 0

    def count(layer: nn.Module, inputs: tuple[Tensor, Tensor | None], output: Tensor) -> None:
        nonlocal moved
        x, residual = inputs
        weights = sum(one.numel() for one in layer.parameters())
        moved += 2 * output.numel() + 3 * (weights + x.numel()) + (0 if residual is None else residual.numel())

    hooks = [layer.register_forward_hook(count) for layer in network.modules() if isinstance(layer, GatedLayer)]
    with torch.no_grad(), _mixed():
        network(group)
    for hook in hooks:
        hook.remove()
    source = torch.randn(2**26, device=DEVICE, dtype=DTYPE)
    copy = torch.empty_like(source)
    copy.copy_(source)
    rate = 2 * len(source) / min(seconds(lambda: copy.copy_(source)) for _ in range(3))
    return moved / rate
