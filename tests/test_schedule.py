"""The learning rate of each epoch: a warm-up, then a constant or half a cosine wave."""

import pytest
import torch
from torch.optim.lr_scheduler import LambdaLR

from hms.schedule import constant, cosine


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
