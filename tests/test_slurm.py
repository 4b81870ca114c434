"""Sweeps on a real Slurm, two nodes on this machine: `make test-slurm`."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest
import torch
from conftest import python
from slurm_cluster import lacking, said, slurm_cluster, wait_for

from hms.runs.checkpoint import load_model

pytestmark = [
    pytest.mark.slurm,
    pytest.mark.skipif(bool(lacking()), reason=f"no {', '.join(lacking())} (apt-get install slurm-wlm munge)"),
]

SMALL = ["hydra.launcher.cpus_per_task=1", "hydra.launcher.mem_gb=2", "hydra.launcher.timeout_min=30"]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    with slurm_cluster(tmp_path_factory.mktemp("slurm")) as environment:
        yield environment


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory, corpus: Path) -> list[str]:
    return [f"data.root={corpus}", "data.size=tiny", f"stores={tmp_path_factory.mktemp('stores')}", "experiment=smoke"]


def train(cluster: dict[str, str], out: Path, *words: str) -> subprocess.Popen[str]:
    command = python("-m", "hms.train", *words, f"runs={out}", f"hydra.sweep.dir={out}")
    return subprocess.Popen(command, env=cluster, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def ended(process: subprocess.Popen[str]) -> str:
    printed = process.communicate(timeout=1200)[0]
    assert process.returncode == 0, printed
    return printed


def test_a_requeued_job_of_a_sweep_goes_on_to_the_same_bits(cluster: dict[str, str], places: list[str], tmp_path: Path):
    sweep = ["-m", "fold=0,1", "epochs=24", *places]  # long enough to be killed in
    ended(train(cluster, tmp_path / "straight", *sweep))
    running = train(cluster, tmp_path / "queued", *sweep, "launcher=slurm_cpu", *SMALL)
    wait_for(lambda: [*tmp_path.glob("queued/*/fold1_seed0/last.ckpt")], "an epoch", 600)
    names = said(["squeue", "-h", "-r", "-o", "%F_%K"], cluster).split()
    (second,) = (name for name in names if name.endswith("_1"))
    assert said(["scontrol", "requeue", second], cluster) == ""
    printed = ended(running)
    assert "best first" in printed
    assert "did not finish" not in printed
    for fold in (0, 1):
        one, other = (next(tmp_path.glob(f"{name}/smoke-*/fold{fold}_seed0")) for name in ("straight", "queued"))
        weights = load_model(other).state_dict()
        assert all(torch.equal(weight, weights[name]) for name, weight in load_model(one).state_dict().items())
        assert pl.read_parquet(one / "oof.parquet").equals(pl.read_parquet(other / "oof.parquet"))
    (told,) = tmp_path.glob("queued/.submitit/*_1/*_log.out")
    assert told.read_text().count("Starting with JobEnvironment") == 2
    assert len(re.findall("^epoch 1/24", told.with_suffix(".err").read_text(), re.MULTILINE)) == 1


def test_two_nodes_train_one_model(cluster: dict[str, str], places: list[str], tmp_path: Path):
    ddp = ["trainer=ddp", "trainer.accelerator=cpu", "trainer.precision=32-true", "trainer.sync_batchnorm=false"]
    ddp += ["trainer.devices=1", "trainer.num_nodes=2", "hydra.launcher.nodes=2"]
    here = "hydra.launcher.setup=['export MASTER_ADDR=127.0.0.1']"  # n1 is no name that this machine could look up
    words = ["-m", "launcher=slurm_cpu", "epochs=2", *places, *SMALL, *ddp, here]
    ended(train(cluster, tmp_path, *words))
    (fold,) = tmp_path.glob("smoke-*/fold0_seed0")
    assert (fold / "scores.json").is_file()
    oof = pl.read_parquet(fold / "oof.parquet")
    assert oof["label_id"].is_unique().all()
    logs = [path.read_text() for path in tmp_path.glob(".submitit/*/*_log.err")]
    assert sum("epoch 2/2" in log for log in logs) == 1
    assert len(logs) == 2
