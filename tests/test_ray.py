"""Sweeps on a Ray cluster that lives on this machine for the time of a sweep: `make test-ray`."""

import json
import os
import signal
import subprocess
from importlib.util import find_spec
from pathlib import Path

import pytest
from conftest import python
from slurm_cluster import wait_for

pytestmark = [
    pytest.mark.ray,
    pytest.mark.skipif(find_spec("ray") is None, reason="no ray (pip install 'hms[ray]')"),
]


PATIENT = os.environ | {"RAY_raylet_start_wait_time_s": "300"}
"""The machine may be busy."""


def command(corpus: Path, out: Path, *words: str, epochs: int = 1) -> list[str]:
    places = [f"data.root={corpus}", "data.size=tiny", f"stores={out}/stores", f"runs={out}", f"hydra.sweep.dir={out}"]
    return python("-m", "hms.train", "-m", "experiment=smoke", f"epochs={epochs}", "launcher=ray", *places, *words)


def train(corpus: Path, out: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command(corpus, out, *words), env=PATIENT, capture_output=True, text=True, check=False)


def test_a_sweep_leaves_its_folds_and_names_the_job_that_failed(corpus: Path, tmp_path: Path):
    done = train(corpus, tmp_path, "fold=0,1", "optimizer.lr=1e-4,1e38")
    assert done.returncode == 1, done.stderr
    why = "optimizer: value cannot be converted to type float without overflow; try a smaller optimizer.lr"
    assert why in done.stderr, done.stderr
    assert f"2 of 4 jobs did not finish ({why}):" in done.stderr
    assert "best first" in done.stdout
    for fold in (0, 1):
        (scores,) = tmp_path.glob(f"smoke-*/fold{fold}_seed0/scores.json")
        assert json.loads(scores.read_text())["kl"] > 0
        assert "launcher=ray" in json.loads(scores.with_name("provenance.json").read_text())["command"]


def test_a_job_that_no_node_has_room_for_is_refused_at_once(corpus: Path, tmp_path: Path):
    done = train(corpus, tmp_path, "fold=0,1", "hydra.launcher.num_cpus=4096")
    assert done.returncode == 1, done.stderr
    assert "hydra.launcher.num_cpus: want at most " in done.stderr, done.stderr
    assert "(no node has more), got 4096" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_signal_ends_a_sweep_as_a_whole_in_one_line(corpus: Path, tmp_path: Path):
    words = command(corpus, tmp_path, "fold=0,1", epochs=500)
    with (tmp_path / "log").open("w") as log:
        sweep = subprocess.Popen(words, env=PATIENT, stdout=log, stderr=log)
        try:
            wait_for(lambda: [*tmp_path.glob("smoke-*/*/last.ckpt")], "an epoch", seconds=300)
            sweep.send_signal(signal.SIGTERM)
            code = sweep.wait(300)
        finally:
            sweep.kill()
    said = (tmp_path / "log").read_text()
    assert code == 128 + signal.SIGTERM, said
    assert "interrupted by SIGTERM; the same command does what is left to do" in said
    assert "did not finish" not in said
