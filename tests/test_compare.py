"""Differences between runs are found in their configs, and scores in their files."""

import json
import os
import re
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import yaml

from hms.compare import main
from hms.differences import differences
from hms.labels import CLASSES, VOTE_COLUMNS
from hms.results import Result, compare, show, write_csv

STFT = {"_target_": "hms.extractor.stft.Stft", "n_fft": 64, "dropout": 0.5}


def test_a_difference_appears_once_under_its_shortest_key():
    one = {"epochs": 8, "trainer": {"_target_": "T", "max_epochs": 8}, "model": {"lr": 1}, "seed": {"a": 1}}
    two = {"epochs": 9, "trainer": {"_target_": "T", "max_epochs": 9}, "model": {"lr": 1}, "seed": {"a": 1}}
    assert differences([one, two]) == {"epochs": ["8", "9"]}
    assert differences([one, one]) == {}


def test_options_chosen_by_name_are_shown_by_name():
    both = {"extractor": {"stft": STFT, "other": STFT}, "model": {"extractors": {"stft": STFT, "other": STFT}}}
    one = {"extractor": {"stft": STFT | {"n_fft": 128}}, "model": {"extractors": {"stft": STFT | {"n_fft": 128}}}}
    expected = {"extractor": ["stft+other", "stft"], "extractor.stft.n_fft": ["64", "128"]}
    assert differences([both, one]) == expected
    assert differences([{"augmentation": {}}, {"augmentation": {"flip": {}}}]) == {"augmentation": ["none", "flip"]}


def test_different_classes_and_arguments_are_shown_by_the_word_that_differs():
    other = {"_target_": "hms.backbone.TinyBackbone", "channels": [8, 16]}
    assert differences([{"b": STFT}, {"b": other}]) == {"b": ["Stft", "TinyBackbone"]}
    assert differences([{"b": STFT}, {"b": STFT | {"betas": [1]}}]) == {"b.betas": ["-", "[1]"]}
    assert differences([{"b": None}, {"b": 1}, {"b": 1}]) == {"b": ["null", "1", "1"]}


def finished(run: Path, fold: int, seed: int, kl: float, patients: int, corpus: str = "abcdef", **config) -> Path:
    """Write a fold's folder with the files that a comparison reads; return its run.

    Each patient has ten rows, with a KL around `kl`. A fold has the same patients in every run and seed.
    """
    folder = run / f"fold{fold}_seed{seed}"
    folder.mkdir(parents=True)
    whole = {"trainer": {}, "data": {"root": "data/some"}, "fold": fold, "seed": seed, **config}
    (folder / "config.yaml").write_text(yaml.safe_dump(whole))
    (folder / "provenance.json").write_text(json.dumps({"corpus": corpus}))
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


def test_kl_is_over_all_rows_and_the_best_run_comes_first(runs: list[Path]):
    best, last = compare(runs)
    assert (best.run.folder, last.run.folder) == (runs[1], runs[0])
    assert last.run.kl_by_seed == pytest.approx([0.6, 0.7])
    assert (last.run.folds, last.run.minutes, last.run.gap_closed) == ([0, 1], 4.0, None)
    assert (last.run.kl, last.run.losses["kl"].mean()) == pytest.approx((0.65, 0.65))
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
    assert [one.run.folder.name for one in (best, last, no_common)] == ["b", "a", "c"]
    assert last.run.kl == pytest.approx(0.25)
    assert last.interval[0] < 0.25 < last.interval[1]
    assert last.difference == pytest.approx(0.025)
    assert (last.run.sd, no_common.run.sd) == (0, None)
    show([best, last, no_common])
    a, c = tmp_path / "a", tmp_path / "c"
    printed = capsys.readouterr().out
    assert f"Folds missing for some seeds: {a} (fold1_seed1), {c} (fold0_seed1, fold1_seed0). KL is over all" in printed
    assert "The best run was selected on these same rows" in printed


def test_runs_of_one_patient_have_no_interval(tmp_path: Path, capsys):
    runs = [finished(tmp_path / str(i), 0, 0, 0.4 + i, 2) for i in range(2)]
    for run in runs:
        path = run / "fold0_seed0/oof.parquet"
        pl.read_parquet(path).filter(patient_id=0).write_parquet(path)
    results = compare(runs)
    assert [(one.interval, one.difference_interval) for one in results] == [(None, None)] * 2
    show(results)
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
    show(results)
    printed = capsys.readouterr().out
    assert re.search(r"│ +[+-]0\.0\d\d \(-0\.\d{3} to \+0\.\d{3}\) │", printed)
    assert "= best" not in printed


def test_runs_on_different_corpora_are_not_compared(tmp_path: Path, capsys):
    show(compare([finished(tmp_path / str(i), 0, 0, 0.4 + i, 10, corpus=f"{i}abc") for i in range(2)]))
    assert "no shared rows" in capsys.readouterr().out


def test_the_command_takes_folders_as_a_shell_gives_them(runs: list[Path], monkeypatch, capsys):
    (runs[0].parent / "multirun.yaml").touch()  # a shell's * matches it, too
    (runs[0].parent / "ensemble").mkdir()
    monkeypatch.chdir(runs[0].parent)
    monkeypatch.setattr(sys, "argv", ["hms.compare", *sorted(os.listdir())])
    main()
    printed = capsys.readouterr()
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in printed.out.splitlines() if "│" in line]
    best, last = (result.interval for result in compare(runs))
    ends = [f"{low:.3f}-{high:.3f}" for low, high in (best, last)]
    apart = "+0.030 ({:+.3f} to {:+.3f})".format(*compare(runs)[1].difference_interval)
    assert [row[1:] for row in rows] == [
        ["9", "0", "1", "0.420", ends[0], "best", "-", "0.420-0.420", "1.0", "0.6 M", "2.5"],
        ["8", "0 1", "2", "0.650", ends[1], apart, "0.071", "0.400-0.800", "4.0", "0.6 M", "2.5"],
    ]
    assert "Not all runs have the same folds: scores on different patients are not comparable." in printed.out
    assert "skipped, as they have no finished fold with held-out patients: ensemble\n" in printed.err


def test_the_csv_holds_every_figure_and_every_difference(runs: list[Path], tmp_path: Path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["hms.compare", *map(str, runs), f"csv={tmp_path / 'new/table.csv'}", "draws=50"])
    main()
    capsys.readouterr()
    best, last = pl.read_csv(tmp_path / "new/table.csv").to_dicts()
    assert (best["run"], best["epochs"], best["rows"], best["difference"]) == (str(runs[1]), 9, 100, None)
    assert (last["folds"], last["seeds"], last["rows"], last["shared_rows"]) == ("0 1", 2, 300, 100)
    assert last["difference_low"] < last["difference"] < last["difference_high"]
    assert last["kl_low"] < last["kl"] < last["kl_high"]
    assert (last["minutes"], last["parameters"], last["megabytes"]) == (4.0, 620_000, 2.5)


def test_a_run_from_before_parameters_were_recorded_is_shown_without_them(tmp_path: Path, capsys):
    run = finished(tmp_path / "old", 0, 0, 0.4, 10)
    (run / "fold0_seed0/scores.json").write_text(json.dumps({"kl": 0.4, "rows": 100, "seconds": 60}))
    (run / "fold0_seed0/model.ckpt").unlink()
    show(compare([run]))
    (row,) = [line for line in capsys.readouterr().out.splitlines() if "│" in line]
    assert [cell.strip() for cell in row.split("│")[-3:-1]] == ["-", "-"]


def test_different_weights_are_a_difference_and_a_students_kl_is_flagged_as_too_good(tmp_path: Path, capsys):
    node = {"_target_": "hms.backbone.TimmBackbone", "pretrained": True, "weights": "gone"}
    taught = {"teacher_labels": {"_target_": "hms.augmentation.teacher_labels.TeacherLabels", "runs": ["runs/a-1"]}}
    runs = [finished(tmp_path / name, 0, 0, 0.4, 10, backbone=node, augmentation={}) for name in ("one", "other")]
    runs.append(finished(tmp_path / "student", 0, 0, 0.4, 10, backbone=node, augmentation=taught))
    for run, digest in zip(runs, ("aa", "bb", "bb"), strict=True):
        about = {"corpus": "abc", "files": {"weights": digest}}
        (run / "fold0_seed0/provenance.json").write_text(json.dumps(about))
    results = compare(runs)
    assert differences([one.run.settings for one in results]) == {
        "weights": ["aa", "bb", "bb"],
        "augmentation": ["none", "none", "teacher_labels"],
    }
    show(results)
    warning = f"{runs[2]}: learned from a teacher that saw the held-out patients, so its KL looks too good."
    assert warning in capsys.readouterr().out


def test_a_pattern_that_matches_nothing_is_refused(tmp_path: Path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["hms.compare", f"{tmp_path}/x*"])
    with pytest.raises(SystemExit):
        main()
    assert f"runs: no finished run matches {tmp_path}/x*" in capsys.readouterr().err


def test_no_draws_are_refused(runs: list[Path], monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["hms.compare", *map(str, runs), "draws=0"])
    with pytest.raises(SystemExit):
        main()
    assert "draws: want at least 1, got 0" in capsys.readouterr().err


def test_consecutive_folds_are_shown_as_a_range(tmp_path: Path, capsys):
    run = compare([finished(tmp_path / "a", 0, 0, 0.4, 10)])[0].run
    many = [run._replace(folds=folds, gap_closed=0.5) for folds in ([0, 1, 2, 3, 4], [0, 2, 3])]
    show([Result(one, [0.3, 0.5], 100, None, None) for one in many])
    printed = capsys.readouterr().out
    assert " 0-4 " in printed
    assert " 0 2 3 " in printed
    assert " 50% " in printed
