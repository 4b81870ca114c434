"""Small trainings in this process: how one is composed, interrupted, and compared with another."""

from pathlib import Path

import material
import polars as pl
import pytest
import torch
from conftest import stores_of

from hms.data.windows import OneRowPerEeg
from hms.runs.checkpoint import load_model
from hms.training.fit import fit

SMALL = ("extractor=stft_short", "flips=false")

STOPPED = ("callbacks=early_stopping", "callbacks.early_stopping.min_delta=99", "schedule=constant", "epochs=4")
"""A decrease by 99 never comes, so with `patience` n the training ends after n + 1 epochs."""

LIGHTNING = "lightning.pytorch."


def composed(corpus: Path, tmp_path: Path, *more: str) -> dict:
    """A small training; many tests want the same one, but each a folder of its own."""
    overrides = ["experiment=smoke", f"data.root={corpus}", "data.size=tiny", f"stores={stores_of(corpus)}"]
    overrides += ["epochs=3", "trainer.accelerator=cpu", *SMALL, *more]
    made = material.composed(*overrides)
    return made if any(word.startswith("runs=") for word in more) else made | {"runs": str(tmp_path / "runs")}


def chosen(config: dict, *overrides: str) -> dict:
    """Return the config with different options chosen."""
    given = [f"stores={config['stores']}", f"data.root={config['data']['root']}", "data.size=tiny"]
    words = ["experiment=smoke", *given, "trainer.accelerator=cpu", *SMALL, *overrides]
    return material.composed(*words) | {"runs": config["runs"]}


def only_fold(runs: Path) -> Path:
    (scores,) = runs.glob("*/*/scores.json")
    return scores.parent


def same_weights(one: Path, other: Path) -> bool:
    weights = load_model(other).state_dict()
    return all(torch.equal(weight, weights[name]) for name, weight in load_model(one).state_dict().items())


def interrupted_and_straight(config: dict, tmp_path: Path, monkeypatch, at: list[int]) -> tuple[Path, Path]:
    """Train twice, once with a power cut before each epoch in `at` (counted over all stages); return both folders.

    Every epoch before a power cut is recorded as having taken 1000 s.
    """
    config["runs"] = str(tmp_path / "straight")
    fit(config)
    begin, begun = OneRowPerEeg.set_epoch, []

    def power_cut(self: OneRowPerEeg, epoch: int) -> None:
        begun.append(epoch)
        if len(begun) in at:
            raise RuntimeError("power cut")
        begin(self, epoch)

    monkeypatch.setattr(OneRowPerEeg, "set_epoch", power_cut)
    config["runs"] = str(tmp_path / "interrupted")
    for _ in at:
        with pytest.raises(RuntimeError, match="power cut"):
            fit(config)
        for curve in (tmp_path / "interrupted").rglob("metrics.csv"):
            pl.read_csv(curve).with_columns(seconds=1000.0).write_csv(curve)
        for state in (tmp_path / "interrupted").rglob("last.ckpt"):
            held = torch.load(state, weights_only=False)
            held["callbacks"]["MetricsCsv"]["rows"] = [
                row | {"seconds": 1000.0} for row in held["callbacks"]["MetricsCsv"]["rows"]
            ]
            torch.save(held, state)
    fit(config)
    return only_fold(tmp_path / "straight"), only_fold(tmp_path / "interrupted")
