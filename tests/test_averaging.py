"""Averages of weights: what goes into them, which models get them, and how they survive interruptions."""

from pathlib import Path

import polars as pl
import pytest
import torch
from lightning import LightningModule, Trainer
from lightning.pytorch.strategies import SingleDeviceStrategy
from material import Launches
from torch.utils.data import DataLoader
from trainings import STOPPED, chosen, composed, interrupted_and_straight, only_fold, same_weights

from hms.averaging import Ema, Swa, moving_average
from hms.runs.checkpoint import load_model
from hms.training.fit import fit
from hms.training.stages import callbacks_of
from hms.training.trainer import make

pytestmark = pytest.mark.filterwarnings("ignore:.*LeafSpec.*", "ignore:.*weights_only.*", "ignore:.*srun.*")


def test_averaging_takes_in_at_least_the_last_epoch():
    assert [Swa(epochs, 0.25).start_epoch for epochs in (1, 2, 8, 14)] == [0, 1, 6, 10]
    with pytest.raises(ValueError, match="share: want more than 0 up to 1, got 0"):
        Swa(8, 0)


def test_a_decay_that_would_keep_the_first_weights_is_refused():
    with pytest.raises(ValueError, match="decay: want 0 up to less than 1, got 1"):
        Ema(1)


class OneWeight(LightningModule):
    """A weight that is n after n epochs; records what is validated."""

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(()))
        self.seen: list[float] = []

    def training_step(self, batch: torch.Tensor, index: int) -> torch.Tensor:
        return -self.weight / 3  # of the gradient of each of three steps

    def validation_step(self, batch: torch.Tensor, index: int) -> None:
        self.seen.append(self.weight.item())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=1.0)


@pytest.mark.parametrize(
    ("trainer", "seen", "kept"),
    [
        ({"max_epochs": 8}, [1, 2, 3, 4, 5, 6, 7, 7.5], 7.5),
        ({"max_epochs": 4}, [1, 2, 3, 4], 4),  # below the `epochs` of averaging: nothing is averaged
        ({"max_epochs": 8, "max_steps": 8}, [1, 2], 8 / 3),  # ends within an epoch
        ({"max_epochs": 8, "max_steps": 23}, [1, 2, 3, 4, 5, 6, 7], (7 + 23 / 3) / 2),
        ({"max_epochs": 2, "val_check_interval": 1}, [1 / 3, 2 / 3, 1, 4 / 3, 5 / 3, 2], 2),
    ],
)
def test_weight_averaging_validates_and_keeps_the_average_of_its_epochs(
    config: dict, trainer: dict, seen: list[float], kept: float
):
    module = OneWeight()
    make(config["trainer"] | trainer, callbacks=[Swa(8, 0.25)]).fit(
        module, DataLoader(torch.zeros(3)), DataLoader(torch.zeros(1))
    )
    assert module.seen == pytest.approx(seen)
    assert module.weight.item() == pytest.approx(kept)


def test_a_moving_average_soon_forgets_the_random_weights_it_began_with():
    averages = [torch.zeros(2), torch.zeros(3, 1)]
    for step in range(1, 41):
        moving_average(0.999, averages, [torch.ones(2), torch.ones(3, 1)], torch.tensor(step))
    assert min(average.min() for average in averages) > 0.99
    same = torch.rand(1000)
    moving_average(0.9, kept := [same.clone()], [same], torch.tensor(5))
    assert torch.equal(kept[0], same)
    moving_average(0.9, late := [torch.zeros(2)], [torch.ones(2)], torch.tensor(10**6))
    torch.testing.assert_close(late[0], torch.full((2,), 0.1))
    with Launches() as launches:
        counted, seen = [torch.tensor(10), torch.tensor([[0, 1]]), *torch.arange(80)], torch.tensor(20)
        moving_average(0.9, counted, [seen, torch.tensor([[10, -9]]), *[seen] * 80], torch.tensor(10**6))
    assert [one.tolist() for one in counted[:4]] == [20, [[10, -9]], 20, 20]  # counts are not averaged
    assert len(launches.made) < 30


class Numberless(Trainer):
    """A trainer that trains nothing, on a device which has no numbers to wait for."""

    strategy = SingleDeviceStrategy("meta")

    def __init__(self):
        pass


def test_an_average_takes_in_a_step_without_waiting_for_the_device():
    module, ema = LightningModule(), Ema(0.5)
    module.weight, module.count = torch.nn.Parameter(torch.zeros(3)), torch.nn.Buffer(torch.tensor(4))
    ema.setup(Numberless(), module.to("meta"), "fit")
    for step in range(3):
        ema._average_model.update_parameters(module)
        assert ema._average_model.n_averaged == step + 1


def test_other_callbacks_see_the_averaged_weights(config: dict):
    both = chosen(config, "averaging=ema", "callbacks=early_stopping")
    assert [type(callback).__name__ for callback in callbacks_of(both)] == ["Ema", "EarlyStopping"]


def test_a_training_that_ends_before_any_epoch_is_averaged_says_so(config: dict, capsys: pytest.CaptureFixture):
    stopped = chosen(config, *STOPPED, "callbacks.early_stopping.patience=1", "averaging=swa")
    fit(stopped | {"name": "stopped"})
    said = "averaging: training ended before epoch 4, the first to be averaged\n"
    assert capsys.readouterr().err.count(said) == 1
    fit(chosen(config, "averaging=swa"))
    assert "the first to be averaged" not in capsys.readouterr().err


@pytest.mark.parametrize("averaging", ["ema", "swa"])
def test_averaged_weights_survive_an_interruption(averaging: str, config: dict, tmp_path: Path, monkeypatch):
    over = {"ema": "averaging.ema.decay=0.5", "swa": "averaging.swa.share=0.6"}
    averaged = chosen(config, f"averaging={averaging}", over[averaging], "epochs=3")
    straight, resumed = interrupted_and_straight(averaged, tmp_path, monkeypatch, at=[3])
    assert same_weights(straight, resumed)
    last = tmp_path / "last"
    fit(chosen(config | {"runs": str(last)}, "epochs=3"))
    assert not same_weights(straight, only_fold(last))


@pytest.mark.parametrize("averaging", ["ema", "swa"])
def test_a_run_that_was_interrupted_after_its_last_epoch_has_the_averaged_weights(
    averaging: str, corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    config = composed(corpus, tmp_path, f"averaging={averaging}", "epochs=2")
    fit(config)
    straight = only_fold(tmp_path / "runs")

    def power_cut(*given: object) -> None:
        raise RuntimeError("power cut")

    config["runs"] = str(tmp_path / "interrupted")
    with monkeypatch.context() as cut:
        cut.setattr("hms.training.fit.predict", power_cut)
        with pytest.raises(RuntimeError, match="power cut"):
            fit(config)
    fit(config)
    resumed = only_fold(tmp_path / "interrupted")
    for name, weight in load_model(straight).state_dict().items():
        assert torch.equal(weight, load_model(resumed).state_dict()[name]), name
    assert pl.read_parquet(straight / "oof.parquet").equals(pl.read_parquet(resumed / "oof.parquet"))
