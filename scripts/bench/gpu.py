"""(h) On a GPU alone: what the data path takes of a step, how busy the GPU is, and a whole fold at real size."""

from collections.abc import Iterator
from pathlib import Path

import torch
from torch.profiler import ProfilerActivity, profile

from hms.batch import Batch, Signals
from hms.build import build
from hms.module import Classifier
from scripts.bench.measure import Figure, seconds
from scripts.bench.setting import DEVICE, batch, config, signals_of

EEGS, EPOCHS, BATCH = 5_939, 14, 16
OVERRIDES = ("experiment=original", "backbone=hgnetv2", "backbone.pretrained=false", "extractor=stft", "data.root=x")


def on_gpu(folder: Path, steps: int) -> Iterator[Figure]:
    """The STFT alone at full size, in half precision, from windows that lie on the GPU."""
    settings = config(*OVERRIDES)
    parts = [build(settings[part]) for part in ("weighting", "optimizer", "schedule")]
    augmentations = {name: build(node) for name, node in settings["augmentation"].items()}
    module = Classifier(build(settings["model"]), build(settings["loss"]), augmentations, *parts, seed=0).to(DEVICE)
    optimizer = module.configure_optimizers()["optimizer"]
    resident = batch(folder, EEGS)

    def data() -> Signals:
        rows = torch.randint(EEGS, (BATCH,), device=DEVICE)
        taken = Batch(*(None if part is None else part[rows] for part in resident))
        return signals_of(module.model, augmentations.values(), taken)

    def step() -> None:
        signals = data()
        with torch.autocast(DEVICE, torch.float16):
            loss = module.loss(module.model.classify(signals), signals.target, signals.weight)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()

    def many(work: object) -> float:
        return seconds(lambda: [work() for _ in range(steps)]) / steps

    many(step)
    step_s = many(step)
    yield Figure("h_data_share", many(data) / step_s, "share of a step for its data", "<= 0.03")
    with profile(activities=[ProfilerActivity.CUDA]) as seen:
        whole_s = seconds(lambda: [step() for _ in range(steps)])
    busy_s = sum(one.self_device_time_total for one in seen.key_averages()) / 1e6
    yield Figure("h_gpu_busy", busy_s / whole_s, "share of the time in which the GPU computes", ">= 0.95")
    minutes = EPOCHS * -(-EEGS // BATCH) * step_s / 60
    yield Figure("h_fold_minutes", minutes, "minutes for 14 epochs of 5,939 EEGs", "<= 3")
