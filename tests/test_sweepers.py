"""A sweep by another of Hydra's sweepers, which draws values itself, and what ours says of such values."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from commands import SMALL, said_by
from conftest import python

SWEEPER = '''
import random
from dataclasses import dataclass

from hydra.core.config_store import ConfigStore
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.plugins import Plugins
from hydra.plugins.sweeper import Sweeper


@dataclass
class RandomSweeperConf:
    _target_: str = "hydra_plugins.random_sweeper.RandomSweeper"
    trials: int = 3


ConfigStore.instance().store(group="hydra/sweeper", name="random", node=RandomSweeperConf)


class RandomSweeper(Sweeper):
    """Draws the value of each interval for all its trials, then reads what each returned."""

    def __init__(self, trials):
        self.trials, self.draws = trials, random.Random(0)

    def setup(self, *, hydra_context, task_function, config):
        self.launcher = Plugins.instance().instantiate_launcher(hydra_context, task_function, config=config)

    def sweep(self, arguments):
        jobs = [[*map(self._drawn, OverridesParser.create().parse_overrides(arguments))] for _ in range(self.trials)]
        returns = self.launcher.launch(jobs, initial_job_idx=0)
        print("best", min(job.return_value for job in returns))

    def _drawn(self, override):
        if not override.is_sweep_override():
            return override.input_line
        return f"{override.get_key_element()}={self.draws.uniform(override.value().start, override.value().end):.4f}"
'''

DRAWN = ["0.0084", "0.0076", "0.0042"]
"""What it draws from 0 to 0.01."""


@pytest.fixture
def with_sweeper(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In new processes `hydra/sweeper=random` is installed."""
    (tmp_path / "plugins/hydra_plugins").mkdir(parents=True)
    (tmp_path / "plugins/hydra_plugins/random_sweeper.py").write_text(SWEEPER)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path / "plugins"), *filter(None, sys.path)]))


def train(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(python("-m", "hms.train", "-m", *words), capture_output=True, text=True, check=False)


@pytest.mark.parametrize("launcher", ["one_by_one", "joblib"])
def test_the_jobs_that_another_sweeper_ran_are_compared(
    launcher: str, with_sweeper: None, corpus: Path, tmp_path: Path
):
    places = [f"data.root={corpus}", "data.size=tiny", f"stores={tmp_path}", f"runs={tmp_path / 'runs'}"]
    words = [*SMALL, "epochs=1", *places, f"launcher={launcher}", "hydra/sweeper=random"]
    done = train(*words, "optimizer.lr=interval(0,0.01)")
    assert done.returncode == 0, done.stderr
    assert "did not finish" not in done.stderr
    table = done.stdout[done.stdout.index("best first") :]
    assert all(f"optimizer.lr={rate}" in table for rate in DRAWN), table
    assert len([*(tmp_path / "runs").glob("smoke-*")]) == 3


def test_the_jobs_that_failed_are_those_that_another_sweeper_ran(with_sweeper: None, corpus: Path, tmp_path: Path):
    places = [f"data.root={corpus}", "data.size=tiny", f"stores={tmp_path}", f"runs={tmp_path / 'runs'}"]
    done = train(*SMALL, *places, "hydra/sweeper=random", "optimizer.weight_decay=interval(-0.02,-0.01)")
    assert done.returncode == 1
    why = "optimizer.weight_decay: want 0 or more, got -0.0116"
    names = "".join(rf"\n  optimizer\.weight_decay=-0\.01\d+ \({tmp_path}/runs/smoke-\w+/fold0_seed0\)" for _ in DRAWN)
    assert why in done.stderr
    assert re.search(rf"\n3 of 3 jobs did not finish, as told above:{names}$", done.stderr.rstrip()), done.stderr


@pytest.mark.parametrize("more", [[], ["experiment=quick"], ["hydra/sweeper=hms"], ["hydra/sweeper=basic"]])
def test_a_sweeper_that_draws_nothing_refuses_values_to_draw_in_one_line(more: list[str], with_sweeper: None):
    done = train(*more, "optimizer.lr=interval(0.001,0.01)")
    wish = "want hydra/sweeper=..., as the default sweeper only tries listed values"
    told = f"1 problem(s) in the config:\n  optimizer.lr=interval(0.001,0.01): {wish}\n"
    assert (done.returncode, done.stderr) == (1, told)


def test_jobs_of_a_sweep_that_only_a_yaml_asks_for_are_named(tmp_path: Path):
    (tmp_path / "conf/data").mkdir(parents=True)
    yaml = "# @package _global_\ndefaults: [competition@data]\nhydra: {sweeper: {params: {shard: '0,1'}}}\n"
    (tmp_path / "conf/data/in_shards.yaml").write_text(yaml)
    words = ["shards=2", "data=in_shards", f"data.root={tmp_path / 'nowhere'}", f"stores={tmp_path}"]
    said = said_by("prepare", ["--config-dir", f"{tmp_path / 'conf'}", "-m", *words])
    why = f"data.root: want a folder with train.csv, got '{tmp_path / 'nowhere'}' (no such folder)"
    assert said.endswith(f"{why}\n2 of 2 jobs did not finish, as told above:\n  shard=0\n  shard=1\n"), said
