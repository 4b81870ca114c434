"""(m) Measured duration of training steps against the estimate by `show=true`."""

from collections.abc import Iterator
from pathlib import Path

import torch

from hms.config.build import build
from hms.cost import measured_rates, training_step_s
from hms.model_summary import metered
from hms.system.memory import keep_freed
from scripts.bench.measure import Figure, seconds
from scripts.bench.setting import DEVICE, batch, config

ROWS = 4
SETTINGS = {
    "quick": ("experiment=quick",),
    "quick_spectrogram": ("experiment=quick_spectrogram",),
    "quick_wavenet": ("experiment=quick_wavenet",),
    "stft_tiny": ("extractor=stft",),
    "stft_tiny_24_pairs": ("extractor=stft", "montage=pairs24"),
    "multitaper_tiny": ("extractor=multitaper",),
    "raw_image_tiny": ("extractor=raw_image",),
    "traces_short": ("extractor=traces_short",),
    "efficientnet1d_short": ("extractor=efficientnet1d_short",),
    "stft_x3d_short": ("extractor=stft_x3d_short",),
    "spectrogram_hgnetv2": ("extractor=spectrogram", "backbone=hgnetv2"),
    "stft_hgnetv2": ("extractor=stft", "backbone=hgnetv2"),
    "stft_cosine_efficientnetv2": ("extractor=stft_cosine", "backbone=efficientnetv2"),
}


def estimates(folder: Path, times: int, settings: dict[str, tuple[str, ...]] = SETTINGS) -> Iterator[Figure]:
    """Measured / estimated time of a model's forward and backward pass on raw windows, the best of `times`."""
    keep_freed()
    for name, overrides in settings.items():
        more = ["backbone.pretrained=false"] * any("backbone" in one for one in overrides)
        node = config(*overrides, *more)["model"]
        _, meter = metered(node)
        model = build(node).to(DEVICE).train()
        given = batch(folder, ROWS, model.reads_spectrogram)

        def step(model: torch.nn.Module = model, given: object = given) -> None:
            model(given).float().square().mean().backward()

        step()
        taken = min(seconds(step) for _ in range(times)) / ROWS
        estimate = training_step_s(*meter.computed, measured_rates(DEVICE, "32-true"))

        yield Figure(f"m_{name}", taken / estimate, f"{name}: a step / its estimate", "0.67-1.5")
