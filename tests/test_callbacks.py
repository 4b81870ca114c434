"""Callbacks of a training: when it ends early, and which callbacks cannot be used."""

import re
from pathlib import Path

import polars as pl
import pytest
from trainings import LIGHTNING, STOPPED, chosen, interrupted_and_straight, only_fold, same_weights

from hms.errors import UserError
from hms.training.callbacks import build_callbacks
from hms.training.fit import fit

pytestmark = pytest.mark.filterwarnings("ignore:.*LeafSpec.*", "ignore:.*weights_only.*", "ignore:.*srun.*")


@pytest.mark.parametrize("averaging", ["none", "ema"])
def test_a_training_that_stopped_early_and_was_then_interrupted_stays_stopped(
    averaging: str, config: dict, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
):
    stopped = chosen(config, *STOPPED, "callbacks.early_stopping.patience=1", f"averaging={averaging}")
    with monkeypatch.context() as cut:
        cut.setattr("hms.training.fit.predict", lambda *_: pytest.fail("power cut"))
        with pytest.raises(pytest.fail.Exception, match="power cut"):
            fit(stopped)
    fit(stopped)
    said = capsys.readouterr().err
    assert "epoch 2/4  val_kl" in said
    assert "epoch 3/4" not in said
    assert "training ends early, after epoch 2: Monitored metric val_kl did not improve in the last 1 records. " in said
    two = chosen(config | {"runs": str(tmp_path / "two")}, f"averaging={averaging}", "schedule=constant", "epochs=2")
    fit(two)  # the weights kept are those of the last epoch
    assert same_weights(only_fold(tmp_path / "runs"), only_fold(tmp_path / "two"))


def test_early_stopping_remembers_its_epochs_across_an_interruption(config: dict, tmp_path: Path, monkeypatch):
    stopped = chosen(config, *STOPPED, "callbacks.early_stopping.patience=2")
    straight, resumed = interrupted_and_straight(stopped, tmp_path, monkeypatch, at=[3])
    assert same_weights(straight, resumed)
    assert [len(pl.read_csv(run / "metrics.csv")) for run in (straight, resumed)] == [3, 3]


@pytest.mark.parametrize("rarely", ["fold=all", "+trainer.val_check_interval=0.5", "fold=0"])
def test_early_stopping_by_the_training_loss_looks_after_each_epoch(rarely: str, config: dict, capsys):
    by_loss = ["callbacks.early_stopping.monitor=train_loss", "callbacks.early_stopping.patience=1"]
    fit(chosen(config, *STOPPED, *by_loss, rarely, "+trainer.check_val_every_n_epoch=2"))
    metrics = pl.read_csv(only_fold(Path(config["runs"])) / "metrics.csv")
    assert len(metrics) == 2
    said = capsys.readouterr().err
    assert "training ends early, after epoch 2: Monitored metric train_loss did not improve in the last 1 rec" in said


@pytest.mark.parametrize(
    ("node", "said"),
    [
        ({"_target_": f"{LIGHTNING}callbacks.EarlyStopping", "monitor": "val_kl", "mode": "mn"}, "`mode` can be min, "),
        ({"_target_": f"{LIGHTNING}callbacks.EarlyStopping"}, "EarlyStopping.__init__() missing 1 required positional"),
        ({"_target_": f"{LIGHTNING}loggers.CSVLogger", "save_dir": "x"}, "want a Lightning callback, got CSVLogger"),
    ],
)
def test_a_callback_that_cannot_be_used_is_named(node: dict, said: str):
    with pytest.raises(UserError, match="^" + re.escape(f"callbacks.mine: {said}")):
        build_callbacks({"mine": node})


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            [
                "callbacks=early_stopping",
                "+trainer.check_val_every_n_epoch=2",
                "+callbacks.early_stopping.check_on_train_epoch_end=true",
            ],
            "schedule, callbacks or trainer: Early stopping conditioned on metric `val_kl` which is not available.",
        ),
        (
            ["callbacks=early_stopping", "+callbacks.again=${callbacks.early_stopping}"],
            "callbacks or trainer: Found more than one stateful callback of type `EarlyStopping`.",
        ),
    ],
)
def test_what_lightning_finds_wrong_with_callbacks_is_said_in_one_line(words: list[str], said: str, config: dict):
    with pytest.raises(UserError, match="^" + re.escape(said)) as raised:
        fit(chosen(config, *words))
    assert "\n" not in str(raised.value)
