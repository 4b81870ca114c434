"""Training in this process: what a run learns, and what an interruption costs."""

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from hms.config import CONF
from hms.errors import ConfigError
from hms.fit import fit
from hms.labels import CLASSES
from hms.predict import probabilities
from hms.runs import load_model
from hms.store import Store
from hms.windows import OneRowPerEeg

pytestmark = pytest.mark.filterwarnings("ignore:.*LeafSpec.*", "ignore:.*weights_only.*", "ignore:.*srun.*")


def composed(corpus: Path, tmp_path: Path, *more: str) -> dict:
    overrides = ["experiment=smoke", f"data.root={corpus}", "data.size=tiny", f"stores={tmp_path / 'stores'}"]
    overrides += [f"runs={tmp_path / 'runs'}", "epochs=3", "trainer.accelerator=cpu", *more]
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return OmegaConf.to_container(compose("train", overrides), resolve=True)


@pytest.fixture
def config(corpus: Path, tmp_path: Path) -> dict:
    return composed(corpus, tmp_path)


def only_fold(runs: Path) -> Path:
    (scores,) = runs.glob("*/*/scores.json")
    return scores.parent


def test_an_interrupted_run_goes_on_to_the_same_weights_and_metrics(config: dict, tmp_path: Path, monkeypatch):
    config["runs"] = str(tmp_path / "straight")
    fit(config)
    straight = only_fold(tmp_path / "straight")

    config["runs"] = str(tmp_path / "interrupted")
    begin = OneRowPerEeg.set_epoch

    def power_cut(self: OneRowPerEeg, epoch: int) -> None:
        if epoch == 2:
            raise RuntimeError("power cut")
        begin(self, epoch)

    monkeypatch.setattr(OneRowPerEeg, "set_epoch", power_cut)
    with pytest.raises(RuntimeError, match="power cut"):
        fit(config)
    assert not list((tmp_path / "interrupted").glob("*/*/scores.json"))
    monkeypatch.setattr(OneRowPerEeg, "set_epoch", begin)
    fit(config)
    resumed = only_fold(tmp_path / "interrupted")

    assert resumed.parts[-2:] == straight.parts[-2:]
    for name, weight in load_model(straight).state_dict().items():
        assert torch.equal(weight, load_model(resumed).state_dict()[name]), name
    metrics = [pl.read_csv(run / "metrics.csv").drop("seconds") for run in (straight, resumed)]
    assert metrics[0].equals(metrics[1])
    oof = [pl.read_parquet(run / "oof.parquet") for run in (straight, resumed)]
    assert oof[0].equals(oof[1])
    assert not (resumed / "last.ckpt").exists()


def test_a_model_of_all_inputs_is_trained_and_rebuilt_from_its_checkpoint(corpus: Path, tmp_path: Path, store: Store):
    small = [f"extractor.wavenet.{value}" for value in ("blocks=2", "channels=4", "layers=3", "span_s=10")]
    fit(composed(corpus, tmp_path, "epochs=1", "extractor=[wavenet,stft,spectrogram]", *small))
    run = only_fold(tmp_path / "runs")
    model = load_model(run)
    assert list(model.heads) == ["wavenet", "stft", "spectrogram"]
    oof = pl.read_parquet(run / "oof.parquet")
    rows = oof.select("label_id").join(store.rows, on="label_id", maintain_order="left")
    found = probabilities([model], store, rows, 16, "cpu")
    np.testing.assert_allclose(found, oof.select(CLASSES).to_numpy(), atol=1e-5)


def test_a_half_written_checkpoint_is_not_resumed_from(config: dict, tmp_path: Path, capsys):
    config["epochs"] = 1
    fit(config)
    run = only_fold(tmp_path / "runs")
    for name in ("scores.json", "oof.parquet"):
        (run / name).unlink()
    (run / "last.ckpt").write_bytes((run / "model.ckpt").read_bytes()[:5000])
    before = load_model(run).state_dict()
    fit(config)
    assert "last.ckpt is not whole: training starts again" in capsys.readouterr().err
    assert all(torch.equal(weight, before[name]) for name, weight in load_model(run).state_dict().items())


def test_a_run_of_another_commit_says_so(config: dict, tmp_path: Path, capsys):
    config["epochs"] = 1
    fit(config)
    path = only_fold(tmp_path / "runs") / "provenance.json"
    about = json.loads(path.read_text())
    path.write_text(json.dumps(about | {"commit": "deadbeef"}))
    fit(config)
    assert "comes from other versions than the present ones: commit deadbeef" in capsys.readouterr().err


def test_a_strangers_checkpoint_runs_no_code(tmp_path: Path):
    (tmp_path / "evil.pt").write_bytes(b"")
    loader = {"_target_": "lightning.fabric.utilities.cloud_io._load", "path_or_url": str(tmp_path / "evil.pt")}
    for model in (loader, {"_target_": "hms.runs.subprocess.run", "args": ["true"]}):
        torch.save({"config": {"model": model}, "weights": {}}, tmp_path / "model.ckpt")
        with pytest.raises(ConfigError, match=r"want a name that starts with|want a class or a function whose source"):
            load_model(tmp_path)


def test_what_does_not_change_the_result_does_not_change_the_folder(config: dict):
    from hms.runs import run_folder

    same = {**config, "stores": "elsewhere", "on_bad": "skip", "logger": {"wandb": {}}, "data": {"root": "moved"}}
    same["trainer"] = {**config["trainer"], "devices": 4}
    assert run_folder(same, "corpus") == run_folder(config, "corpus")
    others = [({**config, "epochs": 4}, "corpus"), (config, "other corpus")]
    others.append(({**config, "trainer": {**config["trainer"], "precision": "bf16-mixed"}}, "corpus"))
    names = {run_folder(changed, corpus).parent.name for changed, corpus in [(config, "corpus"), *others]}
    assert len(names) == 4
    assert run_folder({**config, "fold": 3, "seed": 7}, "corpus").name == "fold3_seed7"
