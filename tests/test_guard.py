"""A non-finite loss ends a training and names its batch; a diverging one is reported and recorded."""

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import torch
from lightning import LightningModule
from material import batch
from torch.utils.data import DataLoader
from trainings import composed, only_fold, same_weights

from hms.batch import Batch
from hms.data.store import Store
from hms.errors import UserError
from hms.system.processes import run_in_processes
from hms.training import trainer
from hms.training.fit import fit
from hms.training.guard import LossGuard

pytestmark = pytest.mark.filterwarnings("ignore:.*LeafSpec.*", "ignore:.*weights_only.*", "ignore:.*srun.*")


def quick(corpus: Path, tmp_path: Path, *more: str) -> dict:
    return composed(corpus, tmp_path, "extractor=stft_short", "flips=false", *more)


def test_a_loss_that_is_not_finite_ends_the_training_and_names_its_batch(corpus: Path, tmp_path: Path, store: Store):
    config = quick(corpus, tmp_path, "optimizer.lr=1e30", "epochs=2")
    said = (
        r"training ends: a loss of nan at step 2 \(epoch 1, learning rate 1e\+30, precision 32-true\); the label ids "
    )
    with pytest.raises(UserError, match=said + r"of its batch are in .*not_finite\.json; try a smaller optimizer\.lr$"):
        fit(config)
    (file,) = (tmp_path / "runs").glob("*/*/not_finite.json")
    about = json.loads(file.read_text())
    assert [about[key] for key in ("step", "epoch", "learning_rate", "precision")] == [2, 0, 1e30, "32-true"]
    known = {*store.rows["label_id"]}
    assert {*about["label_ids"]} <= known
    assert len(about["label_ids_before"]) == 10
    assert {*about["label_ids_before"]} <= known - {*about["label_ids"]}
    assert not (file.parent / "last.ckpt").exists()  # no epoch was saved


class BadInOne(LightningModule):
    """A training whose second loss is NaN in the second process alone."""

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(()))

    def training_step(self, batch: Batch, index: int) -> dict[str, Any]:
        bad = self.global_rank == 1 and index == 1
        return {"loss": self.weight * (torch.nan if bad else 1), "uniform_loss": torch.ones(())}

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.1)


def train_badly(folder: Path) -> float:
    """Train in several processes; each writes the error that it ends with."""
    node = {"_target_": "lightning.Trainer", "accelerator": "cpu", "devices": 2, "strategy": "ddp", "max_epochs": 1}
    node["sync_batchnorm"] = False
    made = trainer.make(node, callbacks=[LossGuard(folder / "not_finite.json")])
    rows = [batch()._replace(label_id=torch.tensor([step, made.global_rank])) for step in range(3)]
    with pytest.raises(UserError) as ended:
        made.fit(BadInOne(), DataLoader(rows, batch_size=None))
    (folder / f"said{made.global_rank}").write_text(str(ended.value))
    return 0.0


@pytest.mark.slow
def test_all_processes_raise_the_error_of_the_one_with_the_bad_loss(tmp_path: Path):
    run_in_processes(train_badly, tmp_path, 2)
    said = {(tmp_path / f"said{rank}").read_text() for rank in (0, 1)}
    assert len(said) == 1
    assert said.pop().startswith("training ends: a loss of nan at step 2 (epoch 1, learning rate 0.1, ")
    assert json.loads((tmp_path / "not_finite.json").read_text())["label_ids"] == [1, 1]


def test_a_diverging_training_warns_once_and_records_the_epochs(corpus: Path, tmp_path: Path, capsys):
    fit(quick(corpus, tmp_path, "optimizer.lr=1", "epochs=2", "batch_size=2"))
    said = [line for line in capsys.readouterr().err.splitlines() if "training diverges" in line]
    assert len(said) == 1
    assert said[0].startswith("training diverges in epoch 1: its loss ")
    assert said[0].endswith("that of 1/6 for each class; learning rate 1, precision 32-true may be to blame")
    run = only_fold(tmp_path / "runs")
    assert json.loads((run / "scores.json").read_text())["diverged_epochs"] == [0, 1]
    rates = pl.read_csv(run / "metrics.csv")["learning_rate"]
    assert rates.to_list() == pytest.approx([1, 0.5])  # that of the epoch, not of the next


def test_diverged_epochs_of_a_first_stage_are_listed_even_if_the_second_is_resumed(corpus: Path, tmp_path: Path):
    first = ["pretrain=low_votes", "pretrain.subset.max_votes=99", "pretrain.epochs=1", "pretrain.optimizer.lr=1"]
    config = quick(corpus, tmp_path, *first, "epochs=1", "batch_size=2", "optimizer.lr=1e-4")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("hms.training.stages.callbacks_of", interrupted)
        with pytest.raises(KeyboardInterrupt):
            fit(config)
    fit(config)
    scores = json.loads((only_fold(tmp_path / "runs") / "scores.json").read_text())
    assert scores["pretrain_diverged_epochs"] == [0]


def interrupted(config: dict[str, Any]) -> None:
    """End a training as Ctrl-C would, between its two stages."""
    raise KeyboardInterrupt


def test_a_few_steps_are_no_divergence(corpus: Path, tmp_path: Path, capsys):
    fit(quick(corpus, tmp_path, "optimizer.lr=1", "epochs=2"))
    run = only_fold(tmp_path / "runs")
    assert pl.read_csv(run / "metrics.csv")["train_loss"][1] > 10  # far above any uniform loss
    assert "training diverges" not in capsys.readouterr().err
    assert json.loads((run / "scores.json").read_text())["diverged_epochs"] == []


class Diverges(LightningModule):
    """A training that learns nothing, whose loss is this many times the uniform one."""

    def __init__(self, times: float):
        super().__init__()
        self.times, self.weight = times, torch.nn.Parameter(torch.ones(()))

    def training_step(self, batch: Batch, index: int) -> dict[str, Any]:
        return {"loss": self.weight * self.times, "uniform_loss": torch.ones(())}

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.0)


@pytest.mark.parametrize(("times", "diverged"), [(1.2, []), (1.3, [0])])
def test_losses_are_judged_whole_where_gradients_are_accumulated(times: float, diverged: list[int], tmp_path: Path):
    node = {"_target_": "lightning.Trainer", "accelerator": "cpu", "max_epochs": 1, "accumulate_grad_batches": 2}
    guard = LossGuard(tmp_path / "not_finite.json")
    trainer.make(node, callbacks=[guard]).fit(Diverges(times), DataLoader([batch()] * 20, batch_size=None))
    assert guard.diverged == diverged


class Spoils:
    """An augmentation that makes the target of one row NaN."""

    acts_on = "electrodes"

    def __call__(self, batch: Batch) -> Batch:
        first = torch.arange(len(batch.target), device=batch.target.device) == 0
        return batch._replace(target=batch.target.masked_fill(first[:, None], torch.nan))


def test_a_target_or_weight_that_is_not_finite_is_not_blamed_on_the_learning_rate(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    said = r"training ends: a loss of nan at step 1 .*not_finite\.json; a target or weight of that batch is "
    monkeypatch.setattr("hms.augmentation.brain_flip.BrainFlip", lambda **_: Spoils())
    with pytest.raises(UserError, match=said + "not finite: see augmentation, weighting and loss$"):
        fit(quick(corpus, tmp_path))
    monkeypatch.undo()
    monkeypatch.setattr("hms.weighting.ByVotes.__call__", lambda self, weight, epoch: weight / 0)
    with pytest.raises(UserError, match=said.replace("nan", "(nan|inf)")):
        fit(quick(corpus, tmp_path))


def test_deterministic_operations_train_the_same_model_on_a_cpu(corpus: Path, tmp_path: Path, capsys):
    for name in ("false", "true"):
        words = [f"++trainer.deterministic={name}", "epochs=1", f"runs={tmp_path / name}"]
        fit(quick(corpus, tmp_path, *words))
    torch.use_deterministic_algorithms(False)
    assert same_weights(only_fold(tmp_path / "false"), only_fold(tmp_path / "true"))
    assert "training diverges" not in capsys.readouterr().err
