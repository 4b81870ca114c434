"""What a step of a training does: its random numbers, its losses, its fused optimizer."""

from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from lightning import Callback, LightningModule, Trainer
from lightning.pytorch.plugins import MixedPrecision
from torch.utils.data import DataLoader
from trainings import chosen

from hms.batch import Batch
from hms.config.build import build
from hms.data.store import Store
from hms.data.windows import Windows
from hms.training.module import _fused_on
from hms.training.stages import classifier
from hms.training.trainer import make, train

pytestmark = pytest.mark.filterwarnings("ignore:.*LeafSpec.*", "ignore:.*weights_only.*", "ignore:.*srun.*")


class Draws(torch.nn.Module):
    """An augmentation that changes nothing and records a random number of each batch."""

    acts_on = "electrodes"

    def __init__(self):
        super().__init__()
        self.seen: list[float] = []

    def forward(self, batch: Batch) -> Batch:
        assert batch.eeg.dtype == torch.float32, "half precision has no number for the square of 256 µV"
        self.seen += [torch.rand(()).item(), np.random.rand()]  # noqa: NPY002
        return batch


@pytest.mark.parametrize("together", [1, 2])
def test_each_batch_of_each_seed_has_its_own_random_numbers(config: dict, store: Store, together: int):
    node = config["trainer"] | {"max_epochs": 2, "accumulate_grad_batches": together}
    model, seen = build(config["model"]), []
    for seed in (0, 1, 0):
        module = classifier(config | {"seed": seed}, config, model)
        module.augmentations = {"draws": Draws()}
        make(node).fit(module, Windows(store, store.rows.head(12)).loader(4))  # of three batches the last is alone
        seen.append(module.augmentations["draws"].seen)
    assert len({*seen[0], *seen[1]}) == 12 * 2
    assert seen[0] == seen[2]


def test_the_loss_of_a_uniform_prediction_has_the_same_heads_and_no_gradient(config: dict, store: Store):
    two = chosen(config, "extractor=[stft_short,raw_image]")
    module = classifier(two, two, build(two["model"]))
    given, found = next(iter(Windows(store, store.rows.head(4)).loader(4))), {}

    class Step(Callback):
        def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, outputs: dict, *_: object) -> None:
            found.update(outputs)

    heads, loss = [], module.loss.forward
    module.loss.forward = lambda logits, *of: heads.append({*logits.by_extractor}) or loss(logits, *of)
    make(two["trainer"] | {"max_epochs": 1}, callbacks=[Step()]).fit(module, DataLoader([given], batch_size=None))
    assert heads == [{"stft_short", "raw_image"}] * 2
    weight = module.weighting(given.weight, 0)
    wanted = weight * (given.target * (6 * given.target).clamp(min=1e-9).log()).sum(dim=1)
    torch.testing.assert_close(found["uniform_loss"], wanted.mean())
    assert not found["uniform_loss"].requires_grad


def test_an_optimizer_is_fused_on_a_gpu_unless_told_otherwise():
    gpu, adamw = torch.device("cuda"), torch.optim.AdamW
    assert _fused_on(gpu, partial(adamw, lr=1.0)) == {"fused": True}
    assert not _fused_on(torch.device("cpu"), partial(adamw, lr=1.0))
    assert not _fused_on(gpu, partial(adamw, fused=False))
    assert not _fused_on(gpu, partial(adamw, foreach=True))
    assert not _fused_on(gpu, torch.optim.LBFGS)


@pytest.mark.filterwarnings("ignore:Detected call of `lr_scheduler.step")  # where all steps are skipped
@pytest.mark.parametrize(("scale", "skipped"), [(2.0**8, False), (2.0**120, True)])
def test_a_fused_optimizer_learns_the_same_even_with_gradient_scaling_and_clipping(
    config: dict, store: Store, scale: float, skipped: bool
):
    ends, small = [], chosen(config, "backbone.image.channels=[4,8]")  # few CPUs compute in float16
    for fused in (False, True):
        torch.manual_seed(0)
        optimizer = {"optimizer": small["optimizer"] | {"fused": fused}}
        module = classifier(small, small | optimizer, build(small["model"]))
        first = [weight.detach().clone() for weight in module.parameters()]
        plugin = MixedPrecision("16-mixed", "cpu", torch.amp.GradScaler("cpu", init_scale=scale))
        node = small["trainer"] | {"precision": None, "plugins": [plugin], "max_epochs": 1, "gradient_clip_val": 0.01}
        windows = Windows(store, store.rows.head(6))
        make(node).fit(module, windows.loader(2))
        assert module.optimizers().optimizer.defaults["fused"] is fused
        assert skipped == all(map(torch.equal, first, module.parameters()))
        ends.append([*module.parameters()])
    for one, other in zip(*ends, strict=True):
        torch.testing.assert_close(one, other, atol=1e-6, rtol=1e-5)


@pytest.mark.filterwarnings("ignore")
def test_a_training_that_began_unfused_is_resumed_fused(
    config: dict, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    small = chosen(config, "backbone.image.channels=[4,8]")
    windows = Windows(store, store.rows.head(6))
    for epochs, fused in ((1, {}), (2, {"fused": True})):
        monkeypatch.setattr("hms.training.module._fused_on", lambda device, optimizer, fused=fused: fused)
        module = classifier(small, small, build(small["model"]))
        plugin = MixedPrecision("16-mixed", "cpu", torch.amp.GradScaler("cpu"))
        node = small["trainer"] | {"precision": None, "plugins": [plugin], "max_epochs": epochs}
        trained = train(module, node, tmp_path, windows.loader(2), None, [], [])
    assert trained.global_step == 6
    assert [group["fused"] for group in module.optimizers().optimizer.param_groups] == [True]
