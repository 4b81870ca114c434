"""Differences between runs are found in their configs, and scores in their files."""

import contextlib
import fcntl
import json
import os
import pty
import re
import shutil
import struct
import subprocess
import sys
import termios
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import yaml
from conftest import ROOT, python
from hydra.core.override_parser.overrides_parser import OverridesParser
from material import config

from hms.compare import main
from hms.errors import DataError, UserError
from hms.labels import CLASSES, VOTE_COLUMNS
from hms.results.comparison import Result, compare
from hms.results.differences import differences
from hms.results.table import print_results, write_csv
from hms.runs.settings import settings


def trained(*words: str) -> dict[str, Any]:
    """The settings of a run that was trained with these words on its command line, and the options they chose."""
    whole = config(*words, "data.root=x")
    return settings(whole) | {"choices": whole["choices"]}


def test_a_difference_appears_once_by_the_key_that_sets_it():
    """`epochs` also sets the length of the trainer's work and of the schedule, and `backbone` a part of extractors."""
    assert differences([trained(), trained("epochs=9")]) == {"epochs": ["14", "9"]}
    assert differences([trained(), trained("backbone.image.grid=[4,2]")]) == {"backbone.image.grid": ["[8,2]", "[4,2]"]}
    assert differences([trained(), trained()]) == {}


def test_a_group_that_differs_as_a_whole_is_shown_by_its_option():
    plain, member = trained(), trained("experiment=member_5", "extractor=[stft]", "epochs=1", "pretrain.epochs=1")
    assert differences([plain, member]) == {
        "montage": ["pairs8", "pairs24"],
        "preprocess": ["clinical", "original"],
        "backbone": ["tiny", "efficientnetv2"],
        "augmentation": ["[brain_flip]", "[brain_flip,head_scale,noise,spectrogram_mask,edge_dropout,cropcat]"],
        "pretrain": ["none", "low_votes"],
        "pretrain.epochs": ["", "1"],
        "epochs": ["14", "1"],
        "trainer.precision": ["32-true", "16-mixed"],
    }
    two = trained("extractor=[stft,spectrogram]", "augmentation=[]", "fusion=attention", "averaging=ema")
    assert differences([plain, two]) == {
        "extractor": ["[stft]", "[stft,spectrogram]"],
        "fusion": ["concat", "attention"],
        "augmentation": ["[brain_flip]", "[]"],
        "averaging": ["none", "ema"],
    }


def test_a_value_is_compared_among_the_runs_with_its_option():
    words = (["preprocess=original"], ["preprocess.highpass_hz=1"], ["preprocess.highpass_hz=null"], [])
    assert differences([trained(*each) for each in words]) == {
        "preprocess": ["original", "clinical", "clinical", "clinical"],
        "preprocess.highpass_hz": ["", "1", "null", "0.5"],
    }
    words = (["extractor.stft.n_fft=64"], [], ["extractor=[spectrogram]"])
    assert differences([trained(*each) for each in words]) == {
        "extractor": ["[stft]", "[stft]", "[spectrogram]"],
        "extractor.stft.n_fft": ["64", "190", ""],
    }


@pytest.mark.parametrize(
    "text",
    [
        *("data/my corpus", "a=b", "it's", 'say "it\'s"', "back\\", "a\\'b", "[x", "a,b", "range(1,3)", "Zoë", "a#b"),
        *("", "null", "True", "1e5", " x "),
    ],
)
def test_a_setting_is_shown_as_hydra_reads_it_back(text: str):
    shown = differences([{"data": {"root": value, "all": [value, 1]}} for value in (text, "other")])
    parser = OverridesParser.create()
    read = {key: parser.parse_override(f"{key}={values[0]}").value() for key, values in shown.items()}
    assert read == {"data.root": text, "data.all": [text, 1]}
    assert [values[1] for values in shown.values()] == ["other", "[other,1]"]


def test_what_no_option_describes_is_shown_by_its_values():
    mine, concat = {"_target_": "mine.Fusion", "width": 3}, trained()["fusion"]
    assert differences([{"fusion": mine}, {"fusion": mine | {"width": 4}}]) == {"fusion.width": ["3", "4"]}
    assert differences([{"fusion": mine}, {"fusion": concat, "choices": {"fusion": "concat"}}]) == {
        "fusion._target_": ["mine.Fusion", "hms.fusion.Concat"],
        "fusion.width": ["3", ""],
        "fusion._partial_": ["", "true"],
    }
    node = {"_target_": "torch.optim.AdamW"}
    one, other = ({"optimizer": node | more} for more in ({}, {"betas": [1, None]}))
    assert differences([one, other]) == {"optimizer.betas": ["", "[1,null]"]}


def test_a_users_own_option_is_shown_by_its_name_and_its_values_only_among_runs_that_have_it():
    plain = trained()

    def of(width: int, part_width: int = 1) -> dict[str, Any]:
        node, part = {"_target_": "mine.Fusion", "width": width}, {"_target_": "mine.Part", "width": part_width}
        own = {"fusion": node, "extractor": {"mine": part}}
        return plain | own | {"choices": plain["choices"] | {"fusion": "mine"}}

    assert differences([plain, of(3)]) == {"extractor": ["[stft]", "[mine]"], "fusion": ["concat", "mine"]}
    assert differences([of(3, 2), of(4), plain]) == {
        "extractor": ["[mine]", "[mine]", "[stft]"],
        "extractor.mine.width": ["2", "1", ""],
        "fusion": ["mine", "mine", "concat"],
        "fusion.width": ["3", "4", ""],
    }


def test_an_option_like_another_is_shown_by_its_own_name():
    same = trained()
    assert differences([same, same | {"choices": same["choices"] | {"backbone": "mine"}}]) == {
        "backbone": ["tiny", "mine"]
    }


def finished(run: Path, fold: int, seed: int, kl: float, patients: int, corpus: str = "abcdef", **config) -> Path:
    """Write a fold's folder with the files that a comparison reads; return its run.

    Each patient has ten rows, with a KL around `kl`. A fold has the same patients in every run and seed.
    """
    folder = run / f"fold{fold}_seed{seed}"
    folder.mkdir(parents=True)
    choices = config.pop("choices", {})
    whole = {"trainer": {}, "data": {"root": "data/some"}, "fold": fold, "seed": seed, **config}
    (folder / "config.yaml").write_text(yaml.safe_dump(whole))
    (folder / "provenance.json").write_text(json.dumps({"corpus": corpus, "choices": choices}))
    patient = np.repeat(np.arange(patients), 10)
    voted = np.exp(-kl * (0.5 + patient / (patients - 1)))  # KL from kl / 2 to kl * 3 / 2
    label_id = 10_000 * fold + np.arange(10 * patients)
    table = {"label_id": label_id, "eeg_id": label_id, "patient_id": 1000 * fold + patient}
    table["fold"] = np.full(len(patient), fold)
    table |= {name: np.full(len(patient), 5 * (name == "lpd_vote")) for name in VOTE_COLUMNS}
    table |= {name: voted if name == "lpd" else (1 - voted) / 5 for name in CLASSES}
    pl.DataFrame(table).write_parquet(folder / "oof.parquet")
    (folder / "model.ckpt").write_bytes(bytes(2_500_000))
    about = {"kl": kl, "rows": 10 * patients, "seconds": 60, "parameters": 620_000}
    (folder / "scores.json").write_text(json.dumps(about))
    return run


@pytest.fixture
def runs(tmp_path: Path) -> list[Path]:
    for seed, shift in ((0, 0.0), (1, 0.1)):
        finished(tmp_path / "a-1", 0, seed, 0.4 + shift, 10, epochs=8)
        finished(tmp_path / "a-1", 1, seed, 0.7 + shift, 20, epochs=8)
    finished(tmp_path / "b-2", 0, 0, 0.42, 10, epochs=9)
    return [tmp_path / "a-1", tmp_path / "b-2"]


DIFFERENT_ROWS = "Validated on different rows"
READ_THE_DIFFERENCE = "KL depends on them; read 'against the best', which is on shared rows.\n"


def test_kl_is_over_all_rows_and_the_best_run_comes_first(runs: list[Path]):
    best, last = compare(runs)
    assert (best.entry.folder, last.entry.folder) == (runs[1], runs[0])
    assert last.entry.training.kl_by_seed == pytest.approx([0.6, 0.7])
    assert (last.entry.training.numbers, last.entry.training.minutes, last.entry.gap_closed) == ([0, 1], 4.0, None)
    assert (last.entry.kl, last.entry.losses["kl"].mean()) == pytest.approx((0.65, 0.65))
    assert last.interval[0] < 0.65 < last.interval[1]


def test_runs_are_compared_on_the_rows_that_both_have(runs: list[Path]):
    best, last = compare(runs)
    assert (best.difference, best.shared) == (None, 100)
    assert last.shared == 100  # fold 0: 0.45, the mean of its seeds, against 0.42
    assert last.difference == pytest.approx(0.03)
    assert 0 < last.difference_interval[0] < 0.03 < last.difference_interval[1] < 0.05


def test_a_fold_missing_for_one_seed_biases_neither_mean_nor_interval_nor_spread(tmp_path: Path, capsys):
    """Fold 1 is harder and both seeds agree on fold 0, so the mean of the means of each seed would be too low."""
    for fold, seed in ((0, 0), (0, 1), (1, 0)):
        finished(tmp_path / "a", fold, seed, 0.4 if fold else 0.1, 10, epochs=8)
    finished(tmp_path / "b", 0, 0, 0.1, 10, epochs=9)
    finished(tmp_path / "b", 1, 0, 0.35, 10, epochs=9)
    finished(tmp_path / "c", 0, 0, 0.3, 10, epochs=7)
    finished(tmp_path / "c", 1, 1, 0.3, 10, epochs=7)
    best, last, no_common = compare([tmp_path / name for name in "acb"])
    assert [one.entry.folder.name for one in (best, last, no_common)] == ["b", "a", "c"]
    assert last.entry.kl == pytest.approx(0.25)
    assert last.interval[0] < 0.25 < last.interval[1]
    assert last.difference == pytest.approx(0.025)
    assert (last.entry.training.sd, no_common.entry.training.sd) == (0, None)
    print_results([best, last, no_common])
    a, c = tmp_path / "a", tmp_path / "c"
    printed = capsys.readouterr().out
    assert f"Folds missing for some seeds: {a} (fold1_seed1), {c} (fold0_seed1, fold1_seed0). KL is over all" in printed
    assert "These intervals hold at once for all runs that share rows" in printed


def test_runs_of_one_patient_have_no_interval(tmp_path: Path, capsys):
    runs = [finished(tmp_path / str(i), 0, 0, 0.4 + i, 2) for i in range(2)]
    for run in runs:
        path = run / "fold0_seed0/oof.parquet"
        pl.read_parquet(path).filter(patient_id=0).write_parquet(path)
    results = compare(runs)
    assert [(one.interval, one.difference_interval) for one in results] == [(None, None)] * 2
    print_results(results)
    rows = [line.split("│") for line in capsys.readouterr().out.splitlines() if "│" in line]
    assert [cell.strip() for cell in rows[1][4:7]] == ["0.700", "-", "+0.500 (-)"]
    write_csv(results, tmp_path / "table.csv")
    assert pl.read_csv(tmp_path / "table.csv")["kl_low"].to_list() == [None, None]


def test_a_difference_that_other_patients_might_reverse_is_printed_with_its_interval(tmp_path: Path, capsys):
    one = finished(tmp_path / "one", 0, 0, 0.40, 10)
    other = finished(tmp_path / "other", 0, 0, 0.41, 10)
    table = pl.read_parquet(other / "fold0_seed0/oof.parquet")
    better = pl.when(pl.col("patient_id") < 5).then(0.1).otherwise(-0.115)  # half of the patients better, half worse
    changed = table.with_columns(lpd=pl.col("lpd") * better.exp()).with_columns(other=1 - pl.col("lpd"))
    changed.with_columns(pl.lit(0.0).alias(name) for name in ("seizure", "gpd", "lrda", "grda")).write_parquet(
        other / "fold0_seed0/oof.parquet"
    )
    results = compare([one, other])
    assert results[1].difference_interval[0] < 0 < results[1].difference_interval[1]
    print_results(results)
    printed = capsys.readouterr().out
    assert re.search(r"│ +[+-]0\.0\d\d \(-0\.\d{3} to \+0\.\d{3}\) │", printed)
    assert "= best" not in printed


def test_an_evaluation_is_compared_on_the_rows_that_both_have_and_says_what_made_it(tmp_path: Path, capsys):
    folders = [tmp_path / "tuned-1a2b3c4d", *(tmp_path / "sim/evaluation" / f"{name}-1a2b3c4d" for name in ("a", "b"))]
    for folder, kl in zip(folders, (0.4, 0.45, 0.5), strict=True):
        finished(folder, 0, 0, kl, 10)
    for folder, adapt in zip(folders[1:], (0, 0.5), strict=True):
        (folder / "fold0_seed0/oof.parquet").rename(folder / "predictions.parquet")
        shutil.rmtree(folder / "fold0_seed0")
        about = {"members": ["runs/sim/fold0_seed0"], "corpus": "abcdef", "rows_maybe_trained_on": 0, "adapt": adapt}
        (folder / "evaluation.json").write_text(json.dumps(about))
    results = compare(folders)
    assert [result.difference for result in results] == [None, pytest.approx(0.05), pytest.approx(0.1)]
    print_results(results)
    printed = capsys.readouterr().out
    assert [row[1:3] for row in rows_of(printed)] == [["0", "1"], ["-", "-"], ["-", "-"]]
    assert f"{folders[1]}: an evaluation of 1 model (runs/sim/fold0_seed0).\n" in printed
    assert f"{folders[2]}: an evaluation of 1 model (runs/sim/fold0_seed0) adapt=0.5.\n" in printed
    assert not re.search("too good|Settings that differ|the same settings", printed)
    (folders[1] / "evaluation.json").write_text("{}")
    with pytest.raises(DataError, match=r"evaluation\.json: .*members"):
        compare(folders)


def rows_of(printed: str) -> list[list[str]]:
    """The cells of the table that was printed."""
    return [[cell.strip() for cell in line.split("│")[1:-1]] for line in printed.splitlines() if "│" in line]


def test_runs_on_different_corpora_are_not_compared(tmp_path: Path, capsys):
    print_results(compare([finished(tmp_path / str(i), 0, 0, 0.4 + i, 10, corpus=f"{i}abc") for i in range(2)]))
    printed = capsys.readouterr().out
    assert [row[6:8] for row in rows_of(printed)] == [["no shared rows", "0"]] * 2
    assert f"{DIFFERENT_ROWS}: no two runs share any, so their scores are not comparable.\n" in printed
    assert "selected" not in printed


def test_the_best_of_runs_validated_by_different_votes_is_that_on_shared_rows(tmp_path: Path, capsys):
    """One is better on every row that both have, but also scored on rows of few votes, which are harder."""
    wide = finished(tmp_path / "all_votes", 0, 0, 0.35, 10, subset={"validation_votes": 1})
    hard = finished(tmp_path / "hard", 0, 0, 0.75, 10) / "fold0_seed0/oof.parquet"
    narrow = finished(tmp_path / "high_votes", 0, 0, 0.4, 10, subset={"validation_votes": 10})
    path = wide / "fold0_seed0/oof.parquet"
    hard_rows = pl.read_parquet(hard).with_columns(pl.col("label_id") + 5000)
    pl.concat([pl.read_parquet(path), hard_rows]).write_parquet(path)
    best, last = results = compare([narrow, wide])
    assert (best.entry.folder, best.entry.kl, last.entry.kl) == (wide, pytest.approx(0.55), pytest.approx(0.4))
    assert (last.difference, last.shared) == (pytest.approx(0.05), 100)
    print_results(results)
    printed = capsys.readouterr().out
    cells = [[row[3], row[6][:6], row[7]] for row in rows_of(printed)]
    assert cells == [["200", "best", "-"], ["100", "+0.050", "100"]]
    assert f"{DIFFERENT_ROWS}: {READ_THE_DIFFERENCE}" in printed
    assert "hold at once" not in printed


def test_the_best_is_beaten_by_no_run_it_shares_rows_with_and_what_shares_none_is_apart(tmp_path: Path, capsys):
    for name, kls in {"easy": {0: 0.4}, "both": {0: 0.39, 1: 0.8}, "hard": {1: 0.9}}.items():
        for fold, kl in kls.items():
            finished(tmp_path / name, fold, 0, kl, 10)
    for name, kl in (("other", 0.1), ("another", 0.2)):
        finished(tmp_path / name, 0, 0, kl, 10, corpus="123456")
    results = compare([tmp_path / name for name in ("easy", "hard", "another", "both", "other")])
    assert [(one.entry.folder.name, one.group) for one in results] == [
        *(("both", 0), ("easy", 0), ("hard", 0)),
        *(("other", 1), ("another", 1)),
    ]
    differences = [one.difference for one in results]
    assert differences == [None, pytest.approx(0.01), pytest.approx(0.1), None, pytest.approx(0.1)]
    print_results(results)
    printed = capsys.readouterr().out
    assert printed.count("├─") == 1
    assert "Runs on two sides of a line share no rows and are not compared." in printed
    assert "loses by the least" not in printed


def test_where_each_run_loses_to_another_the_best_loses_by_the_least(tmp_path: Path, capsys):
    for name, kls in {"a": {0: 0.5, 1: 0.4}, "b": {1: 0.5, 2: 0.4}, "c": {2: 0.45, 0: 0.4}}.items():
        for fold, kl in kls.items():
            finished(tmp_path / name, fold, 0, kl, 10)
    results = compare([tmp_path / name for name in "abc"])
    assert [one.entry.folder.name for one in results] == ["c", "b", "a"]
    assert results[1].difference == pytest.approx(-0.05)
    print_results(results)
    assert "No run is best against all others on shared rows: the one called best loses" in capsys.readouterr().out


def test_the_best_is_beaten_by_none_even_if_another_wins_by_more_on_average(tmp_path: Path):
    for name, kls in {"a": {0: 0.5, 1: 0.1}, "b": {0: 0.4}, "c": {1: 0.9}}.items():
        for fold, kl in kls.items():
            finished(tmp_path / name, fold, 0, kl, 10)
    assert compare([tmp_path / name for name in "abc"])[0].entry.folder.name == "b"


def test_a_run_alone_is_called_neither_best_nor_selected(tmp_path: Path, capsys):
    for fold, seed in ((0, 0), (0, 1), (1, 0)):
        finished(tmp_path / "a", fold, seed, 0.4, 10)
    print_results(compare([tmp_path / "a"]))
    printed = capsys.readouterr().out
    assert not re.search("against|selected|rows|differ", printed)


def test_the_command_takes_folders_as_a_shell_gives_them(runs: list[Path], monkeypatch, capsys):
    (runs[0].parent / "multirun.yaml").touch()  # a shell's * matches it, too
    (runs[0].parent / "ensemble").mkdir()
    monkeypatch.chdir(runs[0].parent)
    monkeypatch.setattr(sys, "argv", ["hms.compare", *sorted(os.listdir())])
    main()
    printed = capsys.readouterr()
    rows = rows_of(printed.out)
    best, last = (result.interval for result in compare(runs))
    ends = [f"{low:.3f}-{high:.3f}" for low, high in (best, last)]
    apart = "+0.030 ({:+.3f} to {:+.3f})".format(*compare(runs)[1].difference_interval)
    assert [row[1:] for row in rows] == [
        ["0", "1", "100", "0.420", ends[0], "best", "-", "-", "0.420-0.420", "1.0", "0.6 M", "2.5"],
        ["0 1", "2", "300", "0.650", ends[1], apart, "100", "0.071", "0.400-0.800", "4.0", "0.6 M", "2.5"],
    ]
    assert f"{DIFFERENT_ROWS}: {READ_THE_DIFFERENCE}" in printed.out
    assert "skipped, as they have no finished fold with held-out patients: ensemble\n" in printed.err


@pytest.fixture
def named(tmp_path: Path) -> list[str]:
    """Three runs with names of the usual length, by the words that a shell in their folder would give."""
    for i, (name, words) in enumerate({"member_1-66af54bc": [], "member_2-7861a7b5": ["epochs=1"]}.items()):
        finished(tmp_path / "runs" / name, 0, 0, 0.4 + i / 10, 10, **trained(*words))
    student = trained("pretrain=low_votes", "extractor=[stft_short]", "epochs=1")
    finished(tmp_path / "runs/student-4626292f", 0, 0, 0.6, 10, **student)
    return ["runs/member_1-66af54bc", "runs/member_2-7861a7b5", "runs/student-4626292f"]


LISTED = """\
Settings that differ, of the first run and, where not the same, of the others:
  runs/member_1-66af54bc: extractor=[stft] pretrain=none epochs=14
  runs/member_2-7861a7b5: epochs=1
  runs/student-4626292f: extractor=[stft_short] pretrain=low_votes epochs=1
"""


@pytest.mark.parametrize(
    ("width", "left_out"),
    [
        (60, "folds, seeds, against the best, +-, by fold, minutes, params, MB"),
        (80, "folds, seeds, +-, by fold, minutes, params, MB"),
        (120, "minutes, params, MB"),
        (None, None),
    ],
)
def test_no_width_cuts_runs_and_scores(width: int | None, left_out: str | None, named, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", str(width)) if width else monkeypatch.delenv("COLUMNS", raising=False)
    monkeypatch.setattr(sys, "argv", ["hms.compare", *named])
    main()
    printed = capsys.readouterr().out
    table, _, rest = printed.partition("┘")
    assert max(map(len, table.splitlines())) <= (width or 180)
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in table.splitlines() if "│" in line]
    results = compare([tmp_path / name for name in named])
    place = 1 if left_out and "folds" in left_out else 3
    scores = [[f"{one.entry.kl:.3f}", "{:.3f}-{:.3f}".format(*one.interval)] for one in results]
    assert [[row[0], *row[place : place + 2]] for row in rows] == [[n, *s] for n, s in zip(named, scores, strict=True)]
    assert ("minutes" in table) == (left_out is None)
    assert (f"This terminal is too narrow for: {left_out}.\n" in rest) == (left_out is not None)
    assert (
        LISTED in printed
        if width != 60
        else "  runs/student-4626292f: extractor=[stft_short]\n      pretrain" in printed
    )


def test_the_width_is_that_of_the_terminal(named: list[str], tmp_path: Path):
    outer, inner = pty.openpty()
    fcntl.ioctl(inner, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 80, 0, 0))
    environment = {name: value for name, value in os.environ.items() if name != "COLUMNS"} | {"PYTHONPATH": str(ROOT)}
    command = python("-m", "hms.compare", *named)
    with subprocess.Popen(command, cwd=tmp_path, env=environment, stdin=inner, stdout=inner, stderr=inner) as running:
        os.close(inner)
        printed = b""
        with contextlib.suppress(OSError):  # raised at the end
            while part := os.read(outer, 65536):
                printed += part
    os.close(outer)
    text = re.sub(r"\x1b\[[0-9;]*m", "", printed.decode()).replace("\r\n", "\n")
    assert running.returncode == 0, text
    assert "too narrow for: folds, seeds, +-, by fold, minutes, params, MB." in text
    assert max(map(len, text.partition("┘")[0].splitlines())) <= 80
    assert LISTED in text


def test_the_csv_holds_every_figure_and_every_difference(runs: list[Path], tmp_path: Path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["hms.compare", *map(str, runs), f"csv={tmp_path / 'new/table.csv'}", "draws=100"])
    main()
    capsys.readouterr()
    best, last = pl.read_csv(tmp_path / "new/table.csv").to_dicts()
    assert (best["run"], best["epochs"], best["rows"], best["difference"]) == (str(runs[1]), 9, 100, None)
    assert (last["folds"], last["seeds"], last["rows"], last["shared_rows"]) == ("0 1", 2, 300, 100)
    assert last["difference_low"] < last["difference"] < last["difference_high"]
    assert last["kl_low"] < last["kl"] < last["kl_high"]
    assert (last["minutes"], last["parameters"], last["megabytes"]) == (4.0, 620_000, 2.5)


def test_a_run_whose_models_were_deleted_is_shown_without_their_size(tmp_path: Path, capsys):
    run = finished(tmp_path / "slim", 0, 0, 0.4, 10)
    (run / "fold0_seed0/model.ckpt").unlink()
    print_results(compare([run]))
    (row,) = [line for line in capsys.readouterr().out.splitlines() if "│" in line]
    assert [cell.strip() for cell in row.split("│")[-3:-1]] == ["0.6 M", "-"]


def test_a_renamed_fold_is_refused_and_a_copy_in_the_run_is_not_counted(tmp_path: Path):
    run = finished(tmp_path / "a", 0, 0, 0.4, 10)
    finished(tmp_path / "a", 1, 0, 0.5, 10)
    copy = (run / "fold1_seed0").rename(run / "fold1_seed0_backup")
    assert compare([run])[0].entry.training.numbers == [0]
    with pytest.raises(DataError, match=f"^{copy}: want a fold's folder under its own name, such as fold0_seed0$"):
        compare([copy])


def test_a_run_of_all_patients_alone_is_refused(tmp_path: Path):
    (fold := tmp_path / "all-1a2b3c4d/foldall_seed0").mkdir(parents=True)
    (fold / "scores.json").write_text("{}")
    with pytest.raises(DataError, match=r"-1a2b3c4d: no fold has held-out patients, so there is nothing to compare$"):
        compare([fold.parent])


def test_different_weights_are_a_difference_and_a_students_kl_is_flagged_as_too_good(tmp_path: Path, capsys):
    node = {"_target_": "hms.backbone.TimmBackbone", "pretrained": True, "weights": "gone"}
    taught = {"teacher_labels": {"_target_": "hms.augmentation.teacher_labels.TeacherLabels", "runs": ["runs/a-1"]}}
    runs = [finished(tmp_path / name, 0, 0, 0.4, 10, backbone=node, augmentation={}) for name in ("one", "other")]
    runs.append(finished(tmp_path / "student", 0, 0, 0.4, 10, backbone=node, augmentation=taught))
    for run, digest in zip(runs, ("aa", "bb", "bb"), strict=True):
        files = {"weights": digest} | ({"teacher": "cafe1"} if run.name == "student" else {})
        (run / "fold0_seed0/provenance.json").write_text(json.dumps({"corpus": "abc", "files": files}))
    print_results(compare(runs))
    printed = capsys.readouterr().out
    assert f"  {runs[0]}: augmentation=[] (weights aa, teacher null)\n  {runs[1]}: (weights bb)\n" in printed
    assert f"  {runs[2]}: augmentation=[teacher_labels] (weights bb, teacher a-1-cafe)\n" in printed
    assert f"{runs[2]}: learned from a teacher that saw the held-out patients, so its KL looks too good." in printed


def test_a_corpus_is_named_as_what_a_run_learned_from_rather_than_as_a_setting(tmp_path: Path, capsys):
    for name, corpus, epochs in (("a", "abcdef", 8), ("b", "012345", 9)):
        finished(tmp_path / name, 0, 0, 0.4, 10, corpus=corpus, epochs=epochs)
    results = compare([tmp_path / "a", tmp_path / "b"])
    print_results(results)
    printed = capsys.readouterr().out
    assert (
        f"  {tmp_path / 'a'}: epochs=8 (corpus some-abcd)\n  {tmp_path / 'b'}: epochs=9 (corpus some-0123)\n" in printed
    )
    write_csv(results, tmp_path / "table.csv")
    assert pl.read_csv(tmp_path / "table.csv")["corpus"].to_list() == ["some-abcd", "some-0123"]


def test_runs_of_the_same_settings_under_different_names_are_named(tmp_path: Path, capsys):
    names = ["a-66af54bc", "b-66af54bc", "c-7861a7b5"]
    runs = [finished(tmp_path / name, fold, 0, 0.4, 10) for name in names for fold in (0, 1)][::2]
    print_results(compare(runs))
    assert f"{runs[0]}, {runs[1]}: the same settings under different names.\n" in capsys.readouterr().out
    print_results(compare([runs[0], runs[2]]))
    assert "the same settings" not in capsys.readouterr().out
    print_results(compare([run / "fold0_seed0" for run in runs] + [runs[0] / "fold1_seed0"]))
    printed = capsys.readouterr().out
    assert (
        f"{runs[0] / 'fold0_seed0'}, {runs[1] / 'fold0_seed0'}: the same settings under different names.\n" in printed
    )
    assert printed.count("the same settings") == 1


def test_a_pattern_that_matches_nothing_is_refused(tmp_path: Path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["hms.compare", f"{tmp_path}/x*"])
    with pytest.raises(SystemExit):
        main()
    assert f"runs: no finished run matches {tmp_path}/x*" in capsys.readouterr().err


def test_too_few_draws_are_refused(runs: list[Path], monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["hms.compare", *map(str, runs), "draws=0"])
    with pytest.raises(SystemExit):
        main()
    assert "draws: want 100 or more (below 2^32), got 0" in capsys.readouterr().err


def test_ranges_are_checked_for_callers_in_python_too(runs: list[Path]):
    for numbers, said in (
        ({"draws": 0}, "draws: want 100 or more (below 2^32), got 0"),
        ({"seed": -1}, "seed: want 0 or more (below 2^32), got -1"),
    ):
        with pytest.raises(UserError) as refused:
            compare(runs, **numbers)
        assert str(refused.value) == said


def test_consecutive_folds_are_shown_as_a_range(tmp_path: Path, capsys):
    run = compare([finished(tmp_path / "a", 0, 0, 0.4, 10)])[0].entry._replace(gap_closed=0.5)
    many = [run._replace(training=run.training._replace(numbers=numbers)) for numbers in ([0, 1, 2, 3, 4], [0, 2, 3])]
    print_results([Result(one, [0.3, 0.5], 100, None, None, 0) for one in many])
    printed = capsys.readouterr().out
    assert " 0-4 " in printed
    assert " 0 2 3 " in printed
    assert " 50 % " in printed
