"""The README and its guide are true: commands have no mistake, what they add works, links lead somewhere."""

import ast
import importlib
import os
import re
import shlex
import shutil
import subprocess
import tomllib
from fnmatch import fnmatch
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pytest
from commands import command
from conftest import ROOT, python
from edf_files import write_edf
from guide import GUIDE, OWN, PAGES, adds, blocks, commands, prose, shell_lines
from untrained_runs import a_scored_run

from hms.config.check import mistakes
from hms.config.command import CONF
from hms.config.command_line import CommandLine
from hms.electrodes import SCALP
from hms.errors import ConfigError
from hms.scoring.scores import read_predictions
from hms.train import main as train


def links(page: str) -> list[str]:
    return sorted({*re.findall(r"\]\(([^)\s]+)\)", prose((ROOT / page).read_text()))})


def anchors(text: str) -> set[str]:
    """What GitHub calls the headings of a page: a name's second heading ends in -1, its third in -2."""
    found: list[str] = []
    for line in re.findall(r"^#+ (.+)$", prose(text), re.MULTILINE):
        shown = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", line)
        found.append(re.sub(r"[^\w -]", "", shown.strip().lower()).replace(" ", "-"))
    return {name + (f"-{found[:at].count(name)}" if name in found[:at] else "") for at, name in enumerate(found)}


@pytest.mark.parametrize(("page", "target"), [(page, target) for page in PAGES for target in links(page)])
def test_a_link_leads_somewhere(page: str, target: str):
    if target.startswith("https://"):
        return
    name, _, heading = target.partition("#")
    file = (ROOT / page).parent / name if name else ROOT / page
    assert file.exists(), f"{page}: no {name} to link to"
    assert not heading or heading in anchors(file.read_text()), f"{page}: no heading for {target}"


def test_headings_are_named_as_github_does():
    text = "# `compile=true`, [by](x.md) hand\n## A_b's\n```bash\n# no heading\n```\n## A_b's\n### A_b's\n"
    assert anchors(text) == {"compiletrue-by-hand", "a_bs", "a_bs-1", "a_bs-2"}


def test_every_page_is_reached_from_the_readme_or_the_experiments():
    linked = {target.partition("#")[0] for page in ("README.md", "EXPERIMENTS.md") for target in links(page)}
    assert [page for page in PAGES if page.startswith("docs/") and page not in linked] == []


@pytest.mark.parametrize("page", PAGES)
def test_the_rows_of_a_table_have_as_many_cells_as_its_head(page: str):
    tables = re.findall(r"(?:^ *\|.*\n)+", prose((ROOT / page).read_text()), re.MULTILINE)
    for table in tables:
        cells = {len(re.findall(r"(?<!\\)\|", row)) for row in table.splitlines()}
        assert len(cells) == 1, f"{page}: rows of {sorted(cells)} bars in\n{table}"


def test_every_make_target_is_in_the_makefile():
    known = re.findall(r"^([a-z][a-z0-9_%-]*):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    lines = [line for text in GUIDE.values() for line in shell_lines(text) if line.startswith("make ")]
    named = {word for line in lines for word in line.split()[1:] if word.islower() and "=" not in word}
    assert named
    assert [name for name in named if not any(fnmatch(name, target.replace("%", "*")) for target in known)] == []


def test_every_script_is_in_pyproject():
    known = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]
    lines = [line for text in GUIDE.values() for line in shell_lines(text)]
    named = {name for line in lines for name in re.findall(r"(?:^|[ (])(hms-[a-z]+)\b", line)}
    assert named == {*known}


@pytest.mark.parametrize("command", commands())
def test_a_command_has_no_mistake(command: str):
    module, *words = shlex.split(re.sub(r"<\w+>", "x", command))[2:]
    name, schema, positional = entry_point(module)
    line = CommandLine(name, CONF, words, positional)
    found = [mistake for _, config, _ in line.samples() for mistake in mistakes(config, name, schema)]
    assert [*line.problems, *found] == []


def entry_point(module: str) -> tuple[str, type, str | None]:
    """Config name, schema and positional argument of a command, as `@entry_point(...)` says before its `main`."""
    main = f"{module}.__main__" if find_spec(module).submodule_search_locations else module
    source = ast.parse(Path(find_spec(main).origin).read_text())
    (call,) = [f.decorator_list[0] for f in source.body if isinstance(f, ast.FunctionDef) and f.name == "main"]
    more: dict[str, Any] = {keyword.arg: keyword.value for keyword in call.keywords}
    schema = getattr(importlib.import_module(main), call.args[1].id)
    return call.args[0].value, schema, more["positional"].value if "positional" in more else None


def test_the_parts_of_a_training_work_as_shown(corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    code, loop = blocks(GUIDE["docs/guide/runs.md"], "python")
    words = '"experiment=quick", "fold=1"'
    assert words in code
    small = ["experiment=smoke", "data.size=tiny", f"data.root={corpus}", "fold=1", "flips=false"]
    monkeypatch.chdir(tmp_path)
    given: dict[str, Any] = {}
    exec(code.replace(words, ", ".join(map(repr, small))), given)
    assert given["kl"] == pytest.approx(given["scores"]["kl"])
    assert given["batch"].eeg.shape == (16, 20, 10000)
    assert given["logits"].shape == (16, 6)
    assert len(given["predictor"].models) == 1
    assert read_predictions(f"{given['fold']}/oof.parquet").equals(read_predictions(given["fold"] / "oof.parquet"))
    exec(loop, given)
    assert len(given["optimizer"].state) == len([*given["own"].parameters()])  # each had a gradient
    assert given["training"].join(given["rows"].validation, on="patient_id").is_empty()
    assert given["error"].isfinite()
    written = {path.name for folder in ("runs", "data") for path in Path(folder).rglob("*") if path.is_file()}
    assert {name for name in written if f"`{name}`" not in GUIDE["docs/guide/files.md"]} == set()


def test_a_mistake_in_python_is_reported_as_on_a_command_line():
    with pytest.raises(ConfigError, match=r"1 problem.*\n.*extractor: want one of .*; did you mean 'stft'"):
        train.config("extractor=sftf")
    for words in (["fold=1"], Path("x")):
        with pytest.raises(ConfigError) as refused:
            train.config(words)
        assert str(refused.value) == f"config: want each word as text, config('fold=1', 'seed=2'), got {words!r}"


def test_a_bundle_works_as_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    in_python, of_recordings, in_onnx = blocks(GUIDE["docs/guide/models.md"], "python")
    run = a_scored_run(tmp_path / "shown-1a", 1, "extractor=stft_short", "preprocess=original")
    command("export.__main__", f"runs={run}", f"out={tmp_path / 'bundle'}")
    monkeypatch.chdir(tmp_path)
    given = {"eeg_uv": 30 * np.random.default_rng(0).standard_normal((2, 20, 10000))}
    exec(in_python, given)
    assert given["probabilities"].shape == (2, 6)
    write_edf(tmp_path / "night.edf", given["eeg_uv"][0, :19], SCALP, 200)
    exec(of_recordings, given)
    assert len(given["night"].table) == 5
    session = mock.Mock(run=lambda names, inputs: [(names, inputs)])
    monkeypatch.setattr("onnxruntime.InferenceSession", {"bundle/model.onnx": session}.__getitem__)
    exec(in_onnx, given)
    (names, inputs) = given["probabilities"]
    assert names == ["probabilities"]
    assert inputs["eeg_uv"].dtype == np.float32


@pytest.fixture(scope="module")
def added(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Path]]:
    """A copy of the checkout to which a reader added what the guide shows, and the files that are new there."""
    folder = tmp_path_factory.mktemp("copy") / "hms"
    for name in ("conf", "hms", "hydra_plugins", "tests"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", folder)
    files = []
    for name, text in shown().items():
        if not name.startswith("my_"):
            assert not (folder / name).exists(), f"{name} is there already; show a new one"
            (folder / name).write_text(text)
            files.append(folder / name)
    return folder, files


def shown() -> dict[str, str]:
    """The files of the page by the paths in their first lines; outside of the repository they begin with `my_`."""
    files = {}
    for text in blocks(OWN, "python|yaml"):
        path = re.match(r"(?:# @package _global_\n)?# ([\w/]+\.(?:py|yaml))\b", text)
        assert path, f"want the path of the file in the first line, `# conf/...`, got '{text[:60]}'"
        files[path[1]] = text
    return files


def in_copy(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """What a command says in the copy, which goes before the installed hms."""
    environment = os.environ | {"PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(python(*words), cwd=folder, env=environment, capture_output=True, text=True, check=False)


def test_what_is_added_is_one_module_and_one_yaml_of_a_name(added: tuple[Path, list[Path]]):
    folder, files = added
    names = {str(file.relative_to(folder)) for file in files}
    assert {file.parts[len(folder.parts) + 1] for file in files} == {
        "backbone",
        "launcher",
        "optimizer",
        "extractor",
        "augmentation",
    }
    for name in names:
        other = name.replace("hms/", "conf/").replace(".py", ".yaml")
        assert other in names, f"{name} without {other}"


def test_what_is_added_is_in_the_style_of_the_house(added: tuple[Path, list[Path]]):
    folder, files = added
    sources = [str(file) for file in files if file.suffix == ".py"]
    for check in (["check"], ["format", "--check"]):
        done = in_copy(folder, "-m", "ruff", *check, *sources)
        assert done.returncode == 0, done.stdout + done.stderr


def test_what_is_added_trains(added: tuple[Path, list[Path]], corpus: Path):
    folder, files = added
    (command,) = [line for text in blocks(OWN, "bash") for line in text.splitlines() if adds(line)]
    places = [f"data.root={corpus}", "stores=stores", "runs=runs", "experiment=smoke", "data.size=tiny", "epochs=1"]
    places += ["flips=false", "extractor.stft.hop_length=400"]
    done = in_copy(folder, *shlex.split(command)[1:], *places)
    assert done.returncode == 0, done.stderr
    (config,) = folder.glob("runs/smoke-*/fold0_seed0/config.yaml")
    assert (config.parent / "scores.json").is_file()
    for file in files:
        assert file.suffix == ".yaml" or f"hms.{file.parent.name}.{file.stem}." in config.read_text()


def test_what_is_added_keeps_the_rules_and_the_contracts(added: tuple[Path, list[Path]]):
    folder, files = added
    (command,) = [line for text in blocks(OWN, "bash") for line in text.splitlines() if "pytest" in line]
    new = sorted({file.stem for file in files})
    only = ["-k", " or ".join(["test_structure", *new]), "-vv", "-p", "no:cacheprovider"]
    done = in_copy(folder, *shlex.split(command)[1:], *only)
    assert done.returncode == 0, done.stdout
    for name in new:
        assert re.search(rf"test_contracts.py.*\b{name}\b", done.stdout), f"no contract was tested for {name}"


def test_what_stands_outside_of_the_repository_trains(corpus: Path, tmp_path: Path):
    own = {name: text for name, text in shown().items() if name.startswith("my_")}
    for name, text in own.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    (line,) = re.findall(r'^HMS_ALLOW="(\S+)" hms-train (.*)$', OWN, re.MULTILINE)
    words = shlex.split(line[1])
    assert {f"{Path(name).parent.name}={Path(name).stem}" for name in own if name.endswith(".yaml")} <= {*words}
    places = [f"data.root={corpus}", "stores=stores", "runs=runs", "experiment=smoke", "data.size=tiny", "epochs=1"]
    places += ["flips=false", "extractor=[stft_short,wavenet_short,spectrogram]"]
    environment = os.environ | {"PYTHONPATH": f"{ROOT}:{tmp_path}", "HMS_ALLOW": line[0]}
    command = python("-m", "hms.train", *words, *places)
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (config,) = tmp_path.glob("runs/smoke-*/fold0_seed0/config.yaml")
    assert (config.parent / "scores.json").is_file()
    for target in re.findall(r"_target_: ([\w.]+)", "\n".join(own.values())):
        assert f"_target_: {target}\n" in config.read_text()
