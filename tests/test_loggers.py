"""Other loggers than wandb: where they write, and which cannot be used."""

from pathlib import Path

import pytest
import wandb
from trainings import LIGHTNING, chosen, only_fold

from hms.errors import UserError
from hms.training.fit import fit

pytestmark = pytest.mark.filterwarnings("ignore:.*LeafSpec.*", "ignore:.*weights_only.*", "ignore:.*srun.*")


def test_other_loggers_than_wandb_write_into_the_folder_of_the_fold(config: dict):
    logger = {"csv": {"_target_": "lightning.pytorch.loggers.CSVLogger", "name": "log"}}
    fit(chosen(config, "epochs=1") | {"logger": logger})
    (written,) = only_fold(Path(config["runs"])).glob("log/version_0/metrics.csv")
    assert "val_kl" in written.read_text()


def test_what_is_no_logger_is_named_before_anything_is_written(config: dict):
    with pytest.raises(UserError, match=r"^logger\.mine: want a Lightning logger, got Timer$"):
        fit({**config, "logger": {"mine": {"_target_": f"{LIGHTNING}callbacks.Timer"}}})
    assert not Path(config["runs"]).exists()


def test_a_logger_that_cannot_be_built_is_named(config: dict):
    node = {"_target_": f"{LIGHTNING}loggers.WandbLogger", "offline": True, "log_model": True}
    first = {"_target_": f"{LIGHTNING}loggers.WandbLogger", "offline": True, "project": "hms"}
    with pytest.raises(UserError, match=r"^logger\.mine: Providing log_model=True and offline=True is an invalid "):
        fit({**config, "logger": {"first": first, "mine": node}})
    assert wandb.run is None, "the run of the first would take the scores of the next job"
