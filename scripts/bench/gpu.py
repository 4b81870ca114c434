"""(h) On a GPU alone: what data takes of a training step, how busy the GPU is, and a whole fold at real size.

Steps are those of Lightning's loop as `hms.train` runs it, from windows that lie on the GPU.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from time import perf_counter
from typing import Any, NamedTuple

import polars as pl
import torch
from lightning import Callback
from torch.profiler import ProfilerActivity, profile
from torch.utils.data import RandomSampler

from hms import trainer
from hms.compiled import compile_networks
from hms.config.build import build
from hms.fold import classifier
from hms.guard import LossGuard
from hms.inference import by_model
from hms.module import Classifier
from hms.resident import Resident
from hms.windows import Windows
from scripts.bench.measure import Figure, peak_mb, seconds
from scripts.bench.setting import DEVICE, config, signals_of, store

LEARNED, HELD_OUT = 4_751, 1_188
"""EEGs with ten votes of four fifths of the competition's patients, and of the others."""

LEARNED_FIRST = 8_920
"""EEGs with fewer votes of four fifths of the patients, which a member learns from first."""

PREDICTED, PREDICTED_FIRST = 9_827 // 5, 16_898 // 5
"""Windows of held-out patients, a fifth of those with ten votes and of those with fewer."""

EPOCHS, EPOCHS_FIRST, BATCH = 14, 2, 16
MEMBER = ("experiment=member_1", "backbone.pretrained=false", "data.root=x")
STFT = ("experiment=original", "backbone=hgnetv2", "extractor=stft", *MEMBER[1:])

OTHERS = {
    "fused": "+optimizer.fused=true",
    "bfloat16": "trainer.precision=bf16-mixed",
    "bfloat16_fused": "trainer.precision=bf16-mixed +optimizer.fused=true",
    "compiled": "compile=true",
    "checkpointed": "backbone.grad_checkpointing=true",
    "float32": "trainer.precision=32-true",
    "timed": "+trainer.benchmark=true",
}
"""What a step may be made with instead; the last one stays for all that follows in a process."""


class _Step(NamedTuple):
    seconds: float
    busy: float
    """Share of them in which the device computes."""
    peak_mb: float | None


def on_gpu(folder: Path, steps: int, *overrides: str) -> Iterator[Figure]:
    """The STFT alone at full size, as it is by default and otherwise, and a member of three inputs."""
    module, settings = _member(*STFT, *overrides)
    windows = _resident(folder, module)
    step = _measured(module, windows, settings, folder, steps)
    yield Figure("h_step_ms", 1e3 * step.seconds, "ms of a step of 16 windows by the STFT", peak_mb=step.peak_mb)
    data_s = _busy_s(lambda: [_data(module, windows) for _ in range(steps)]) / steps
    share = data_s / (step.busy * step.seconds)
    yield Figure("h_data_share", share, "of the GPU's time in a step, for data", "<= 0.03")
    yield Figure("h_gpu_busy", step.busy, "share of the time in which the GPU computes", ">= 0.95")
    minutes = _fold_minutes(module, folder, step.seconds, EPOCHS * LEARNED, EPOCHS, PREDICTED)
    yield Figure("h_fold_minutes", minutes, "minutes for a fold of 14 epochs, validated and predicted", "<= 3")
    whole, whole_settings = _member(*MEMBER, *overrides)
    step = _measured(whole, _resident(folder, whole), whole_settings, folder, steps)
    yield Figure("h_member_step_ms", 1e3 * step.seconds, "ms of a member's step, three inputs", peak_mb=step.peak_mb)
    yield Figure("h_member_busy", step.busy, "share of the time in which the GPU computes, in a member's step")
    learned, epochs = EPOCHS_FIRST * LEARNED_FIRST + EPOCHS * LEARNED, EPOCHS_FIRST + EPOCHS
    minutes = _fold_minutes(whole, folder, step.seconds, learned, epochs, PREDICTED + PREDICTED_FIRST)
    yield Figure("h_member_fold_minutes", minutes, "minutes for a member's fold of three inputs and two stages")
    for name, other in OTHERS.items():
        module, settings = _member(*STFT, *overrides, *other.split())
        if settings["compile"]:
            compile_networks(module.model, DEVICE)
        step = _measured(module, windows, settings, folder, steps)
        yield Figure(f"h_{name}_step_ms", 1e3 * step.seconds, f"ms of the STFT's with {other}", peak_mb=step.peak_mb)
        yield Figure(f"h_{name}_busy", step.busy, f"share of the time in which the GPU computes, with {other}")


class _Clock(Callback):
    """Times some steps after the first ones, and tells how long the device computes in as many more.

    These are longer by what is written down of them, but not what the device does.
    """

    def __init__(self, first: int, steps: int):
        self.first, self.steps = first, steps
        self.step_s = self.busy = 0.0
        self._begun_s = 0.0
        self._profile = _profile()

    def on_train_batch_start(self, trainer: Any, pl_module: Any, batch: Any, batch_idx: int) -> None:
        if batch_idx == self.first:
            self._begun_s = _now()
        elif batch_idx == self.first + self.steps:
            self.step_s = (_now() - self._begun_s) / self.steps
            self._profile.start()
        elif batch_idx == self.first + 2 * self.steps:
            _now()
            self._profile.stop()
            self.busy = _device_s(self._profile) / self.steps / self.step_s


def _member(*overrides: str) -> tuple[Classifier, dict[str, Any]]:
    settings = config(*overrides)
    return classifier(settings, settings, build(settings["model"])), settings


def _resident(folder: Path, module: Classifier) -> Resident:
    """Windows at real size on the device."""
    rows = store(folder).rows
    many = pl.concat([rows] * (-(-LEARNED // len(rows)))).head(LEARNED)
    return Resident(Windows(store(folder), many, module.model.reads_spectrogram), DEVICE)


def _measured(module: Classifier, windows: Resident, settings: dict[str, Any], folder: Path, steps: int) -> _Step:
    first = max(1, steps // 5)
    clock = _Clock(first, steps)
    node = settings["trainer"] | {"max_epochs": 1, "limit_train_batches": first + 2 * steps + 1}
    loop = trainer.make(node, callbacks=[clock, LossGuard(folder / "not_finite.json")])
    mb = peak_mb(lambda: loop.fit(module, windows.loader(BATCH, RandomSampler(windows))))
    module.to(DEVICE).train()
    return _Step(clock.step_s, clock.busy, mb)


def _data(module: Classifier, windows: Resident) -> None:
    rows = torch.randint(len(windows), (BATCH,)).tolist()
    with torch.no_grad(), torch.autocast(DEVICE, torch.float16, enabled=DEVICE == "cuda"):
        signals_of(module.model, module.augmentations.values(), windows.__getitems__(rows))


def _fold_minutes(module: Classifier, folder: Path, step_s: float, learned: int, epochs: int, predicted: int) -> float:
    """Of windows learned from, of a validation after each epoch, and of predictions by four flips at the end.

    Both in float32 from the store, as predictions are; what a validation saves by half precision is left out, as are
    checkpoints.
    """
    rows = store(folder).rows.head(4 * BATCH)
    loader = Windows(store(folder), rows, module.model.reads_spectrogram).loader(BATCH)
    by_model([module.model], loader, DEVICE, flips=False)
    window_s = seconds(lambda: by_model([module.model], loader, DEVICE, flips=False)) / len(rows)
    module.model.train()
    return (step_s * learned / BATCH + window_s * (epochs * HELD_OUT + 4 * predicted)) / 60


def _busy_s(work: Callable[[], object]) -> float:
    """Seconds that the device computes in a work."""
    work()
    _now()
    with _profile() as seen:
        work()
        _now()
    return _device_s(seen)


def _profile() -> profile:
    return profile(activities=[ProfilerActivity.CUDA if DEVICE == "cuda" else ProfilerActivity.CPU])


def _device_s(seen: profile) -> float:
    time = "self_device_time_total" if DEVICE == "cuda" else "self_cpu_time_total"
    return sum(getattr(one, time) for one in seen.key_averages() if not one.is_user_annotation) / 1e6


def _now() -> float:
    if DEVICE == "cuda":
        torch.cuda.synchronize()
    return perf_counter()
