"""Training in this process: what a run learns, and how it survives interruptions."""

import gc
import json
import math
import os
import shutil
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch
from trainings import chosen, composed, interrupted_and_straight, only_fold, same_weights

from hms.config.build import build
from hms.data.folds import patient_folds
from hms.data.store import Store
from hms.data.windows import OneRowPerEeg
from hms.errors import ConfigError
from hms.labels import CLASSES, VOTE_COLUMNS
from hms.model import Model
from hms.prediction.inference import Compute, probabilities
from hms.runs.checkpoint import load_model
from hms.training.feed import Feed
from hms.training.fit import fit
from hms.training.parts import model_and_trainer
from hms.training.stages import start_of_stages

pytestmark = pytest.mark.filterwarnings("ignore:.*LeafSpec.*", "ignore:.*weights_only.*", "ignore:.*srun.*")


def test_an_interrupted_run_resumes_to_the_same_weights_and_metrics(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
):
    config = composed(corpus, tmp_path, "optimizer=muon")  # AdamW is resumed in other tests
    config["runs"] = str(tmp_path / "straight")
    fit(config)
    straight = only_fold(tmp_path / "straight")

    config["runs"] = str(tmp_path / "interrupted")
    begin = OneRowPerEeg.set_epoch

    def power_cut(self: OneRowPerEeg, epoch: int) -> None:
        if epoch == 2:
            raise RuntimeError("power cut")
        begin(self, epoch)

    monkeypatch.setattr(OneRowPerEeg, "set_epoch", power_cut)
    with pytest.raises(RuntimeError, match="power cut"):
        fit(config)
    assert not list((tmp_path / "interrupted").glob("*/*/scores.json"))
    monkeypatch.setattr(OneRowPerEeg, "set_epoch", begin)
    fit(config)
    resumed = only_fold(tmp_path / "interrupted")
    said = " ".join(capsys.readouterr().err.split())
    for line in (f"{straight} starts", f"{resumed} starts", f"{resumed} resumes after its last complete epoch"):
        assert line in said

    assert resumed.parts[-2:] == straight.parts[-2:]
    saved = [(run / "model.ckpt").read_bytes() for run in (straight, resumed)]  # what goes on from them has one name
    assert saved[0] == saved[1]
    for name, weight in load_model(straight).state_dict().items():
        assert torch.equal(weight, load_model(resumed).state_dict()[name]), name
    metrics = [pl.read_csv(run / "metrics.csv").drop("seconds") for run in (straight, resumed)]
    assert metrics[0].equals(metrics[1])
    oof = [pl.read_parquet(run / "oof.parquet") for run in (straight, resumed)]
    assert oof[0].equals(oof[1])
    assert not (resumed / "last.ckpt").exists()


def test_a_model_of_all_inputs_is_trained_and_rebuilt_from_its_checkpoint(corpus: Path, tmp_path: Path, store: Store):
    small = [f"extractor.wavenet.{value}" for value in ("blocks=2", "channels=4", "layers=3", "span_s=10")]
    fit(composed(corpus, tmp_path, "epochs=1", "extractor=[wavenet,stft,spectrogram]", "flips=true", *small))
    run = only_fold(tmp_path / "runs")
    model = load_model(run)
    assert list(model.heads) == ["wavenet", "stft", "spectrogram"]
    oof = pl.read_parquet(run / "oof.parquet")
    rows = oof.select("label_id").join(store.rows, on="label_id", maintain_order="left")
    found = probabilities([model], store, rows, 16, Compute("cpu", flips=True))
    np.testing.assert_allclose(found, oof.select(CLASSES).to_numpy(), atol=1e-5)


def test_a_half_written_checkpoint_is_not_resumed_from(config: dict, tmp_path: Path, capsys):
    config = chosen(config, "epochs=1")
    fit(config)
    run = only_fold(tmp_path / "runs")
    for name in ("scores.json", "oof.parquet"):
        (run / name).unlink()
    (run / "last.ckpt").write_bytes((run / "model.ckpt").read_bytes()[:5000])
    before = load_model(run).state_dict()
    capsys.readouterr()
    fit(config)
    said = capsys.readouterr().err
    assert f"{run} starts from the beginning: {run / 'last.ckpt'} is incomplete\n" in said
    assert "resumes" not in said
    assert all(torch.equal(weight, before[name]) for name, weight in load_model(run).state_dict().items())


def test_where_a_training_of_two_stages_starts_is_told_by_its_checkpoints(tmp_path: Path):
    two, complete = {"pretrain": {"epochs": 1}}, "resumes after its last complete epoch"
    assert start_of_stages(two, tmp_path) == (False, "starts")
    first, result, second = (tmp_path / name for name in ("pretrain/last.ckpt", "pretrain/result.ckpt", "last.ckpt"))
    first.parent.mkdir()
    first.write_bytes(b"half")
    assert start_of_stages(two, tmp_path) == (False, f"starts from the beginning: {first} is incomplete")
    torch.save({}, result)
    assert start_of_stages(two, tmp_path) == (True, complete)
    second.write_bytes(b"half")
    assert start_of_stages(two, tmp_path) == (True, f"resumes after its first stage: {second} is incomplete")
    torch.save({}, second)
    assert start_of_stages(two, tmp_path) == (True, complete)


def test_a_config_edited_by_hand_is_checked_as_a_command_line_is(config: dict):
    for change, wish in (
        ({"epochs": 5}, r"trainer\.max_epochs: want epochs = 5, which schedule and averaging follow, got 3"),
        ({"fold": 7}, r"fold: want 0 to 4 \(folds=5\) or all, got 7"),
        ({"seed": -1}, r"seed: want 0 or more \(below 2\^32\), got -1"),
    ):
        with pytest.raises(ConfigError, match=rf"^1 problem\(s\) in the config:\n  {wish}"):
            fit(config | change)


def test_names_and_types_in_a_config_edited_by_hand_are_checked_all_at_once(config: dict):
    config["optimzer"] = config["optimizer"]
    config["epochs"] = "3"
    config["seed"] = -1
    config["extractor"]["stft_short"]["nfft"] = 3
    config["data"] = {**config["data"], "size": "tyni"}
    del config["flips"]
    with pytest.raises(ConfigError) as raised:
        fit(config)
    assert str(raised.value).splitlines() == [
        "6 problem(s) in the config:",
        "  train needs 'flips'",
        "  epochs: want int, got '3'",
        "  optimzer: train takes no 'optimzer'; did you mean 'optimizer'?",
        "  data.size: SimulatedFolder wants 'tiny', 'small', 'medium' or 'large', got 'tyni'",
        "  extractor.stft_short.nfft: Stft takes no 'nfft'; did you mean 'n_fft'?",
        "  seed: want 0 or more (below 2^32), got -1",
    ]


def test_each_seed_starts_from_weights_of_its_own(config: dict):
    first, other, again = (
        torch.cat([weight.flatten() for weight in model_and_trainer(config | {"seed": seed})[0].parameters()])
        for seed in (0, 1, 0)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def models_in_memory() -> int:
    gc.collect()
    return sum(type(thing) is Model for thing in gc.get_objects())


def test_a_finished_job_leaves_no_model_in_memory(config: dict):
    before = models_in_memory()
    config["epochs"] = config["trainer"]["max_epochs"] = 1
    fit(config)
    assert models_in_memory() == before


def test_two_stages_survive_an_interruption_of_either(config: dict, tmp_path: Path, monkeypatch, capsys):
    two = chosen(config, "pretrain=low_votes", "pretrain.epochs=2", "subset=high_votes", "folds=3")
    straight, resumed = interrupted_and_straight(two, tmp_path, monkeypatch, at=[2, 5])
    said = capsys.readouterr().err
    assert "\npretrain epoch 2/2  val_kl" in said
    assert "\nepoch 2/" in said
    assert same_weights(straight, resumed)
    for run in (straight, resumed):
        assert sorted(path.name for path in (run / "pretrain").iterdir()) == ["metrics.csv"]
    curves = [pl.read_csv(run / "pretrain/metrics.csv") for run in (straight, resumed)]
    assert curves[0]["learning_rate"].to_list() == [1e-5, 1e-5]
    assert curves[0].drop("seconds").equals(curves[1].drop("seconds"))
    took = [json.loads((run / "scores.json").read_text())["seconds"] for run in (straight, resumed)]
    assert took[0] < 1000
    assert 3000 < took[1] < 4000  # two epochs of the first stage, one of the second


def test_an_epoch_without_validation_has_none(config: dict, tmp_path: Path, monkeypatch, capsys):
    seldom = chosen(config, "++trainer.check_val_every_n_epoch=2", "epochs=3")
    straight, resumed = interrupted_and_straight(seldom, tmp_path, monkeypatch, at=[3])
    said = capsys.readouterr().err
    assert [f"epoch {epoch}/3  train_loss" in said for epoch in (1, 2, 3)] == [True] * 3
    assert said.count("val_kl") == said.count("epoch 2/3") == 2
    for run in (straight, resumed):
        assert pl.read_csv(run / "metrics.csv")["val_kl"].is_null().to_list() == [True, False, True]


def test_pretraining_changes_what_comes_out_and_leaves_held_out_patients_out(
    config: dict, tmp_path: Path, store: Store, monkeypatch: pytest.MonkeyPatch
):
    serve, fed, seen = Feed.training, [], {}
    monkeypatch.setattr(Feed, "training", lambda feed, rows: fed.append(rows) or serve(feed, rows))
    for name in ("none", "low_votes"):
        one = chosen(
            config | {"runs": str(tmp_path / name)}, f"pretrain={name}", "subset=high_votes", "folds=3", "epochs=1"
        )
        fit(one)
        teacher = pl.read_parquet(only_fold(tmp_path / name) / "teacher.parquet")
        seen[name] = set(teacher["label_id"])
    votes = [rows.select(pl.sum_horizontal(VOTE_COLUMNS)).to_series() for rows in fed]
    alone, norms, first, second, norms_again = votes
    assert max(first) < 10 <= min(min(stage) for stage in (alone, second)), "the first of two stages is of low votes"
    assert norms.equals(alone), "batch norms are measured by rows that were trained on"
    assert norms_again.equals(second)
    assert seen["none"] < seen["low_votes"]
    assert not same_weights(only_fold(tmp_path / "none"), only_fold(tmp_path / "low_votes"))
    patients = patient_folds(store.rows, 3).filter(fold=0)["patient_id"]
    held_out = store.rows.filter(pl.col("patient_id").is_in(patients.implode()))
    assert seen["low_votes"] <= set(held_out["label_id"])


def test_paths_tuples_and_numpys_numbers_in_a_config_count_as_plain_ones(config: dict, tmp_path: Path):
    config = chosen(config, "epochs=1")
    kl = fit(config)
    edited = config | {
        "runs": Path(config["runs"]),
        "seed": np.int64(config["seed"]),
        "flips": np.bool_(config["flips"]),
    }
    edited["optimizer"] = config["optimizer"] | {"lr": np.float64(config["optimizer"]["lr"])}
    edited["optimizer"] |= {"betas": (*config["optimizer"]["betas"],)} if "betas" in config["optimizer"] else {}
    assert fit(edited) == kl
    assert only_fold(tmp_path / "runs")


def test_a_run_says_if_files_of_its_corpus_changed_at_the_same_size(corpus: Path, tmp_path: Path, capsys):
    root = Path(shutil.copytree(corpus, tmp_path / "ward"))
    config = composed(corpus, tmp_path, "epochs=1", "fold=0")
    config["data"] = {"_target_": "hms.data.corpus.CompetitionFolder", "root": str(root), "resident": "auto"}
    fit(config)
    fold = only_fold(tmp_path / "runs")
    said = f"{root} has files newer than {fold}: if their content changed, train under another name\n"
    assert "newer" not in capsys.readouterr().err
    later_s = (fold / "scores.json").stat().st_mtime + 1
    os.utime(next(root.glob("train_eegs/*")), (later_s, later_s))
    for number in (0, 1):  # the finished fold, and another one of the run
        fit(config | {"fold": number})
        assert said in capsys.readouterr().err


def test_training_on_all_patients_gives_a_model_and_no_score(config: dict, store: Store, tmp_path: Path, capsys):
    config = chosen(config, "fold=all", "epochs=1", "subset=high_votes")
    assert math.isnan(fit(config))
    run = only_fold(tmp_path / "runs")
    assert run.name == "foldall_seed0"
    expected = "config.yaml learned_from.parquet metrics.csv model.ckpt provenance.json scores.json"
    assert sorted(path.name for path in run.iterdir()) == expected.split()
    rows = build(config["subset"]).training(store.rows)
    assert 0 < rows["eeg_id"].n_unique() < store.rows["eeg_id"].n_unique()
    learned_from = pl.read_parquet(run / "learned_from.parquet")
    everything = store.rows.filter(pl.col("patient_id").is_in(rows["patient_id"].implode()))
    assert {*learned_from["eeg_id"]} == {*everything["eeg_id"]}
    assert learned_from["eeg_id"].is_unique().all()
    assert learned_from.select("corpus", "by_teacher").unique().rows() == [(store.fingerprint, False)]
    assert "learned from every patient: nobody is left to score it on" in capsys.readouterr().err


def test_batch_norms_are_measured_anew_at_the_end_and_nothing_else_changes(config: dict, tmp_path: Path):
    weights = []
    for precise in (True, False):
        runs = tmp_path / str(precise)
        fit(chosen(config | {"runs": str(runs)}, f"measure_norms={precise}"))
        weights.append(load_model(only_fold(runs)).state_dict())
    changed = {
        name.rsplit(".", 1)[1] for name, weight in weights[0].items() if not torch.equal(weight, weights[1][name])
    }
    assert changed == {"running_mean", "running_var", "num_batches_tracked"}
