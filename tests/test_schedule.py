"""The learning rate of each epoch: a warm-up, then a constant or half a cosine wave; or a schedule of torch."""

from pathlib import Path

import polars as pl
import pytest
import torch
from torch.optim.lr_scheduler import LambdaLR
from trainings import interrupted_and_straight, only_fold, same_weights

from hms.schedule import constant, cosine
from hms.training.fit import fit

pytestmark = pytest.mark.filterwarnings("ignore:.*LeafSpec.*", "ignore:.*weights_only.*", "ignore:.*srun.*")


def an_optimizer() -> torch.optim.Optimizer:
    return torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=2.0)


def rates(schedule: LambdaLR, epochs: int) -> list[float]:
    found = []
    for _ in range(epochs):
        found += schedule.get_last_lr()
        schedule.optimizer.step()
        schedule.step()
    return found


def test_a_cosine_wave_follows_the_warm_up_and_stays_at_its_least_rate():
    wave = cosine(an_optimizer(), epochs=5, warmup_epochs=1, lr_min=0.2)
    assert rates(wave, 7) == pytest.approx([1, 2, 1.7364, 1.1, 0.4636, 0.2, 0.2], abs=1e-4)
    assert rates(constant(an_optimizer(), warmup_epochs=3), 5) == pytest.approx([0.5, 1, 1.5, 2, 2])


def test_a_schedule_of_torch_may_follow_the_validation(config: dict):
    plateau = {"_target_": "torch.optim.lr_scheduler.ReduceLROnPlateau", "_partial_": True}
    fit({**config, "schedule": plateau | {"mode": "max", "patience": 0, "factor": 0.5, "threshold": 10.0}})
    rates = pl.read_csv(only_fold(Path(config["runs"])) / "metrics.csv")["learning_rate"]
    assert rates.to_list() == pytest.approx([1e-4, 1e-4, 0.5e-4])


def test_a_schedule_that_follows_the_validation_goes_on_after_an_interruption(
    config: dict, tmp_path: Path, monkeypatch
):
    plateau = {"_target_": "torch.optim.lr_scheduler.ReduceLROnPlateau", "_partial_": True}
    config |= {"schedule": plateau | {"mode": "max", "patience": 0, "factor": 0.5, "threshold": 10.0}}
    straight, resumed = interrupted_and_straight(config, tmp_path, monkeypatch, at=[2, 3])
    assert same_weights(straight, resumed)
    rates = [pl.read_csv(run / "metrics.csv")["learning_rate"].to_list() for run in (straight, resumed)]
    assert rates[0] == rates[1] == pytest.approx([1e-4, 1e-4, 0.5e-4])


def test_a_schedule_of_torch_that_counts_steps_counts_epochs(config: dict):
    cycle = {"_target_": "torch.optim.lr_scheduler.OneCycleLR", "_partial_": True}
    fit({**config, "schedule": cycle | {"max_lr": 1e-2, "total_steps": 3, "pct_start": 0.5, "div_factor": 10.0}})
    rates = pl.read_csv(only_fold(Path(config["runs"])) / "metrics.csv")["learning_rate"]
    assert rates.to_list() == pytest.approx([1e-3, 7.5e-3, 1e-7], rel=1e-3)  # the first third of the way down
