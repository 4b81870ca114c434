"""Sweeps on a Ray cluster that lives on this machine for the time of a sweep: `make test-ray`."""

import json
import os
import subprocess
from importlib.util import find_spec
from pathlib import Path

import pytest
from conftest import python

pytestmark = [
    pytest.mark.ray,
    pytest.mark.skipif(find_spec("ray") is None, reason="no ray (pip install 'hms[ray]')"),
]


def train(corpus: Path, out: Path, *words: str) -> subprocess.CompletedProcess[str]:
    places = [f"data.root={corpus}", "data.size=tiny", f"stores={out}/stores", f"runs={out}", f"hydra.sweep.dir={out}"]
    command = python("-m", "hms.train", "-m", "experiment=smoke", "epochs=1", "launcher=ray", *places, *words)
    patient = os.environ | {"RAY_raylet_start_wait_time_s": "300"}  # the machine may be busy
    return subprocess.run(command, env=patient, capture_output=True, text=True, check=False)


def test_a_sweep_leaves_its_folds_and_names_the_job_that_failed(corpus: Path, tmp_path: Path):
    done = train(corpus, tmp_path, "fold=0,9,1")
    assert done.returncode == 1, done.stderr
    assert "fold: want 0 to 4 (folds=5) or all, got 9" in done.stderr, done.stderr
    assert "1 of 3 jobs did not finish:" in done.stderr
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
