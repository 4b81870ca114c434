"""Every stage of the whole solution is a command without a mistake, and every job of it has a folder of its own."""

import shlex
import shutil
import subprocess
from typing import Any

import pytest
from conftest import ROOT
from material import config
from omegaconf import OmegaConf

from hms.config.check import mistakes
from hms.config.command import CONF
from hms.config.command_line import CommandLine
from hms.prepare import Prepare
from hms.runs import run_folder
from hms.train import Train

SCHEMA = {"train": Train, "prepare": Prepare}


def commands(*words: str) -> list[list[str]]:
    """The commands of hms that a target would run, each as its words after `python -m hms.`"""
    if not shutil.which("make"):
        pytest.skip("wants make")
    done = subprocess.run(["make", "-n", *words], cwd=ROOT, capture_output=True, text=True, check=True)
    lines = done.stdout.replace("\\\n", " ").splitlines()
    return [shlex.split(line.partition(" -m hms.")[2]) for line in lines if " -m hms." in line]


def jobs(*words: str) -> list[dict[str, Any]]:
    """The resolved configs of a training command's jobs."""
    line = CommandLine("train", CONF, words)
    assert line.problems == []
    return [OmegaConf.to_container(job, resolve=True) for job in line.jobs()]


@pytest.mark.parametrize(
    "target",
    [
        "prepare DATA=/hms",
        "fold-0 EXPERIMENT=member_8",
        "fold-4 EXPERIMENT=quick CORPUS=",
        "fold-all EXPERIMENT=quick_all CORPUS=data.size=tiny",
        "folds ARGS='seed=1 epochs=3'",
        "members",
        "teacher EXPERIMENT=member_3",
        "student EXPERIMENT=member_3 TEACHER='runs/member_3-12ab runs/member_3-34cd'",
    ],
)
def test_a_stage_runs_one_command_without_a_mistake(target: str):
    ((command, *words),) = commands(*shlex.split(target))
    line = CommandLine(command, CONF, words)
    found = [mistake for config in line.samples() for mistake in mistakes(config, command, SCHEMA[command])]
    assert [*line.problems, *found] == []


def test_the_student_gets_the_teachers_runs_as_a_list():
    ((_, *words),) = commands("student", "EXPERIMENT=member_3", "TEACHER=runs/a runs/b", "CORPUS=")
    student = jobs(*words)
    assert [job["fold"] for job in student] == [0, 1, 2, 3, 4]
    assert student[0]["augmentation"]["teacher_labels"]["runs"] == ["runs/a", "runs/b"]
    assert student[0]["model"] == config("experiment=member_3", "data.root=x")["model"]


def test_the_members_are_a_grid_of_backbone_stft_and_wavenet():
    members = [config(f"experiment=member_{i}", "data.root=x") for i in range(1, 9)]
    grid = {(m["backbone"]["image"]["name"], *m["extractor"]) for m in members}
    assert len(grid) == 8
    assert [len({member[part] for member in grid}) for part in range(4)] == [2, 2, 2, 1]
    shared = [
        {key: member[key] for key in member.keys() - {"name", "backbone", "extractor", "model"}} for member in members
    ]
    assert all(one == shared[0] for one in shared)


def test_a_grid_gives_each_member_and_fold_a_folder_of_its_own():
    extractors = "extractor=[wavenet,stft,spectrogram],[wavenet_deep,stft_cosine,spectrogram]"
    grid = jobs("-m", "backbone=hgnetv2,efficientnetv2", extractors, "fold=range(0,5)")
    folders = [run_folder(job, "corpus") for job in grid]
    assert len(grid) == len({*folders}) == 20
    assert len({folder.parent for folder in folders}) == 4
