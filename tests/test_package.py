"""The wheel holds all that the commands need and nothing else, and works where there is no checkout."""

import os
import shutil
import subprocess
import tomllib
import zipfile
from pathlib import Path

import pytest
from conftest import ROOT, python

SCRIPTS = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"].get("scripts", {})


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from a copy without git, with things beside the package that must stay out."""
    source = tmp_path_factory.mktemp("source")
    for name in ("conf", "hms", "hydra_plugins", "tests"):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in (".gitignore", "LICENSE", "README.md", "pyproject.toml"):
        shutil.copy(ROOT / name, source)
    (source / "data").mkdir()
    (source / "data/train.csv").touch()
    out = tmp_path_factory.mktemp("wheel")
    subprocess.run(python("-m", "hatchling", "build", "-t", "wheel", "-d", str(out)), cwd=source, check=True)
    (made,) = out.glob("*.whl")
    return made


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel's content alone; its dependencies are those of this environment."""
    target = tmp_path_factory.mktemp("installed")
    options = ["--quiet", "--no-deps", "--no-index", "--no-compile", "--target", str(target)]
    subprocess.run(python("-m", "pip", "install", *options, str(wheel)), check=True)
    return target


def test_a_wheel_holds_every_module_template_and_yaml_and_nothing_else(wheel: Path):
    held = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    kinds = ("*.py", "*.html", "*.css", "*.js", "*.md")
    folders = (ROOT / "hms", ROOT / "hydra_plugins")
    modules = {str(path.relative_to(ROOT)) for folder in folders for kind in kinds for path in folder.rglob(kind)}
    yamls = {f"hms/{path.relative_to(ROOT)}" for path in (ROOT / "conf").rglob("*.yaml")}
    assert held == modules | yamls


def test_every_entry_point_has_a_script():
    modules = {path.relative_to(ROOT).with_suffix("") for path in (ROOT / "hms").rglob("*.py")}
    guarded = {
        path for path in modules if '\nif __name__ == "__main__":' in (ROOT / path.with_suffix(".py")).read_text()
    }
    assert {script: target.removesuffix(":main") for script, target in SCRIPTS.items()} == {
        "hms-" + path.parts[1]: ".".join(path.parts) for path in guarded
    }


def script(name: str, *words: str, installed: Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHONPATH": str(installed)}
    return subprocess.run(
        [installed / "bin" / name, *words], cwd=cwd, env=environment, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("name", sorted(SCRIPTS))
def test_a_script_shows_its_help_from_any_folder(name: str, installed: Path, tmp_path: Path):
    done = script(name, "--help", installed=installed, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout
    assert list(tmp_path.iterdir()) == []


def test_a_script_reads_the_yaml_files_of_the_wheel(installed: Path, tmp_path: Path):
    done = script("hms-train", "--info", "searchpath", installed=installed, cwd=tmp_path)
    assert f"file://{installed / 'hms' / 'conf'}" in done.stdout


def test_a_mistake_ends_a_script_with_one_line_and_exit_code_1(installed: Path, tmp_path: Path):
    done = script("hms-train", "extractor.stft.nfft=3", installed=installed, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.splitlines() == [
        "1 problem(s) in the config:",
        "  extractor.stft.nfft: Stft takes no 'nfft'; did you mean 'n_fft'?",
    ]


def test_a_users_own_folder_of_yaml_files_adds_options(installed: Path, tmp_path: Path):
    (tmp_path / "mine/extractor").mkdir(parents=True)
    mine = (ROOT / "conf/extractor/stft.yaml").read_text().replace("stft:", "mine:", 1).replace("190", "200")
    (tmp_path / "mine/extractor/mine.yaml").write_text(mine)
    words = ("--config-dir", "mine", "extractor=mine")
    done = script("hms-train", *words, "--cfg", "job", "-p", "extractor", installed=installed, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "mine:\n  _target_: hms.extractor.stft.Stft\n  n_fft: 200\n" in done.stdout
    done = script("hms-train", *words, "extractor.mine.window=hamming", installed=installed, cwd=tmp_path)
    assert done.returncode == 1
    assert "extractor.mine.window: Stft wants 'hann' or 'cosine', got 'hamming'" in done.stderr
