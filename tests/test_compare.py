"""What differs between runs is found in their configs, what they scored in their files."""

import json
import sys
from pathlib import Path

import pytest
import yaml

from hms.compare import Result, compare, differences, main, show

STFT = {"_target_": "hms.extractor.stft.Stft", "n_fft": 64, "dropout": 0.5}


def test_what_differs_is_named_once_by_its_shortest_key():
    one = {"epochs": 8, "trainer": {"_target_": "T", "max_epochs": 8}, "model": {"lr": 1}, "seed": {"a": 1}}
    two = {"epochs": 9, "trainer": {"_target_": "T", "max_epochs": 9}, "model": {"lr": 1}, "seed": {"a": 1}}
    assert differences([one, two]) == {"epochs": ["8", "9"]}
    assert differences([one, one]) == {}


def test_things_chosen_by_name_are_told_by_their_names():
    both = {"extractor": {"stft": STFT, "other": STFT}, "model": {"extractors": {"stft": STFT, "other": STFT}}}
    one = {"extractor": {"stft": STFT | {"n_fft": 128}}, "model": {"extractors": {"stft": STFT | {"n_fft": 128}}}}
    found = {"extractor": ["stft+other", "stft"], "extractor.stft.n_fft": ["64", "128"]}
    assert differences([both, one]) == found
    assert differences([{"augmentation": {}}, {"augmentation": {"flip": {}}}]) == {"augmentation": ["none", "flip"]}


def test_another_class_and_another_argument_are_told_by_the_word_that_differs():
    other = {"_target_": "hms.backbone.TinyBackbone", "channels": [8, 16]}
    assert differences([{"b": STFT}, {"b": other}]) == {"b": ["Stft", "TinyBackbone"]}
    assert differences([{"b": STFT}, {"b": STFT | {"betas": [1]}}]) == {"b.betas": ["-", "[1]"]}
    assert differences([{"b": None}, {"b": 1}, {"b": 1}]) == {"b": ["null", "1", "1"]}


def finished(run: Path, fold: int, seed: int, kl: float, rows: int, **config) -> Path:
    """A fold's folder with the files that a comparison reads."""
    folder = run / f"fold{fold}_seed{seed}"
    folder.mkdir(parents=True)
    whole = {"trainer": {}, "data": {"root": "data/some"}, "fold": fold, "seed": seed, **config}
    (folder / "config.yaml").write_text(yaml.safe_dump(whole))
    (folder / "provenance.json").write_text(json.dumps({"corpus": "abcdef"}))
    (folder / "oof.parquet").touch()  # read only where the truth is known
    (folder / "scores.json").write_text(json.dumps({"kl": kl, "rows": rows, "seconds": 60}))
    return run


@pytest.fixture
def runs(tmp_path: Path) -> list[Path]:
    for seed, shift in ((0, 0.0), (1, 0.1)):
        finished(tmp_path / "a-1", 0, seed, 0.4 + shift, 100, epochs=8)
        finished(tmp_path / "a-1", 1, seed, 0.7 + shift, 200, epochs=8)
    finished(tmp_path / "b-2", 0, 0, 0.5, 100, epochs=9)
    return [tmp_path / "a-1", tmp_path / "b-2"]


def test_kl_is_that_of_all_rows_and_the_best_run_comes_first(runs: list[Path]):
    best, last = compare(runs)
    assert (best.run, last.run) == (runs[1], runs[0])
    assert last.kl == pytest.approx({0: 0.6, 1: 0.7})
    assert (last.folds, last.minutes, last.gap_closed) == ([0, 1], 4.0, None)


def test_the_command_takes_folders_as_a_shell_gives_them(runs: list[Path], monkeypatch, capsys):
    (runs[0].parent / "multirun.yaml").touch()  # a shell's * finds it, too
    monkeypatch.setattr(sys, "argv", ["hms.compare", *map(str, runs), str(runs[0].parent / "multirun.yaml")])
    main()
    printed = capsys.readouterr().out
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in printed.splitlines() if "│" in line]
    assert [row[1:] for row in rows] == [
        ["9", "0", "1", "0.500", "-", "0.500-0.500", "1.0"],
        ["8", "0 1", "2", "0.650", "0.071", "0.400-0.800", "4.0"],
    ]
    assert "Not all runs have the same folds: figures of different patients do not compare." in printed


def test_a_pattern_that_finds_nothing_is_named(tmp_path: Path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["hms.compare", f"{tmp_path}/x*"])
    with pytest.raises(SystemExit):
        main()
    assert f"runs: no finished run matches {tmp_path}/x*" in capsys.readouterr().err


def test_many_folds_are_told_as_a_range(capsys):
    show([Result(Path("a"), {}, folds, {0: 1.0}, [1.0], 0.5, 1.0) for folds in ([0, 1, 2, 3, 4], [0, 2, 3])])
    printed = capsys.readouterr().out
    assert " 0-4 " in printed
    assert " 0 2 3 " in printed
    assert " 50% " in printed
