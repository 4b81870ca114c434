"""Every stage of the whole solution is a command without mistakes, and each of its jobs has its own folder."""

import os
import resource
import shlex
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
from conftest import ROOT
from material import config
from omegaconf import OmegaConf

from hms.config.check import mistakes
from hms.config.command import CONF
from hms.config.command_line import CommandLine
from hms.prepare import Prepare
from hms.runs.folder import fold_folder
from hms.train import Train

SCHEMA = {"train": Train, "prepare": Prepare}


def make(*words: str, cwd: Path = ROOT, **options: Any) -> subprocess.CompletedProcess:
    if not shutil.which("make"):
        pytest.skip("wants make")
    command = ["make", "--no-print-directory", *words]  # which make prints where it was called by `make test`
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False, **options)


def commands(*words: str) -> list[list[str]]:
    """Return the commands of hms that a target would run, each as the words after `python -m hms.`"""
    done = make("-n", *words)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.replace("\\\n", " ").splitlines()
    return [shlex.split(line.partition(" -m hms.")[2]) for line in lines if " -m hms." in line]


def jobs(*words: str) -> list[dict[str, Any]]:
    """Return the resolved configs of a training command's jobs."""
    line = CommandLine("train", CONF, words)
    assert line.problems == []
    return [OmegaConf.to_container(job.config, resolve=True) for job in line.jobs()]


@pytest.mark.parametrize(
    "target",
    [
        "prepare DATA=/hms ARGS=on_bad=skip",
        "fold-0 EXPERIMENT=member_8",
        "fold-4 EXPERIMENT=quick CORPUS=",
        "fold-all EXPERIMENT=quick_all CORPUS=data.size=tiny",
        "folds ARGS='seed=1 epochs=3'",
        "members",
        "members-all",
        "teacher EXPERIMENT=member_3",
        "student EXPERIMENT=member_3 TEACHER='runs/member_3-12ab runs/member_3-34cd'",
        "student-all EXPERIMENT=member_3 TEACHER=runs/member_3-12ab",
    ],
)
def test_a_stage_runs_one_command_without_a_mistake(target: str):
    ((command, *words),) = commands(*shlex.split(target))
    line = CommandLine(command, CONF, words)
    found = [mistake for _, config, _ in line.samples() for mistake in mistakes(config, command, SCHEMA[command])]
    assert [*line.problems, *found] == []


def test_the_student_gets_the_teachers_runs_as_a_list():
    ((_, *words),) = commands("student", "EXPERIMENT=member_3", "TEACHER=runs/a runs/b", "CORPUS=")
    student = jobs(*words)
    assert [job["fold"] for job in student] == [0, 1, 2, 3, 4]
    ((_, *words),) = commands("student-all", "EXPERIMENT=member_3", "TEACHER=runs/a runs/b", "CORPUS=")
    assert jobs(*words) == [student[0] | {"fold": "all"}]
    assert student[0]["augmentation"]["teacher_labels"]["runs"] == ["runs/a", "runs/b"]
    assert student[0]["name"] == "student_of_member_3"
    assert student[0]["model"] == config("experiment=member_3", "data.root=x")["model"]


def test_several_possible_teachers_must_be_chosen_by_name(tmp_path: Path):
    shutil.copy(ROOT / "Makefile", tmp_path)
    for name in ("member_3-12ab", "member_3-34cd", "member_4-56ef"):
        (tmp_path / "runs" / name).mkdir(parents=True)
    student = ("-n", "-o", ".venv/done", "student")
    done = make(*student, "EXPERIMENT=member_3", cwd=tmp_path)
    assert done.returncode > 0
    assert "TEACHER: want one run, or several by their names, got runs/member_3-12ab runs/member_3-34cd" in done.stderr
    assert "runs=[runs/member_4-56ef]" in make(*student, "EXPERIMENT=member_4", cwd=tmp_path).stdout


def test_a_student_without_a_teacher_is_refused_before_any_fold(tmp_path: Path):
    shutil.copy(ROOT / "Makefile", tmp_path)
    for target in ("student", "student-all"):
        done = make("-n", "-o", ".venv/done", target, "EXPERIMENT=member_3", cwd=tmp_path)
        assert (done.returncode > 0, done.stdout) == (True, "")
        first = "make teacher EXPERIMENT=member_3 first, or name its runs: TEACHER=runs/<name>"
        assert f"TEACHER: runs/ has no member_3; {first}." in done.stderr
    done = make("-n", "-o", ".venv/done", "student", "EXPERIMENT=quick", "CORPUS=", cwd=tmp_path)
    assert "make teacher EXPERIMENT=quick CORPUS='' first" in done.stderr


def test_members_without_a_run_are_named_with_those_that_have_one(tmp_path: Path):
    shutil.copy(ROOT / "Makefile", tmp_path)
    for name in ("member_1-12ab", "member_4-34cd"):
        (tmp_path / "runs" / name).mkdir(parents=True)
    for target in ("submit", "ensemble", "kaggle"):
        target_words = ("-n", "-o", ".venv/done", target)
        done = make(*target_words, "MEMBERS=member_1,member_2,member_3,member_4", cwd=tmp_path)
        assert done.returncode > 0
        assert "MEMBERS: runs/ has no member_2 member_3; without them: MEMBERS=member_1,member_4." in done.stderr
        assert (
            "'runs/member_1-*' 'runs/member_4-*'"
            in make(*target_words, "MEMBERS=member_1,member_4", cwd=tmp_path).stdout
        )
        assert "runs/x" in make(*target_words, "RUNS=runs/x", cwd=tmp_path).stdout
    small = "small-56ef"  # of a run that has not the name of an experiment
    (tmp_path / "runs" / small).mkdir()
    assert " 'runs/small-*' " in make(*target_words, "RUNS='runs/small-*'", cwd=tmp_path).stdout
    assert "MEMBERS: runs/ has no member_7." in make(*target_words, "MEMBERS=member_7", cwd=tmp_path).stderr
    assert "ensemble=runs/e" in make("-n", "-o", ".venv/done", "submit", "ENSEMBLE=runs/e", cwd=tmp_path).stdout


def test_the_report_is_about_the_run_that_finished_a_fold_last(tmp_path: Path):
    shutil.copy(ROOT / "Makefile", tmp_path)
    for age, name in enumerate(("quick-12ab", "other-34cd", "quick-56ef")):
        fold = tmp_path / "runs" / name / "fold0_seed0"
        fold.mkdir(parents=True)
        (fold / "scores.json").touch()
        os.utime(fold / "scores.json", (1e9 - age, 1e9 - age))
    (tmp_path / "runs/quick-56ef/evaluation").mkdir()  # which makes this folder the newest
    everyone = tmp_path / "runs/other-34cd/foldall_seed0"  # it has no held-out patients to report on
    everyone.mkdir()
    (everyone / "scores.json").touch()
    assert "hms.report runs/quick-12ab" in make("-n", "-o", ".venv/done", "report", cwd=tmp_path).stdout
    picture = make("-n", "-o", ".venv/done", "picture", cwd=tmp_path).stdout.strip()
    path = subprocess.run(
        ["sh", "-c", f"set -- {picture}; echo $3"], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert path.stdout.strip() == "runs/quick-12ab/report.html"


KAGGLE = """#!/bin/sh
while [ "$1" != -p ]; do shift; done
echo asked >> "$2/asked"
cp -n {archive} "$2/$3.zip"
"""


def test_unpacking_resumes_after_a_full_disk(tmp_path: Path):
    files = {"train.csv": b"label_id", "train_eegs/1.parquet": b"eeg", "train_eegs/2.parquet": bytes(2**20)}
    with zipfile.ZipFile(tmp_path / "hms.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for name, held in files.items():
            archive.writestr(name, held)
    scripts = {"uv": KAGGLE.format(archive=tmp_path / "hms.zip"), "python": f'#!/bin/sh\nexec {sys.executable} "$@"\n'}
    for name, script in scripts.items():
        (tmp_path / "bin" / name).parent.mkdir(exist_ok=True)
        (tmp_path / "bin" / name).write_text(script)
        (tmp_path / "bin" / name).chmod(0o755)
    data = tmp_path / "data"
    data.mkdir()

    def unpacked(largest: int = -1) -> subprocess.CompletedProcess:
        def limit() -> None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (largest, resource.RLIM_INFINITY))

        places = [f"DATA={data}", f"BIN={tmp_path / 'bin'}"]
        return make("-o", ".venv/done", "data", *places, env={**os.environ, "PYTHONPATH": str(ROOT)}, preexec_fn=limit)

    done = unpacked(largest=2**19)
    assert done.returncode > 0
    assert f"{data / 'unpacked'}: cannot be written (File too large)" in done.stderr
    assert sorted(path.name for path in data.rglob("*.*") if path.suffix != ".zip") == ["1.parquet"]
    (data / "train_eegs/1.parquet").write_bytes(b"ee")  # what others leave half
    for _ in range(2):
        assert unpacked().returncode == 0
        assert {name: (data / name).read_bytes() for name in files} == files
        assert (data / "asked").read_text() == "asked\nasked\n"


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("../x", "want files within one folder, got '../x'"),
        ("x", "not a complete archive (Error -3 while decompressing data: invalid block type); delete it and"),
        ("", "not a complete archive (File is not"),
        (None, "no such file"),
    ],
)
def test_an_archive_without_a_corpus_is_refused(name: str | None, said: str, tmp_path: Path):
    archive = tmp_path / "a.zip"
    if name is not None:
        archive.write_bytes(b"half")
    if name:
        with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as held:
            held.writestr(name, "x" * 99)
    if name == "x":
        whole = archive.read_bytes()
        archive.write_bytes(whole[:31] + b"\xff" * 4 + whole[35:])
    command = [sys.executable, ROOT / "scripts/unpack.py", archive, tmp_path]
    done = subprocess.run(
        command, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert done.stderr.startswith(f"{archive}: {said}")


def test_the_members_are_a_grid_of_backbone_stft_and_wavenet():
    members = [config(f"experiment=member_{i}", "data.root=x") for i in range(1, 9)]
    grid = {(m["backbone"]["image"]["name"], *m["extractor"]) for m in members}
    assert len(grid) == 8
    assert [len({member[part] for member in grid}) for part in range(4)] == [2, 2, 2, 1]
    differing = {"name", "backbone", "extractor", "model", "choices"}
    shared = [{key: member[key] for key in member.keys() - differing} for member in members]
    assert all(one == shared[0] for one in shared)


def test_a_grid_gives_each_member_and_fold_a_folder_of_its_own():
    extractors = "extractor=[wavenet,stft,spectrogram],[wavenet_deep,stft_cosine,spectrogram]"
    grid = jobs("-m", "backbone=hgnetv2,efficientnetv2", extractors, "fold=range(0,5)")
    folders = [fold_folder(job, "corpus") for job in grid]
    assert len(grid) == len({*folders}) == 20
    assert len({folder.parent for folder in folders}) == 4
