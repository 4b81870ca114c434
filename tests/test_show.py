"""`show=true`: what a training would be made of, its memory and time, and what is wrong with it."""

import re
from pathlib import Path

import pytest
import torch
from commands import hms, said_by
from material import config

from hms.errors import UserError
from hms.model_summary import print_summary, two_digits
from hms.train import main as train


def test_show_prints_each_stage_and_trains_nothing(tmp_path: Path):
    words = ["show=true", "backbone=hgnetv2", f"runs={tmp_path}", f"stores={tmp_path}", f"data.root={tmp_path / 'x'}"]
    out, _ = hms("train", *words)
    rows = {cells[1].strip(): cells[2:] for line in out.splitlines() if len(cells := line.split("│")) > 1}
    assert [cell.strip() for cell in rows["preprocess"][:2]] == ["20 x 10000", "8 x 10000"]
    assert rows["backbone"][0].strip() == "1 x 384 x 818"
    parameters = [int(rows[stage][2].strip().replace(",", "")) for stage in ("stft", "fusion", "all")]
    assert parameters[0] + parameters[1] == parameters[2] > 10e6
    assert rows["all"][3].strip().endswith(" G")  # multiply-adds
    assert re.search(r"It takes about [\d.,]+ s on this machine, 1,000 windows about [\d.,]+ min", out)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["loss.joint=0"], "hms.loss.VoteWeightedKl: joint: want more than 0, got 0"),
        (
            ["augmentation=[noise]", "augmentation.noise.sigma=-1"],
            "hms.augmentation.noise.Noise: sigma: want at least 0, got -1",
        ),
        (["optimizer.eps=-1"], "optimizer, schedule or trainer: Invalid epsilon value: -1"),
        (["schedule.warmup_epochs=-1"], "optimizer, schedule or trainer: warmup_epochs: want at least 0, got -1"),
        (
            ["pretrain=low_votes", "pretrain.optimizer.eps=-1"],
            "optimizer, schedule or trainer: Invalid epsilon value: -1",
        ),
        (["subset.min_votes=0"], "hms.subset.Subset: min_votes: want at least 1, got 0"),
        (["live=simulated", "live.simulated.plain=2"], "hms.live.SimulatedWindows: plain: want a probability, got 2"),
        (["averaging=swa", "averaging.swa.share=3"], "hms.averaging.Swa: share: want more than 0 up to 1, got 3"),
        (["trainer.precision=64-true"], "trainer.precision: want 32-true, 16-mixed or bf16-mixed, got 64-true"),
    ],
)
def test_show_refuses_what_a_training_would_in_the_same_words(arguments: list[str], line: str, tmp_path: Path):
    words = [*arguments, f"runs={tmp_path}", f"stores={tmp_path}", f"data.root={tmp_path / 'x'}"]
    config = train.config(*words)
    for show in (True, False):
        with pytest.raises(UserError) as refused:
            train.job(config | {"show": show})
        assert str(refused.value) == line
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(torch.accelerator.is_available(), reason="this machine has a GPU")
def test_show_checks_all_but_the_trainer_of_another_machine(tmp_path: Path):
    words = ["show=true", "trainer=gpu", "extractor=stft_short", f"data.root={tmp_path / 'x'}"]
    assert "run this where there is a gpu" in hms("train", *words)[0]
    wrong = [*words, "optimizer.eps=-1"]
    other = (
        "trainer.precision: want 32-true or bf16-mixed on a CPU, got 16-mixed; for a machine with a GPU add trainer=gpu"
    )
    half = ["extractor=stft_short", "show=true", "trainer.precision=16-mixed"]
    assert said_by("train", half) == f"{other}, also to show=true here\n"
    assert "in 16-mixed" in hms("train", *half, "trainer=gpu")[0]
    assert said_by("train", wrong) == "optimizer, schedule or trainer: Invalid epsilon value: -1\n"


def test_show_wants_files_of_pretrained_weights_to_exist():
    words = ["show=true", "backbone=hgnetv2", "extractor=stft_short", "backbone.weights=nowhere"]
    wish = "backbone.weights: want a file or a folder with weights of 'hgnetv2_b4.ssld_stage2_ft_in1k'"
    assert said_by("train", words) == f"{wish}, got 'nowhere' (no such file)\n"


@pytest.mark.parametrize(("extractors", "takes"), [("stft_short,spectrogram", "2048 + 192"), ("stft_short", "2048")])
def test_show_names_all_that_the_fusion_takes(extractors: str, takes: str, capsys):
    print_summary(config(f"extractor=[{extractors}]")["model"], 16, {"accelerator": "cpu"})
    (row,) = [line.split("│") for line in capsys.readouterr().out.splitlines() if line.startswith("│ fusion")]
    assert [cell.strip() for cell in row[2:4]] == [takes, "6"]


def test_a_long_time_is_shown_without_an_exponent():
    assert [two_digits(value) for value in (0.0123, 3.84, 39.4, 768, 1604)] == ["0.012", "3.8", "39", "770", "1,600"]


def test_show_counts_half_of_the_memory_in_half_precision(capsys):
    model, kept = config("extractor=stft")["model"], []
    for precision in ("32-true", "bf16-mixed", "bf16", 16, 32):  # Lightning has several names for one
        kept.append(kept_by(model, precision, capsys))
    assert kept[0] / kept[1] == pytest.approx(2, rel=0.02)
    assert kept[1:] == [*kept[1:2] * 3, kept[0]]


def kept_by(model: dict, precision: str | int, capsys: pytest.CaptureFixture) -> float:
    """Return the memory, in MB, that a step keeps for its batch according to `show`."""
    print_summary(model, 16, {"accelerator": "cpu", "precision": precision})
    said = capsys.readouterr().out
    assert ("each within a factor of 1.5" in said) == (precision in ("32-true", 32))
    total, state = (float(n) * 1000 ** (unit == "G") for n, unit in re.findall(r"(\S+) ([GM])B(?=,| of it)", said))
    return total - state


def test_show_goes_without_a_column_rather_than_break_words_in_a_narrow_terminal(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    print_summary(config("extractor=stft_short")["model"], 16, {"accelerator": "cpu", "precision": "32-true"})
    table = [line for line in capsys.readouterr().out.splitlines() if line[:1] in ("┃", "│")]
    assert max(map(len, table)) <= 80
    names = ["preprocess", "stft_short", "transform", "backbone", "dropout", "fusion", "all"]
    assert [line.split()[1] for line in table[1:]] == names


def test_show_counts_all_of_a_wavenet_on_a_cpu_which_keeps_it_in_single_precision(capsys):
    small = ("extractor.wavenet.blocks=2", "extractor.wavenet.layers=3", "extractor.wavenet.span_s=10")
    model = config("extractor=wavenet", *small)["model"]
    kept = [kept_by(model, one, capsys) for one in ("32-true", "bf16-mixed")]
    assert kept[0] / kept[1] < 1.3


def test_show_estimates_the_memory_of_a_step_on_a_gpu_that_this_machine_lacks(capsys):
    if torch.accelerator.is_available():
        pytest.skip("there is one here")
    print_summary(config("extractor=stft")["model"], 16, {"accelerator": "gpu", "precision": "16-mixed"})
    said = capsys.readouterr().out
    assert "A training step of 16 windows in 16-mixed keeps about" in said
    assert said.endswith("run this where there is a gpu, or set trainer.accelerator=cpu.\n")
