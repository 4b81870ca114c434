"""Reading the files of runs and ensembles: a bad one is refused by its name, with what is wrong in it."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch
from lightning import LightningModule

from hms.batch import Batch
from hms.ensemble.mixture import read_ensemble
from hms.errors import DataError, UserError
from hms.labels import CLASSES, VOTE_COLUMNS
from hms.runs.provenance import read_config
from hms.scoring.scores import TABLE, predictions, read_predictions
from hms.system.reading import read_json
from hms.training.guard import LossGuard
from hms.training.trainer import make


def table() -> pl.DataFrame:
    rows = pl.DataFrame({name: [1, 2, 3] for name in (*TABLE[:3], *VOTE_COLUMNS)})
    return predictions(rows, None, np.full((3, len(CLASSES)), 1 / 6))


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        (table().drop("gpd"), "lacks column 'gpd'"),
        (table().clear(), "want at least one row, got none"),
        (table().with_columns(lpd=pl.lit("x")), "column 'lpd': want numbers, got String"),
        (table().with_columns(eeg_id=pl.lit(None, pl.Int64)), "column 'eeg_id', row 0: want a number, got none"),
        (table().with_columns(lpd=pl.lit(0.5)), "label_id 1: want six probabilities that sum to 1, got 0.1667 0.5"),
        (table().with_columns(lpd_vote=pl.lit(-1)), "label_id 1: want votes of 0 or more, not all 0, got 1 -1"),
        (table().with_columns(pl.lit(2).alias("label_id")), "want each label_id once, got 2 again"),
    ],
)
def test_a_bad_table_of_predictions_is_refused(changed: pl.DataFrame, said: str, tmp_path: Path):
    path = tmp_path / "oof.parquet"
    changed.write_parquet(path)
    with pytest.raises(DataError) as caught:
        read_predictions(path)
    assert str(caught.value).startswith(f"{path}: {said}")


def test_predictions_are_read_with_the_types_of_the_table(tmp_path: Path):
    table().with_columns(pl.col(VOTE_COLUMNS).cast(pl.UInt8)).write_parquet(tmp_path / "oof.parquet")
    assert read_predictions(tmp_path / "oof.parquet").equals(table())


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("mixing", "best", "mixing: want one of linear, geometric, greedy, got 'best'"),
        ("weights", [0.5, 0.4], r"weights: want numbers from 0 that sum to 1, got \[0.5, 0.4\]"),
        ("weights", 1, "weights: want numbers from 0 that sum to 1, got 1.0"),
        ("member_folds", {"a": 1}, "not an ensemble written by hms.ensemble"),
        ("calibration", {"temperature": 0, "bias": dict.fromkeys(CLASSES, 0)}, "calibration: want a temperature above"),
        ("prior", {"source": dict.fromkeys(CLASSES, 0), "target": dict.fromkeys(CLASSES, 1), "strength": 1}, "prior: "),
    ],
)
def test_an_ensemble_that_gives_no_probabilities_is_refused(key: str, value: Any, said: str, tmp_path: Path):
    calibration = {"temperature": 1, "bias": dict.fromkeys(CLASSES, 0)}
    held = {"members": ["a", "b"], "weights": [0.5, 0.5], "mixing": "linear", "calibration": calibration, "prior": None}
    path = tmp_path / "ensemble.json"
    path.write_text(json.dumps(held))
    read_ensemble(path)
    path.write_text(json.dumps(held | {key: value}))
    with pytest.raises(DataError, match=f"{path}: {said}"):
        read_ensemble(path)


def test_bad_json_files_and_configs_are_refused(tmp_path: Path):
    path = tmp_path / "scores.json"
    for text, said in (("{", "not a JSON object"), ("[]", "not a JSON object"), ("{}", "lacks 'kl'")):
        path.write_text(text)
        with pytest.raises(DataError, match=f"{path}: {said}"):
            read_json(path, "kl")
    (tmp_path / "config.yaml").write_text("- 1")
    with pytest.raises(DataError, match=r"config\.yaml: not the config of a fold"):
        read_config(tmp_path)


def test_weights_that_are_not_finite_are_not_kept(tmp_path: Path):
    module, guard = LightningModule(), LossGuard(tmp_path / "not_finite.json")
    module.weight = torch.nn.Parameter(torch.tensor([1.0, torch.nan]))
    trainer = make({"_target_": "lightning.Trainer", "accelerator": "cpu"})
    trainer.strategy.optimizers = [torch.optim.SGD([module.weight], lr=0.5)]
    guard.on_train_epoch_start(trainer, module)
    batch = Batch(torch.zeros(1), None, torch.zeros(1), torch.zeros(1), torch.tensor([7]))
    guard.on_train_batch_end(trainer, module, {"loss": torch.ones(()), "uniform_loss": torch.ones(())}, batch, 0)
    with pytest.raises(UserError, match=r"training ends: a weight that is not finite at step 0 \(epoch 1, "):
        guard.on_train_epoch_end(trainer, module)
    assert json.loads((tmp_path / "not_finite.json").read_text())["label_ids"] == [7]
