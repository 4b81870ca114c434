"""With which code a run was trained: what is recorded of it, and which later changes are named."""

import json
import subprocess
from pathlib import Path

import pytest
from conftest import ROOT
from trainings import chosen, only_fold

from hms.runs.provenance import open_fold
from hms.runs.versions import differing, versions
from hms.training.fit import fit

pytestmark = pytest.mark.filterwarnings("ignore:.*LeafSpec.*", "ignore:.*weights_only.*", "ignore:.*srun.*")


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="no checkout")
def test_a_run_records_the_commit_of_its_code(config: dict, tmp_path: Path):
    open_fold(tmp_path / "fold0_seed0", config, "corpus")
    recorded = json.loads((tmp_path / "fold0_seed0" / "provenance.json").read_text())["commit"]
    head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=True)
    assert recorded.removesuffix("+") == head.stdout.strip()


def test_a_machine_without_git_trains_all_the_same(config: dict, tmp_path: Path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    open_fold(tmp_path / "fold0_seed0", config, "corpus")
    assert json.loads((tmp_path / "fold0_seed0" / "provenance.json").read_text())["commit"] is None


def test_a_run_of_another_commit_warns(config: dict, tmp_path: Path, capsys):
    config = chosen(config, "epochs=1")
    fit(config)
    path = only_fold(tmp_path / "runs") / "provenance.json"
    about = json.loads(path.read_text())
    assert {"hms.model", "hms.preprocess", "hms.extractor.stft"} <= about["code"].keys()
    path.write_text(json.dumps(about | {"commit": "deadbeef"}))
    fit(config)
    assert "was made with different versions: commit deadbeef\n" in capsys.readouterr().err


def test_code_that_was_edited_since_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr("hms.runs.versions.OURS", ("my_extractor.",))
    (tmp_path / "my_extractor.py").write_text("class Mine: ...\n")
    config = {
        "model": {"extractors": {"mine": {"_target_": "my_extractor.Mine"}, "torch": {"_target_": "torch.nn.ReLU"}}}
    }
    before = versions(config)
    assert differing(before, versions(config)) == []
    (tmp_path / "my_extractor.py").write_text("class Mine: 'Better'\n")
    assert differing(before, versions(config)) == ["another my_extractor"]
    assert differing(before, versions({})) == []  # another config of the same run, as for another corpus


def test_another_module_of_a_package_of_ones_own_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr("hms.runs.versions.OURS", ("hms.", "my_package."))
    inner = tmp_path / "my_package/inner"
    inner.mkdir(parents=True)
    (inner / "nets.py").write_text("from my_package.constants import GAIN\nclass Mine: ...\n")
    (tmp_path / "my_package/constants.py").write_text("GAIN = 1\n")
    config = {"mine": {"_target_": "my_package.inner.nets.Mine"}, "loss": {"_target_": "hms.loss.VoteWeightedKl"}}
    before = versions(config)
    assert before["code"].keys() == {"my_package", "hms.loss"}
    (inner / ".#nets.py").symlink_to("me@here.1")  # an editor's lock
    assert differing(before, versions(config)) == []
    (tmp_path / "my_package/constants.py").write_text("GAIN = 3\n")
    assert differing(before, versions(config)) == ["another my_package"]
