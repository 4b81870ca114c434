"""(h) GPU only: the share of a training step spent on data, GPU utilisation, and a whole fold at real size.

Steps are those of Lightning's loop as `hms.train` runs it, on windows that reside on the GPU.
"""

from collections.abc import Iterator
from pathlib import Path
from time import perf_counter
from typing import Any, NamedTuple

import polars as pl
import torch
from lightning import Callback
from torch.profiler import ProfilerActivity, profile
from torch.utils.data import RandomSampler

from hms.config.build import build
from hms.data.resident import Resident
from hms.data.windows import Windows
from hms.prediction.inference import Compute, by_model
from hms.training import trainer
from hms.training.compiled import compile_networks
from hms.training.guard import LossGuard
from hms.training.module import Classifier
from hms.training.stages import classifier
from scripts.bench.measure import Figure, Workload, peak_mb, seconds
from scripts.bench.setting import DEVICE, config, signals_of, store

TRAIN_EEGS, VALIDATION_EEGS = 4_751, 1_188
"""EEGs with ten votes or more: those of four fifths of the competition's patients, and those of the held-out fifth."""

PRETRAIN_EEGS = 8_920
"""EEGs with fewer votes of four fifths of the patients, on which a member is pretrained."""

HELD_OUT_WINDOWS, HELD_OUT_LOW_VOTES = 9_827 // 5, 16_898 // 5
"""Windows of held-out patients to predict: a fifth of those with ten votes or more, and of those with fewer."""

EPOCHS, PRETRAIN_EPOCHS, BATCH = 14, 2, 16
MEMBER = ("experiment=member_1", "backbone.pretrained=false", "data.root=x")
STFT = ("experiment=original", "backbone=hgnetv2", "extractor=stft", *MEMBER[1:])

VARIANTS = {
    "unfused": "+optimizer.fused=false",
    "bfloat16": "trainer.precision=bf16-mixed",
    "compiled": "compile=true",
    "checkpointed": "backbone.grad_checkpointing=true",
    "float32": "trainer.precision=32-true",
    "timed": "+trainer.benchmark=true",
}
"""Variants of a step; the last one stays in effect for the rest of the process, so keep it last."""


class _Step(NamedTuple):
    seconds: float
    busy: float
    """Share of that time in which the device computes."""
    peak_mb: float | None


def on_gpu(folder: Path, steps: int, *overrides: str) -> Iterator[Figure]:
    """The STFT alone at full size, by default and in each variant, and a member with three inputs."""
    module, settings = _classifier(*STFT, *overrides)
    windows = _resident(folder, module)
    step = _measured(module, windows, settings, folder, steps)
    yield Figure("h_step_ms", 1e3 * step.seconds, "ms per STFT step of 16 windows", peak_mb=step.peak_mb)
    data_s = _busy_s(lambda: [_data(module, windows) for _ in range(steps)]) / steps  # type: ignore[func-returns-value]
    share = data_s / (step.busy * step.seconds)
    yield Figure("h_data_share", share, "share of the GPU's time in a step spent on data", "<= 0.03")
    yield Figure("h_gpu_busy", step.busy, "GPU utilisation", ">= 0.95")
    minutes = _fold_minutes(module, folder, step.seconds, EPOCHS * TRAIN_EEGS, EPOCHS, HELD_OUT_WINDOWS)
    yield Figure("h_fold_minutes", minutes, "minutes per fold of 14 epochs, with validation and prediction", "<= 3")
    member, member_settings = _classifier(*MEMBER, *overrides)
    step = _measured(member, _resident(folder, member), member_settings, folder, steps)
    yield Figure("h_member_step_ms", 1e3 * step.seconds, "ms per step of a member, three inputs", peak_mb=step.peak_mb)
    yield Figure("h_member_busy", step.busy, "GPU utilisation in a member's step")
    trained, epochs = PRETRAIN_EPOCHS * PRETRAIN_EEGS + EPOCHS * TRAIN_EEGS, PRETRAIN_EPOCHS + EPOCHS
    minutes = _fold_minutes(member, folder, step.seconds, trained, epochs, HELD_OUT_WINDOWS + HELD_OUT_LOW_VOTES)
    yield Figure("h_member_fold_minutes", minutes, "minutes per fold of a member, three inputs, two stages")
    for name, override in VARIANTS.items():
        module, settings = _classifier(*STFT, *overrides, *override.split())
        if settings["compile"]:
            compile_networks(module.model, DEVICE, settings["trainer"]["precision"])
        step = _measured(module, windows, settings, folder, steps)
        yield Figure(f"h_{name}_step_ms", 1e3 * step.seconds, f"ms per STFT step with {override}", peak_mb=step.peak_mb)
        yield Figure(f"h_{name}_busy", step.busy, f"GPU utilisation with {override}")


class _Clock(Callback):
    """Time `steps` steps after the `first` ones, then profile the device for as many more.

    Profiling makes steps longer, but not the device's own work in them.
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


def _classifier(*overrides: str) -> tuple[Classifier, dict[str, Any]]:
    settings = config(*overrides)
    return classifier(settings, settings, build(settings["model"])), settings


def _resident(folder: Path, module: Classifier) -> Resident:
    """Windows at real size on the device."""
    rows = store(folder).rows
    many = pl.concat([rows] * (-(-TRAIN_EEGS // len(rows)))).head(TRAIN_EEGS)
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


def _fold_minutes(module: Classifier, folder: Path, step_s: float, trained: int, epochs: int, predicted: int) -> float:
    """Training on `trained` windows, validation after each epoch, and prediction with four flips at the end.

    Both are counted in float32 from the store, although validation may use half precision. Checkpoints are not counted.
    """
    rows = pl.concat([store(folder).rows] * 8).head(8 * BATCH)
    loader = Windows(store(folder), rows, module.model.reads_spectrogram).loader(BATCH)
    by_model([module.model], loader, Compute(DEVICE, flips=False))
    window_s = seconds(lambda: by_model([module.model], loader, Compute(DEVICE, flips=False))) / len(rows)
    module.model.train()
    return (step_s * trained / BATCH + window_s * (epochs * VALIDATION_EEGS + 4 * predicted)) / 60


def _busy_s(workload: Workload) -> float:
    """Seconds for which the device computes during a workload."""
    workload()
    _now()
    with _profile() as profiled:
        workload()
        _now()
    return _device_s(profiled)


def _profile() -> profile:
    return profile(activities=[ProfilerActivity.CUDA if DEVICE == "cuda" else ProfilerActivity.CPU])


def _device_s(profiled: profile) -> float:
    time = "self_device_time_total" if DEVICE == "cuda" else "self_cpu_time_total"
    return sum(getattr(one, time) for one in profiled.key_averages() if not one.is_user_annotation) / 1e6


def _now() -> float:
    if DEVICE == "cuda":
        torch.cuda.synchronize()
    return perf_counter()
