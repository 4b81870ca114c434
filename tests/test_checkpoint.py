"""Checkpoints of others: they run no code, and those of another version are named."""

from pathlib import Path

import pytest
import torch

from hms.errors import ConfigError, DataError
from hms.runs.checkpoint import load_model


def test_a_strangers_checkpoint_runs_no_code(tmp_path: Path):
    (tmp_path / "evil.pt").write_bytes(b"")
    loader = {"_target_": "lightning.fabric.utilities.cloud_io._load", "path_or_url": str(tmp_path / "evil.pt")}
    method = {"_target_": "hms.training.module.Classifier.load_from_checkpoint", "checkpoint_path": "evil.pt"}
    made = {"_target_": "hms.loss.VoteWeightedKl", "joint": "${oc.create:{_target_:torch.load,f:evil.pt}}"}
    for model in (loader, method, made, {"_target_": "hms.runs.versions.subprocess.run", "args": ["true"]}):
        torch.save({"model": model, "weights": {}}, tmp_path / "model.ckpt")
        with pytest.raises(ConfigError, match=r"want (a name that starts with|a class or a function|plain values)"):
            load_model(tmp_path)


def test_a_checkpoint_of_another_version_is_named(config: dict, tmp_path: Path):
    pair = {"_target_": "hms.montage.Montage", "groups": {"one": ["Fp1-F7"]}, "order": "listed"}
    other = {"gone": torch.zeros(1)}
    for node, weights, error, message in (
        (config["model"], other, DataError, "want weights of the model that its config describes, got different ones"),
        (pair | {"gone": 1}, {}, ConfigError, r"model\.gone: Montage takes no 'gone'"),
        (pair, {}, ConfigError, r"want a config of hms\.model\.Model, got one of Montage"),
    ):
        torch.save({"model": node, "weights": weights}, tmp_path / "model.ckpt")
        with pytest.raises(error, match=rf"{tmp_path / 'model.ckpt'}: {message}"):
            load_model(tmp_path)
