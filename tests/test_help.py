"""`--help` explains a command: what each option is for, what its values mean, and how to try several."""

import re
from pathlib import Path

import pytest
from commands import hms
from configs import GROUPS, options

from hms.config.command import CONF


@pytest.fixture(scope="module")
def said() -> str:
    return hms("train", "--help", "epochs=3", "extractor=wavenet")[0]


def test_every_option_comes_with_what_its_yaml_says_about_it(said: str):
    chosen, _, values = said.partition("\n\nValues, changed by key=value")
    for group in GROUPS:
        (listed,) = re.findall(rf"^{group}(?:=\[\.\.\.\])?\n((?:  .*\n?)+)", chosen, re.MULTILINE)
        assert re.findall(r"^  (\w+) +\S", listed, re.MULTILINE) == options(group)
        assert not re.search(r"hms/\w|^  \w+ +-$", listed, re.MULTILINE), "want `# hms/<module>.py -- what it is`"
    assert re.search(r"\n  stft_cosine +56 rows over 0-40 Hz per pair, 0\.71 Hz apart: shorter windows", chosen)
    assert "\nextractor=[...]\n" in chosen  # several at once
    assert "\nbackbone\n" in chosen
    assert "wavenet:\n    _target_: hms.extractor.wavenet.Wavenet\n" in values


def test_it_names_sweeps_and_show_and_explains_values_beside_those_given(said: str):
    assert said.startswith("python -m hms.train backbone=hgnetv2 extractor=stft  ")
    assert re.search(r"^python -m hms\.train show=true .*no training$", said, re.MULTILINE)
    assert re.search(r"^  -m +a sweep: a job for each combination of the values", said, re.MULTILINE)
    assert "\nshow: false            # true: only print each part, and the memory and time of a step\n" in said
    assert "\nepochs: 3\n" in said


@pytest.mark.parametrize(("columns", "most"), [("60", 80), ("100", 100), ("200", 120)])
def test_its_tables_fit_the_terminal(columns: str, most: int, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("COLUMNS", columns)
    tables = hms("train", "--help")[0].partition("\nValues, ")[0].partition("\nOptions, ")[2]
    assert most - 15 < max(map(len, tables.splitlines())) <= most


def test_another_command_lists_only_its_own_groups():
    said, _ = hms("prepare", "--help")
    assert re.findall(r"^(\w+)(?:=\[\.\.\.\])?$", said, re.MULTILINE) == ["data", "launcher"]


def test_values_that_commands_share_are_explained_in_each():
    for command in ("evaluate", "submit", "predict"):
        said, _ = hms(command, "--help")
        assert re.search(r"^temperature: null +# above 1: less confident", said, re.MULTILINE)
    assert re.search(r"^shard: 0 +# which of `shards`", said, re.MULTILINE)


def test_a_users_own_option_is_listed_and_a_mistake_is_refused(tmp_path: Path):
    (tmp_path / "extractor").mkdir()
    text = (CONF / "extractor/stft.yaml").read_text().partition("\n")[2]
    (tmp_path / "extractor/mine.yaml").write_text(f"# my own, for slow waves\n{text}")
    assert re.search(r"^  mine +my own, for slow waves$", hms("train", "--help", f"--config-dir={tmp_path}")[0], re.M)
    assert "extractor: want one of " in hms("train", "--help", "extractor=sftf", code=1)[1]
