"""Where the jobs of a sweep run: every preset is complete, and what keeps one from running is reported in a line."""

import importlib
import sys
from pathlib import Path

import pytest
from configs import CONF, by_hydra, options
from hydra.core.config_store import ConfigStore
from hydra.errors import CompactHydraException

from hms.config.command_line import CommandLine
from hydra_plugins.hms_ray import RayLauncher

NODES = [{"Resources": {"CPU": 4.0, "GPU": 2.0}}, {"Resources": {"CPU": 8.0}}]


@pytest.mark.parametrize("command", ["train", "prepare", "simulate", "submit", "predict", "evaluate"])
def test_every_command_takes_every_launcher(command: str):
    targets = set()
    for option in options("launcher"):
        launcher = by_hydra(command, f"launcher={option}", return_hydra_config=True).hydra.launcher
        targets.add(launcher._target_.rpartition(".")[2])
        assert launcher.get("additional_parameters", {}) == ({"requeue": True} if "slurm" in option else {})
    assert targets == {"BasicLauncher", "JoblibLauncher", "SlurmLauncher", "RayLauncher"}


def problems(*words: str) -> list[str]:
    line = CommandLine("train", CONF, ["-m", *words])
    assert len([*line.samples()]) == 1
    return line.problems


def test_a_launcher_that_is_not_installed_is_reported(monkeypatch: pytest.MonkeyPatch):
    assert problems("launcher=slurm") == []
    monkeypatch.delitem(ConfigStore.instance().repo["hydra"]["launcher"], "submitit_slurm.yaml")
    told = "launcher: slurm needs a package that is not installed: pip install 'hms[slurm]'"
    assert problems("launcher=slurm", "fold=0") == [told]
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(CompactHydraException, match=r"launcher: ray is not installed: pip install 'hms\[ray\]'"):
        RayLauncher(None, 1, None, 3).launch([["fold=0"]], 0)


def test_a_mistake_in_a_launchers_key_is_found_before_anything_runs():
    (told,) = problems("launcher=joblib", "hydra.launcher.n_job=2")
    assert "n_job" in told


def test_a_ray_job_gets_a_gpu_if_there_is_one():
    assert RayLauncher(None, 2, None, 3)._resources(NODES) == {"num_cpus": 2, "num_gpus": 1}
    assert RayLauncher(None, 2, None, 3)._resources(NODES[1:]) == {"num_cpus": 2, "num_gpus": 0}
    assert RayLauncher(None, 2, 0.5, 3)._resources(NODES) == {"num_cpus": 2, "num_gpus": 0.5}


def test_a_ray_job_that_no_node_has_room_for_is_refused():
    with pytest.raises(CompactHydraException, match=r"num_cpus: want at most 8 \(no node has more\), got 9"):
        RayLauncher(None, 9, None, 3)._resources(NODES)
    with pytest.raises(CompactHydraException, match=r"num_gpus: want at most 0 \(no node has more\), got 1"):
        RayLauncher(None, 1, 1, 3)._resources(NODES[1:])


def test_a_slurm_job_that_is_lost_for_good_is_reported_in_a_line_with_its_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    local = pytest.importorskip("submitit.local.local")
    slurm = importlib.import_module("hydra_plugins.hms_slurm")
    job = local.LocalJob(tmp_path, "7", [0])
    job._results_timeout_s = 0
    (tmp_path / "7_0_log.err").write_text("Traceback\n  killed\n")
    monkeypatch.setattr(slurm.SlurmLauncher.__base__, "launch", lambda *_: [job.results()[0]])
    launcher = slurm.SlurmLauncher(submitit_folder=str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(
        CompactHydraException, match=r"^launcher: want a machine of a Slurm cluster, got one without 'sr"
    ):
        launcher.launch([["fold=0"]], 0)
    (tmp_path / "srun").touch(0o755)
    with pytest.raises(CompactHydraException) as told:
        launcher.launch([["fold=0"]], 0)
    state = "NO PROCESS AND NO RESULT"  # submitit's words for a local one
    assert str(told.value) == f"launcher: Slurm's job 7 was lost for good ({state}); see {tmp_path}/7_0_log.err"
    failed = importlib.import_module("submitit.core.utils").FailedJobError("Job (task=0) failed: No module named x")

    def fail(*_: object) -> None:
        raise failed

    monkeypatch.setattr(slurm.SlurmLauncher.__base__, "launch", fail)
    with pytest.raises(type(failed), match="No module named x"):
        launcher.launch([["fold=0"]], 0)
