"""Training in this process: what a run learns, and how it survives interruptions."""

import gc
import json
import math
import pickle
import re
import shutil
import subprocess
from functools import partial
from pathlib import Path
from typing import Any

import material
import numpy as np
import polars as pl
import pytest
import torch
from conftest import ROOT, stores_of
from hydra.utils import get_class
from lightning import Callback, LightningModule, Trainer
from lightning.pytorch.plugins import MixedPrecision
from lightning.pytorch.strategies import SingleDeviceStrategy
from material import Launches, teacher
from omegaconf import OmegaConf
from torch.utils.data import DataLoader

from hms.augmentation.teacher_labels import TeacherLabels
from hms.averaging import Ema, Swa, moving_average
from hms.batch import Batch
from hms.config.build import build
from hms.config.command import CONF
from hms.data.folds import patient_folds
from hms.data.store import Store
from hms.data.windows import OneRowPerEeg, Windows
from hms.errors import ConfigError, DataError, UserError
from hms.labels import CLASSES, VOTE_COLUMNS
from hms.model import Model
from hms.prediction.inference import Compute, probabilities
from hms.results.differences import differences
from hms.runs.checkpoint import load_model
from hms.runs.folder import fold_folder
from hms.runs.provenance import is_simulated, open_fold, warn_of_changes
from hms.runs.teacher import want_same_corpus
from hms.runs.trained import Trained
from hms.runs.versions import differing, versions
from hms.subset import Subset
from hms.train import main as train_command
from hms.training.callbacks import build_callbacks
from hms.training.feed import Feed
from hms.training.fit import fit
from hms.training.module import _fused_on
from hms.training.parts import model_and_trainer
from hms.training.rules import mistakes_in_values
from hms.training.stages import callbacks_of, classifier
from hms.training.trainer import make, train
from hms.training.without_effect import without_effect

pytestmark = pytest.mark.filterwarnings("ignore:.*LeafSpec.*", "ignore:.*weights_only.*", "ignore:.*srun.*")


SMALL = ("extractor=stft_short", "flips=false")


def composed(corpus: Path, tmp_path: Path, *more: str) -> dict:
    """A small training; many tests want the same one, but each a folder of its own."""
    overrides = ["experiment=smoke", f"data.root={corpus}", "data.size=tiny", f"stores={stores_of(corpus)}"]
    overrides += ["epochs=3", "trainer.accelerator=cpu", *SMALL, *more]
    made = material.composed(*overrides)
    return made if any(word.startswith("runs=") for word in more) else made | {"runs": str(tmp_path / "runs")}


@pytest.fixture
def config(corpus: Path, tmp_path: Path) -> dict:
    return composed(corpus, tmp_path)


def only_fold(runs: Path) -> Path:
    (scores,) = runs.glob("*/*/scores.json")
    return scores.parent


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
    for name, weight in load_model(straight).state_dict().items():
        assert torch.equal(weight, load_model(resumed).state_dict()[name]), name
    metrics = [pl.read_csv(run / "metrics.csv").drop("seconds") for run in (straight, resumed)]
    assert metrics[0].equals(metrics[1])
    oof = [pl.read_parquet(run / "oof.parquet") for run in (straight, resumed)]
    assert oof[0].equals(oof[1])
    assert not (resumed / "last.ckpt").exists()


@pytest.mark.parametrize("averaging", ["ema", "swa"])
def test_a_run_that_was_interrupted_after_its_last_epoch_has_the_averaged_weights(
    averaging: str, corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    config = composed(corpus, tmp_path, f"averaging={averaging}", "epochs=2")
    fit(config)
    straight = only_fold(tmp_path / "runs")

    def power_cut(*given: object) -> None:
        raise RuntimeError("power cut")

    config["runs"] = str(tmp_path / "interrupted")
    with monkeypatch.context() as cut:
        cut.setattr("hms.training.fit.predict", power_cut)
        with pytest.raises(RuntimeError, match="power cut"):
            fit(config)
    fit(config)
    resumed = only_fold(tmp_path / "interrupted")
    for name, weight in load_model(straight).state_dict().items():
        assert torch.equal(weight, load_model(resumed).state_dict()[name]), name
    assert pl.read_parquet(straight / "oof.parquet").equals(pl.read_parquet(resumed / "oof.parquet"))


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
    fit(config)
    assert "last.ckpt is incomplete: training starts from the beginning" in capsys.readouterr().err
    assert all(torch.equal(weight, before[name]) for name, weight in load_model(run).state_dict().items())


def test_a_run_of_another_commit_warns(config: dict, tmp_path: Path, capsys):
    config = chosen(config, "epochs=1")
    fit(config)
    path = only_fold(tmp_path / "runs") / "provenance.json"
    about = json.loads(path.read_text())
    assert {"hms.model", "hms.preprocess", "hms.extractor.stft"} <= about["code"].keys()
    path.write_text(json.dumps(about | {"commit": "deadbeef"}))
    fit(config)
    assert "was made with different versions: commit deadbeef\n" in capsys.readouterr().err


def test_code_that_was_edited_since_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr("hms.runs.versions.OURS", ("my_extractor.",))
    (tmp_path / "my_extractor.py").write_text("class Mine: ...\n")
    config = {
        "model": {"extractors": {"mine": {"_target_": "my_extractor.Mine"}, "torch": {"_target_": "torch.nn.ReLU"}}}
    }
    before = versions(config)
    assert differing(before, versions(config)) == []
    (tmp_path / "my_extractor.py").write_text("class Mine: 'Better'\n")
    assert differing(before, versions(config)) == ["another my_extractor"]
    assert differing(before, versions({})) == []  # another config of the same run, as for another corpus


def test_another_module_of_a_package_of_ones_own_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr("hms.runs.versions.OURS", ("hms.", "my_package."))
    inner = tmp_path / "my_package/inner"
    inner.mkdir(parents=True)
    (inner / "nets.py").write_text("from my_package.constants import GAIN\nclass Mine: ...\n")
    (tmp_path / "my_package/constants.py").write_text("GAIN = 1\n")
    config = {"mine": {"_target_": "my_package.inner.nets.Mine"}, "loss": {"_target_": "hms.loss.VoteWeightedKl"}}
    before = versions(config)
    assert before["code"].keys() == {"my_package", "hms.loss"}
    (inner / ".#nets.py").symlink_to("me@here.1")  # an editor's lock
    assert differing(before, versions(config)) == []
    (tmp_path / "my_package/constants.py").write_text("GAIN = 3\n")
    assert differing(before, versions(config)) == ["another my_package"]


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


def test_a_training_that_ends_before_any_epoch_is_averaged_says_so(config: dict, capsys: pytest.CaptureFixture):
    stopped = chosen(config, *STOPPED, "callbacks.early_stopping.patience=1", "averaging=swa")
    fit(stopped | {"name": "stopped"})
    said = "averaging: training ended before epoch 4, the first to be averaged\n"
    assert capsys.readouterr().err.count(said) == 1
    fit(chosen(config, "averaging=swa"))
    assert "the first to be averaged" not in capsys.readouterr().err


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="no checkout")
def test_a_run_records_the_commit_of_its_code(config: dict, tmp_path: Path):
    open_fold(tmp_path / "fold0_seed0", config, "corpus")
    recorded = json.loads((tmp_path / "fold0_seed0" / "provenance.json").read_text())["commit"]
    head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=True)
    assert recorded.removesuffix("+") == head.stdout.strip()


def test_a_machine_without_git_trains_all_the_same(config: dict, tmp_path: Path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    open_fold(tmp_path / "fold0_seed0", config, "corpus")
    assert json.loads((tmp_path / "fold0_seed0" / "provenance.json").read_text())["commit"] is None


def test_a_strangers_checkpoint_runs_no_code(tmp_path: Path):
    (tmp_path / "evil.pt").write_bytes(b"")
    loader = {"_target_": "lightning.fabric.utilities.cloud_io._load", "path_or_url": str(tmp_path / "evil.pt")}
    method = {"_target_": "hms.training.module.Classifier.load_from_checkpoint", "checkpoint_path": "evil.pt"}
    made = {"_target_": "hms.loss.VoteWeightedKl", "joint": "${oc.create:{_target_:torch.load,f:evil.pt}}"}
    for model in (loader, method, made, {"_target_": "hms.runs.versions.subprocess.run", "args": ["true"]}):
        torch.save({"config": {"model": model}, "weights": {}}, tmp_path / "model.ckpt")
        with pytest.raises(ConfigError, match=r"want (a name that starts with|a class or a function|plain values)"):
            load_model(tmp_path)


def test_a_checkpoint_of_another_version_is_named(config: dict, tmp_path: Path):
    pair = {"_target_": "hms.montage.Montage", "groups": {"one": ["Fp1-F7"]}, "order": "listed"}
    other = {"gone": torch.zeros(1)}
    for node, weights, error, message in (
        (config["model"], other, DataError, "want weights of the model that its config describes, got different ones"),
        (pair | {"gone": 1}, {}, ConfigError, r"model\.gone: Montage takes no 'gone'"),
        (pair, {}, ConfigError, r"want a config of hms\.model\.Model, got one of Montage"),
    ):
        torch.save({"config": {"model": node}, "weights": weights}, tmp_path / "model.ckpt")
        with pytest.raises(error, match=rf"{tmp_path / 'model.ckpt'}: {message}"):
            load_model(tmp_path)


def test_what_does_not_change_the_result_does_not_change_the_folder(config: dict):
    same = {**config, "stores": "elsewhere", "on_bad": "skip", "logger": {"wandb": {}}, "data": {"root": "moved"}}
    same |= {"compile": True}
    same["trainer"] = {**config["trainer"], "devices": 4, "precision": 32, "profiler": "simple"}
    same["optimizer"] = {**config["optimizer"], "fused": False}
    assert fold_folder(same, "corpus") == fold_folder(config, "corpus")
    others = [({**config, "epochs": 4}, "corpus"), (config, "other corpus")]
    others.append(({**config, "trainer": {**config["trainer"], "precision": "bf16-mixed"}}, "corpus"))
    others.append(({**config, "callbacks": {"mine": {"_target_": "lightning.pytorch.callbacks.Timer"}}}, "corpus"))
    names = {fold_folder(changed, corpus).parent.name for changed, corpus in [(config, "corpus"), *others]}
    assert len(names) == 5
    assert fold_folder({**config, "fold": 3, "seed": 7}, "corpus").name == "fold3_seed7"


def test_a_whole_number_counts_the_same_however_it_is_written(corpus: Path, tmp_path: Path):
    whole, broken, other = (
        composed(corpus, tmp_path, f"extractor.stft_short.dropout={p}") for p in ("0", "0.0", "0.5")
    )
    assert fold_folder(whole, "corpus") == fold_folder(broken, "corpus") != fold_folder(other, "corpus")
    clipped = [composed(corpus, tmp_path, f"trainer.gradient_clip_val={clip}") for clip in ("1", "1.0", "2")]
    assert len({fold_folder(one, "corpus") for one in clipped}) == 2
    one_batch, all_batches = (composed(corpus, tmp_path, f"+trainer.limit_train_batches={n}") for n in ("1", "1.0"))
    assert fold_folder(one_batch, "corpus") != fold_folder(all_batches, "corpus"), "Lightning tells 1 from 1.0"


def test_only_an_optimizer_s_fused_does_not_count(config: dict):
    def with_one_named_fused(span_s: int) -> Path:
        return fold_folder(
            config | {"extractor": {"fused": config["extractor"]["stft_short"] | {"span_s": span_s}}}, ""
        )

    assert with_one_named_fused(20) != with_one_named_fused(30)


@pytest.mark.parametrize(("group", "names"), [("augmentation", "noise mixup"), ("extractor", "stft_short multitaper")])
def test_another_order_of_augmentations_or_extractors_is_another_run(
    group: str, names: str, corpus: Path, tmp_path: Path
):
    orders = [f"[{','.join(order)}]" for order in (names.split(), names.split()[::-1])]
    one, other = (composed(corpus, tmp_path, "name=x", f"{group}={order}") for order in orders)
    assert fold_folder(one, "corpus") != fold_folder(other, "corpus")
    assert differences([one, other]) == {group: orders}


def test_the_number_of_processes_counts_where_each_has_statistics_of_its_own(config: dict):
    def named(**options) -> Path:
        return fold_folder(config | {"trainer": config["trainer"] | options}, "corpus")

    assert named(devices=2, sync_batchnorm=True) == named(devices=1)
    for of in ("devices", "num_nodes"):
        assert len({named(**{of: count}, sync_batchnorm=False) for count in (1, 2, 3)}) == 3


def test_another_order_of_pairs_is_another_run(corpus: Path, tmp_path: Path):
    config = composed(corpus, tmp_path, "montage=banana16")
    groups = config["montage"]["groups"]
    assert [*groups] == ["lateral", "parasagittal"]
    turned = config | {"montage": config["montage"] | {"groups": dict(reversed(groups.items()))}}
    assert fold_folder(turned, "corpus") != fold_folder(config, "corpus")


def test_the_demos_run_has_the_name_that_the_readme_gives_it():
    quick = material.composed("experiment=quick")
    small = "cbb2d27cda172ee0"  # of data=simulated
    (named,) = {*re.findall(r"runs/quick-\w{8}", (CONF.parent / "README.md").read_text())}
    assert str(fold_folder(quick, small).parent) == named


def pretrained(weights: Path | str, *more: str) -> dict:
    words = [f"backbone.weights={weights}", "backbone.image.name=a", "backbone.spectrogram.name=b", *more]
    return material.composed("backbone=hgnetv2", *words)


def test_pretrained_weights_count_by_the_content_of_the_file(tmp_path: Path, monkeypatch):
    for name in ("one", "copy"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.safetensors").write_bytes(b"weights")
        (tmp_path / name / "b.safetensors").write_bytes(name.encode())  # of spectrograms, which are not read here
    monkeypatch.chdir(tmp_path)
    places = [tmp_path / "one", "one", "copy", tmp_path / "one/a.safetensors"]
    (folder,) = {fold_folder(pretrained(place), "corpus").parent for place in places}
    spectrogram = "extractor=[spectrogram]"
    assert fold_folder(pretrained("one", spectrogram), "") != fold_folder(pretrained("copy", spectrogram), "")
    (tmp_path / "one/a.safetensors").write_bytes(b"another")
    others = [pretrained("one"), pretrained("null"), pretrained("one", "backbone.pretrained=false")]
    assert len({folder, *(fold_folder(other, "corpus").parent for other in others)}) == 4
    unread = pretrained("nowhere", "backbone.pretrained=false")
    assert fold_folder(unread, "corpus") == fold_folder(others[2], "corpus")
    wish = "want a file or a folder with weights of 'a', got 'nowhere'"
    with pytest.raises(UserError, match=f"backbone.weights: {wish}"):
        fold_folder(pretrained("nowhere"), "corpus")


def test_which_network_starts_from_which_weights_counts(tmp_path: Path):
    for name in ("one", "other"):
        (tmp_path / name).write_bytes(name.encode())
    one, other = tmp_path / "one", tmp_path / "other"
    pairs = [(one, other), (other, one), (one, one), (one, "null"), ("null", one), ("null", "null")]
    runs = (
        pretrained(
            "null",
            "extractor=[stft,wavenet]",
            *(f"backbone.{part}.weights={file}" for part, file in zip(("image", "wavenet"), files, strict=True)),
        )
        for files in pairs
    )
    assert len({fold_folder(run, "corpus") for run in runs}) == len(pairs)


def test_an_extractors_own_weights_count_by_content_too(tmp_path: Path):
    def folder_with(weights: Path | str) -> Path:
        words = ["extractor=stft_x3d", f"extractor.stft_x3d.weights={weights}"]
        return fold_folder(material.composed(*words), "corpus").parent

    for name, content in (("one", b"weights"), ("copy", b"weights"), ("other", b"others")):
        (tmp_path / name).write_bytes(content)
    one, copy, other = (folder_with(tmp_path / name) for name in ("one", "copy", "other"))
    assert one == copy
    assert len({one, other, folder_with("null")}) == 3
    with pytest.raises(UserError, match=r"^weights: want a file, got 'nowhere' \(no such file\)$"):
        folder_with("nowhere")


def test_trading_time_for_memory_does_not_change_the_run():
    wavenet = "extractor=[wavenet,stft]"
    same = ["backbone.grad_checkpointing=true", "extractor.wavenet.grad_checkpointing=false"]
    assert fold_folder(pretrained("null", wavenet, *same), "") == fold_folder(pretrained("null", wavenet), "")


def test_changed_weights_and_teachers_give_a_new_run_with_a_warning(config: dict, tmp_path: Path, capsys):
    (tmp_path / "a.safetensors").write_bytes(b"weights")
    run = teacher(tmp_path / "a", {1: [1.0, 0, 0, 0, 0, 0]})
    taught = f"augmentation.teacher_labels.runs=[{run}]"
    student = pretrained(tmp_path, "augmentation=[teacher_labels]", taught, f"runs={tmp_path / 'runs'}")
    before = fold_folder(student, "corpus")
    open_fold(before, student, "corpus")
    warn_of_changes(before, student, "corpus")
    assert capsys.readouterr().err == ""
    (tmp_path / "a.safetensors").write_bytes(b"another")
    shutil.rmtree(tmp_path / "a")
    teacher(tmp_path / "a", {2: [1.0, 0, 0, 0, 0, 0]})
    after = fold_folder(student, "corpus")
    warn_of_changes(after, student, "corpus")
    said = f"{before} was trained before the weights and teacher changed; {after} is a new run"
    assert said in capsys.readouterr().err.replace("\n", " ")


def test_a_changed_corpus_gives_a_new_run_with_a_warning(config: dict, tmp_path: Path, capsys):
    folder = fold_folder(config, "before")
    open_fold(folder, config, "before")
    warn_of_changes(fold_folder(config, "after"), config, "after")
    assert f"{folder} was trained before the corpus changed; {fold_folder(config, 'after')} is a new run" in (
        capsys.readouterr().err
    )
    for other in (config | {"epochs": 9}, config | {"data": {"root": "elsewhere"}}):
        warn_of_changes(fold_folder(other, "after"), other, "after")
    assert capsys.readouterr().err == ""


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


def interrupted_and_straight(config: dict, tmp_path: Path, monkeypatch, at: list[int]) -> tuple[Path, Path]:
    """Train twice, once with a power cut before each epoch in `at` (counted over all stages); return both folders.

    Every epoch before a power cut is recorded as having taken 1000 s.
    """
    config["runs"] = str(tmp_path / "straight")
    fit(config)
    begin, begun = OneRowPerEeg.set_epoch, []

    def power_cut(self: OneRowPerEeg, epoch: int) -> None:
        begun.append(epoch)
        if len(begun) in at:
            raise RuntimeError("power cut")
        begin(self, epoch)

    monkeypatch.setattr(OneRowPerEeg, "set_epoch", power_cut)
    config["runs"] = str(tmp_path / "interrupted")
    for _ in at:
        with pytest.raises(RuntimeError, match="power cut"):
            fit(config)
        for curve in (tmp_path / "interrupted").rglob("metrics.csv"):
            pl.read_csv(curve).with_columns(seconds=1000.0).write_csv(curve)
        for state in (tmp_path / "interrupted").rglob("last.ckpt"):
            held = torch.load(state, weights_only=False)
            held["callbacks"]["MetricsCsv"]["rows"] = [
                row | {"seconds": 1000.0} for row in held["callbacks"]["MetricsCsv"]["rows"]
            ]
            torch.save(held, state)
    fit(config)
    return only_fold(tmp_path / "straight"), only_fold(tmp_path / "interrupted")


def same_weights(one: Path, other: Path) -> bool:
    weights = load_model(other).state_dict()
    return all(torch.equal(weight, weights[name]) for name, weight in load_model(one).state_dict().items())


def chosen(config: dict, *overrides: str) -> dict:
    """Return the config with different options chosen."""
    given = [f"stores={config['stores']}", f"data.root={config['data']['root']}", "data.size=tiny"]
    words = ["experiment=smoke", *given, "trainer.accelerator=cpu", *SMALL, *overrides]
    return material.composed(*words) | {"runs": config["runs"]}


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


@pytest.mark.parametrize("averaging", ["ema", "swa"])
def test_averaged_weights_survive_an_interruption(averaging: str, config: dict, tmp_path: Path, monkeypatch):
    over = {"ema": "averaging.ema.decay=0.5", "swa": "averaging.swa.share=0.6"}
    averaged = chosen(config, f"averaging={averaging}", over[averaging], "epochs=3")
    straight, resumed = interrupted_and_straight(averaged, tmp_path, monkeypatch, at=[3])
    assert same_weights(straight, resumed)
    last = tmp_path / "last"
    fit(chosen(config | {"runs": str(last)}, "epochs=3"))
    assert not same_weights(straight, only_fold(last))


STOPPED = ("callbacks=early_stopping", "callbacks.early_stopping.min_delta=99", "schedule=constant", "epochs=4")
"""A decrease by 99 never comes, so with `patience` n the training ends after n + 1 epochs."""


@pytest.mark.parametrize("averaging", ["none", "ema"])
def test_a_training_that_stopped_early_and_was_then_interrupted_stays_stopped(
    averaging: str, config: dict, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
):
    stopped = chosen(config, *STOPPED, "callbacks.early_stopping.patience=1", f"averaging={averaging}")
    with monkeypatch.context() as cut:
        cut.setattr("hms.training.fit.predict", lambda *_: pytest.fail("power cut"))
        with pytest.raises(pytest.fail.Exception, match="power cut"):
            fit(stopped)
    fit(stopped)
    said = capsys.readouterr().err
    assert "epoch 2/4  val_kl" in said
    assert "epoch 3/4" not in said
    assert "training ends early, after epoch 2: Monitored metric val_kl did not improve in the last 1 records. " in said
    two = chosen(config | {"runs": str(tmp_path / "two")}, f"averaging={averaging}", "schedule=constant", "epochs=2")
    fit(two)  # the weights kept are those of the last epoch
    assert same_weights(only_fold(tmp_path / "runs"), only_fold(tmp_path / "two"))


def test_early_stopping_remembers_its_epochs_across_an_interruption(config: dict, tmp_path: Path, monkeypatch):
    stopped = chosen(config, *STOPPED, "callbacks.early_stopping.patience=2")
    straight, resumed = interrupted_and_straight(stopped, tmp_path, monkeypatch, at=[3])
    assert same_weights(straight, resumed)
    assert [len(pl.read_csv(run / "metrics.csv")) for run in (straight, resumed)] == [3, 3]


@pytest.mark.parametrize("rarely", ["fold=all", "+trainer.val_check_interval=0.5", "fold=0"])
def test_early_stopping_by_the_training_loss_looks_after_each_epoch(rarely: str, config: dict, capsys):
    by_loss = ["callbacks.early_stopping.monitor=train_loss", "callbacks.early_stopping.patience=1"]
    fit(chosen(config, *STOPPED, *by_loss, rarely, "+trainer.check_val_every_n_epoch=2"))
    metrics = pl.read_csv(only_fold(Path(config["runs"])) / "metrics.csv")
    assert len(metrics) == 2
    said = capsys.readouterr().err
    assert "training ends early, after epoch 2: Monitored metric train_loss did not improve in the last 1 rec" in said


LIGHTNING = "lightning.pytorch."


@pytest.mark.parametrize(
    ("node", "said"),
    [
        ({"_target_": f"{LIGHTNING}callbacks.EarlyStopping", "monitor": "val_kl", "mode": "mn"}, "`mode` can be min, "),
        ({"_target_": f"{LIGHTNING}callbacks.EarlyStopping"}, "EarlyStopping.__init__() missing 1 required positional"),
        ({"_target_": f"{LIGHTNING}loggers.CSVLogger", "save_dir": "x"}, "want a Lightning callback, got CSVLogger"),
    ],
)
def test_a_callback_that_cannot_be_used_is_named(node: dict, said: str):
    with pytest.raises(UserError, match="^" + re.escape(f"callbacks.mine: {said}")):
        build_callbacks({"mine": node})


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            [
                "callbacks=early_stopping",
                "+trainer.check_val_every_n_epoch=9",
                "+callbacks.early_stopping.check_on_train_epoch_end=true",
            ],
            "schedule, callbacks or trainer: Early stopping conditioned on metric `val_kl` which is not available.",
        ),
        (
            ["+trainer.val_check_interval=100"],
            "schedule, callbacks or trainer: `val_check_interval` (100) must be less than or equal to the number of",
        ),
        (
            [f"+callbacks.rate._target_={LIGHTNING}callbacks.LearningRateMonitor"],
            "schedule, callbacks or trainer: Cannot use `LearningRateMonitor` callback with `Trainer` that",
        ),
        (
            ["callbacks=early_stopping", "+callbacks.again=${callbacks.early_stopping}"],
            "callbacks or trainer: Found more than one stateful callback of type `EarlyStopping`.",
        ),
    ],
)
def test_what_lightning_finds_wrong_with_callbacks_is_said_in_one_line(words: list[str], said: str, config: dict):
    with pytest.raises(UserError, match="^" + re.escape(said)) as raised:
        fit(chosen(config, *words))
    assert "\n" not in str(raised.value)


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


def test_a_student_learns_the_teachers_predictions_for_held_out_patients(config: dict, tmp_path: Path, store: Store):
    for fold in range(2):
        fit(chosen(config | {"runs": str(tmp_path / "teacher")}, f"fold={fold}", "folds=3", "epochs=1"))
    (run,) = (tmp_path / "teacher").iterdir()
    said = pl.concat(pl.read_parquet(path) for path in sorted(run.glob("*/teacher.parquet"))).sort("label_id")
    rows = Subset(1, None, 25, 1).training(store.rows)
    # An ordinary DataLoader with workers pickles its windows; the project's own loaders have no workers.
    batch = pickle.loads(pickle.dumps(Windows(store, rows))).__getitems__(range(len(rows)))
    taught = TeacherLabels([str(run)], p=1.0)(batch)
    known = torch.isin(batch.label_id, torch.tensor(said["label_id"].to_list()))
    assert 0 < known.sum() < len(rows)  # nobody taught the third fold's patients
    assert torch.equal(taught.target[~known], batch.target[~known])
    order = [said["label_id"].to_list().index(label_id) for label_id in batch.label_id[known].tolist()]
    torch.testing.assert_close(taught.target[known], torch.tensor(said.select(CLASSES).to_numpy()[order]).float())
    assert torch.equal(taught.weight, batch.weight)

    torch.manual_seed(0)
    some = TeacherLabels([str(run)], p=0.15)(batch)
    changed = (some.target != batch.target).any(dim=1)
    assert not (changed & ~known).any()
    student = ["augmentation=[teacher_labels]", f"augmentation.teacher_labels.runs=[{run}]", "folds=3", "epochs=1"]
    wish = "augmentation.teacher_labels.runs: want runs with all of their 3 folds finished"
    with pytest.raises(UserError, match=f"  {wish}, got {run}, which lacks fold2_seed0; train"):
        fit(chosen(config | {"runs": str(tmp_path / "student")}, *student))
    fit(chosen(config | {"runs": str(tmp_path / "teacher")}, "fold=2", "folds=3", "epochs=1"))
    fit(chosen(config | {"runs": str(tmp_path / "student")}, *student))
    assert only_fold(tmp_path / "student").is_dir()


def test_a_teacher_is_recognised_under_any_name(config: dict, tmp_path: Path):
    started = Path(teacher(tmp_path / "a", {1: [1.0, 0, 0, 0, 0, 0]}), "fold0_seed0/config.yaml")
    started.write_text(OmegaConf.to_yaml(config))
    node = {"_target_": "hms.augmentation.teacher_labels.TeacherLabels", "runs": [str(tmp_path / "a")], "p": 0.5}
    student = config | {"augmentation": {"mine": node}}
    open_fold(tmp_path / "student", student, "corpus")
    assert [Trained(fold, [fold]).is_student for fold in (tmp_path / "student", started.parent)] == [True, False]
    with pytest.raises(UserError, match=r"augmentation\.mine\.runs: want runs with all of their .* folds finished"):
        fit(student)


def test_a_teacher_of_another_corpus_is_named(tmp_path: Path):
    runs = [teacher(tmp_path / name, {1: [1.0, 0, 0, 0, 0, 0], 5: [1.0, 0, 0, 0, 0, 0]}) for name in "ab"]
    want_same_corpus(runs, pl.Series([4, 5]))
    with pytest.raises(
        UserError, match=rf"^augmentation\.teacher_labels\.runs: want runs that .*, {runs[0]} knows none of its 2$"
    ):
        want_same_corpus(runs, pl.Series([3, 4]))


def test_a_teacher_without_finished_folds_is_named(tmp_path: Path):
    with pytest.raises(UserError, match=r"teacher_labels.runs: want folders of runs, .* with finished folds, got /"):
        TeacherLabels([str(tmp_path)], p=0.15)
    with pytest.raises(UserError, match=r"finished folds, got none"):
        TeacherLabels([], p=0.15)


def test_other_callbacks_see_the_averaged_weights(config: dict):
    both = chosen(config, "averaging=ema", "callbacks=early_stopping")
    assert [type(callback).__name__ for callback in callbacks_of(both)] == ["Ema", "EarlyStopping"]


def test_averaging_takes_in_at_least_the_last_epoch():
    assert [Swa(epochs, 0.25).start_epoch for epochs in (1, 2, 8, 14)] == [0, 1, 6, 10]
    with pytest.raises(ValueError, match="share: want more than 0 up to 1, got 0"):
        Swa(8, 0)


def test_a_decay_that_would_keep_the_first_weights_is_refused():
    with pytest.raises(ValueError, match="decay: want 0 up to less than 1, got 1"):
        Ema(1)


def test_trainer_options_that_hms_sets_itself_are_refused(config: dict):
    keys = "callbacks logger default_root_dir num_sanity_val_steps use_distributed_sampler enable_model_summary"
    for key in [*keys.split(), "enable_progress_bar", "enable_checkpointing", "barebones"]:
        with pytest.raises(UserError, match=rf"^trainer\.{key}: set by hms itself; leave it out$"):
            make(config["trainer"] | {key: None})


@pytest.mark.filterwarnings("ignore:.*supported for historical reasons")
def test_only_precisions_with_float32_weights_are_accepted(config: dict):
    for precision, same in {"32": "32-true", 32: "32-true", None: "32-true", "bf16": "bf16-mixed"}.items():
        assert make(config["trainer"] | {"precision": precision}).precision == same
    for precision in ("bf16-true", "16-true", "64-true", 64, "transformer-engine", "fp8"):
        said = rf"^trainer\.precision: want 32-true, 16-mixed or bf16-mixed, got {precision}$"
        with pytest.raises(UserError, match=said):
            make(config["trainer"] | {"precision": precision})


class OneWeight(LightningModule):
    """A weight that is n after n epochs; records what is validated."""

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(()))
        self.seen: list[float] = []

    def training_step(self, batch: torch.Tensor, index: int) -> torch.Tensor:
        return -self.weight / 3  # of the gradient of each of three steps

    def validation_step(self, batch: torch.Tensor, index: int) -> None:
        self.seen.append(self.weight.item())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=1.0)


@pytest.mark.parametrize(
    ("trainer", "seen", "kept"),
    [
        ({"max_epochs": 8}, [1, 2, 3, 4, 5, 6, 7, 7.5], 7.5),
        ({"max_epochs": 4}, [1, 2, 3, 4], 4),  # below the `epochs` of averaging: nothing is averaged
        ({"max_epochs": 8, "max_steps": 8}, [1, 2], 8 / 3),  # ends within an epoch
        ({"max_epochs": 8, "max_steps": 23}, [1, 2, 3, 4, 5, 6, 7], (7 + 23 / 3) / 2),
        ({"max_epochs": 2, "val_check_interval": 1}, [1 / 3, 2 / 3, 1, 4 / 3, 5 / 3, 2], 2),
    ],
)
def test_weight_averaging_validates_and_keeps_the_average_of_its_epochs(
    config: dict, trainer: dict, seen: list[float], kept: float
):
    module = OneWeight()
    make(config["trainer"] | trainer, callbacks=[Swa(8, 0.25)]).fit(
        module, DataLoader(torch.zeros(3)), DataLoader(torch.zeros(1))
    )
    assert module.seen == pytest.approx(seen)
    assert module.weight.item() == pytest.approx(kept)


@pytest.mark.filterwarnings("ignore:Detected call of `lr_scheduler.step")  # where all steps are skipped
@pytest.mark.parametrize(("scale", "skipped"), [(2.0**8, False), (2.0**120, True)])
def test_a_fused_optimizer_learns_the_same_even_with_gradient_scaling_and_clipping(
    config: dict, store: Store, scale: float, skipped: bool
):
    ends, small = [], chosen(config, "backbone.image.channels=[4,8]")  # few CPUs compute in float16
    for fused in (False, True):
        torch.manual_seed(0)
        optimizer = {"optimizer": small["optimizer"] | {"fused": fused}}
        module = classifier(small, small | optimizer, build(small["model"]))
        first = [weight.detach().clone() for weight in module.parameters()]
        plugin = MixedPrecision("16-mixed", "cpu", torch.amp.GradScaler("cpu", init_scale=scale))
        node = small["trainer"] | {"precision": None, "plugins": [plugin], "max_epochs": 1, "gradient_clip_val": 0.01}
        windows = Windows(store, store.rows.head(6))
        make(node).fit(module, windows.loader(2))
        assert module.optimizers().optimizer.defaults["fused"] is fused
        assert skipped == all(map(torch.equal, first, module.parameters()))
        ends.append([*module.parameters()])
    for one, other in zip(*ends, strict=True):
        torch.testing.assert_close(one, other, atol=1e-6, rtol=1e-5)


@pytest.mark.filterwarnings("ignore")
def test_a_training_that_began_unfused_is_resumed_fused(
    config: dict, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    small = chosen(config, "backbone.image.channels=[4,8]")
    windows = Windows(store, store.rows.head(6))
    for epochs, fused in ((1, {}), (2, {"fused": True})):
        monkeypatch.setattr("hms.training.module._fused_on", lambda device, optimizer, fused=fused: fused)
        module = classifier(small, small, build(small["model"]))
        plugin = MixedPrecision("16-mixed", "cpu", torch.amp.GradScaler("cpu"))
        node = small["trainer"] | {"precision": None, "plugins": [plugin], "max_epochs": epochs}
        trained = train(module, node, tmp_path, windows.loader(2), None, [], [])
    assert trained.global_step == 6
    assert [group["fused"] for group in module.optimizers().optimizer.param_groups] == [True]


def test_a_gpu_whose_memory_runs_out_is_reported_with_what_to_do(
    config: dict, store: Store, tmp_path: Path, monkeypatch
):
    def step(*_: Any) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")

    module = classifier(config, config, build(config["model"]))
    monkeypatch.setattr(module, "training_step", step)
    said = r"a step needs more memory than the GPU has \(CUDA out of memory.*\); try backbone.grad_checkpointing=true"
    with pytest.raises(UserError, match=said):
        train(module, config["trainer"], tmp_path, Windows(store, store.rows.head(2)).loader(2), None, [], [])


def test_an_optimizer_is_fused_on_a_gpu_unless_told_otherwise():
    gpu, adamw = torch.device("cuda"), torch.optim.AdamW
    assert _fused_on(gpu, partial(adamw, lr=1.0)) == {"fused": True}
    assert not _fused_on(torch.device("cpu"), partial(adamw, lr=1.0))
    assert not _fused_on(gpu, partial(adamw, fused=False))
    assert not _fused_on(gpu, partial(adamw, foreach=True))
    assert not _fused_on(gpu, torch.optim.LBFGS)


class Draws(torch.nn.Module):
    """An augmentation that changes nothing and records a random number of each batch."""

    acts_on = "electrodes"

    def __init__(self):
        super().__init__()
        self.seen: list[float] = []

    def forward(self, batch: Batch) -> Batch:
        assert batch.eeg.dtype == torch.float32, "half precision has no number for the square of 256 µV"
        self.seen += [torch.rand(()).item(), np.random.rand()]  # noqa: NPY002
        return batch


@pytest.mark.parametrize("together", [1, 2])
def test_each_batch_of_each_seed_has_its_own_random_numbers(config: dict, store: Store, together: int):
    node = config["trainer"] | {"max_epochs": 2, "accumulate_grad_batches": together}
    model, seen = build(config["model"]), []
    for seed in (0, 1, 0):
        module = classifier(config | {"seed": seed}, config, model)
        module.augmentations = {"draws": Draws()}
        make(node).fit(module, Windows(store, store.rows.head(12)).loader(4))  # of three batches the last is alone
        seen.append(module.augmentations["draws"].seen)
    assert len({*seen[0], *seen[1]}) == 12 * 2
    assert seen[0] == seen[2]


def test_the_loss_of_a_uniform_prediction_has_the_same_heads_and_no_gradient(config: dict, store: Store):
    two = chosen(config, "extractor=[stft_short,raw_image]")
    module = classifier(two, two, build(two["model"]))
    given, found = next(iter(Windows(store, store.rows.head(4)).loader(4))), {}

    class Step(Callback):
        def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, outputs: dict, *_: object) -> None:
            found.update(outputs)

    heads, loss = [], module.loss.forward
    module.loss.forward = lambda logits, *of: heads.append({*logits.by_extractor}) or loss(logits, *of)
    make(two["trainer"] | {"max_epochs": 1}, callbacks=[Step()]).fit(module, DataLoader([given], batch_size=None))
    assert heads == [{"stft_short", "raw_image"}] * 2
    weight = module.weighting(given.weight, 0)
    wanted = weight * (given.target * (6 * given.target).clamp(min=1e-9).log()).sum(dim=1)
    torch.testing.assert_close(found["uniform_loss"], wanted.mean())
    assert not found["uniform_loss"].requires_grad


def test_a_moving_average_soon_forgets_the_random_weights_it_began_with():
    averages = [torch.zeros(2), torch.zeros(3, 1)]
    for step in range(1, 41):
        moving_average(0.999, averages, [torch.ones(2), torch.ones(3, 1)], torch.tensor(step))
    assert min(average.min() for average in averages) > 0.99
    same = torch.rand(1000)
    moving_average(0.9, kept := [same.clone()], [same], torch.tensor(5))
    assert torch.equal(kept[0], same)
    moving_average(0.9, late := [torch.zeros(2)], [torch.ones(2)], torch.tensor(10**6))
    torch.testing.assert_close(late[0], torch.full((2,), 0.1))
    with Launches() as launches:
        counted, seen = [torch.tensor(10), torch.tensor([[0, 1]]), *torch.arange(80)], torch.tensor(20)
        moving_average(0.9, counted, [seen, torch.tensor([[10, -9]]), *[seen] * 80], torch.tensor(10**6))
    assert [one.tolist() for one in counted[:4]] == [20, [[10, -9]], 20, 20]  # counts are not averaged
    assert len(launches.made) < 30


class Numberless(Trainer):
    """A trainer that trains nothing, on a device which has no numbers to wait for."""

    strategy = SingleDeviceStrategy("meta")

    def __init__(self):
        pass


def test_an_average_takes_in_a_step_without_waiting_for_the_device():
    module, ema = LightningModule(), Ema(0.5)
    module.weight, module.count = torch.nn.Parameter(torch.zeros(3)), torch.nn.Buffer(torch.tensor(4))
    ema.setup(Numberless(), module.to("meta"), "fit")
    for step in range(3):
        ema._average_model.update_parameters(module)
        assert ema._average_model.n_averaged == step + 1


def test_a_schedule_of_torch_may_follow_the_validation(config: dict):
    plateau = {"_target_": "torch.optim.lr_scheduler.ReduceLROnPlateau", "_partial_": True}
    fit({**config, "schedule": plateau | {"mode": "max", "patience": 0, "factor": 0.5, "threshold": 10.0}})
    rates = pl.read_csv(only_fold(Path(config["runs"])) / "metrics.csv")["learning_rate"]
    assert rates.to_list() == pytest.approx([1e-4, 1e-4, 0.5e-4])


def test_a_schedule_that_follows_the_validation_goes_on_after_an_interruption(
    config: dict, tmp_path: Path, monkeypatch
):
    plateau = {"_target_": "torch.optim.lr_scheduler.ReduceLROnPlateau", "_partial_": True}
    config |= {"schedule": plateau | {"mode": "max", "patience": 0, "factor": 0.5, "threshold": 10.0}}
    straight, resumed = interrupted_and_straight(config, tmp_path, monkeypatch, at=[2, 3])
    assert same_weights(straight, resumed)
    rates = [pl.read_csv(run / "metrics.csv")["learning_rate"].to_list() for run in (straight, resumed)]
    assert rates[0] == rates[1] == pytest.approx([1e-4, 1e-4, 0.5e-4])


def test_a_schedule_of_torch_that_counts_steps_counts_epochs(config: dict):
    cycle = {"_target_": "torch.optim.lr_scheduler.OneCycleLR", "_partial_": True}
    fit({**config, "schedule": cycle | {"max_lr": 1e-2, "total_steps": 3, "pct_start": 0.5, "div_factor": 10.0}})
    rates = pl.read_csv(only_fold(Path(config["runs"])) / "metrics.csv")["learning_rate"]
    assert rates.to_list() == pytest.approx([1e-3, 7.5e-3, 1e-7], rel=1e-3)  # the first third of the way down


def test_other_loggers_than_wandb_write_into_the_folder_of_the_fold(config: dict):
    logger = {"csv": {"_target_": "lightning.pytorch.loggers.CSVLogger", "name": "log"}}
    fit(chosen(config, "epochs=1") | {"logger": logger})
    (written,) = only_fold(Path(config["runs"])).glob("log/version_0/metrics.csv")
    assert "val_kl" in written.read_text()


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


def test_what_is_no_logger_is_named_before_anything_is_written(config: dict):
    with pytest.raises(UserError, match=r"^logger\.mine: want a Lightning logger, got Timer$"):
        fit({**config, "logger": {"mine": {"_target_": f"{LIGHTNING}callbacks.Timer"}}})
    assert not Path(config["runs"]).exists()


def test_a_logger_that_cannot_be_built_is_named(config: dict):
    node = {"_target_": f"{LIGHTNING}loggers.WandbLogger", "offline": True, "log_model": True}
    with pytest.raises(UserError, match=r"^logger\.mine: Providing log_model=True and offline=True is an invalid "):
        fit({**config, "logger": {"mine": node}})


@pytest.mark.parametrize(
    ("words", "lines"),
    [
        ("augmentation=[head_scale]", ["augmentation.head_scale has hardly any effect with {}"]),
        ("augmentation=[head_scale] preprocess=original", []),
        ("augmentation=[head_scale] preprocess.scale=compressed", []),
        ("preprocess.scale_uv=16", ["preprocess.scale_uv has no effect with {}"]),
        ("preprocess.scale_uv=16 preprocess.scale=compressed", []),
        ("preprocess=original preprocess.scale=window", []),
        (
            "augmentation=[edge_dropout,spectrogram_mask]",
            [
                f"augmentation.{name} has no effect: no extractor reads the ten-minute spectrogram"
                for name in ("edge_dropout", "spectrogram_mask")
            ],
        ),
        ("augmentation=[spectrogram_mask,edge_dropout] extractor=[stft_short,spectrogram]", []),
    ],
)
def test_a_setting_that_another_undoes_is_named(words: str, lines: list[str]):
    config = train_command.config(*words.split())
    by_itself = "preprocess.scale=window, which scales each window by its own spread"
    assert said_of(config) == [line.format(by_itself) for line in lines]


def said_of(config: dict) -> list[str]:
    """What is said about settings without effect; the model's classes tell what it reads, without building it."""
    kinds = [get_class(node["_target_"]) for node in config["extractor"].values()]
    return [*without_effect(config, any(kind.reads_spectrogram for kind in kinds))]


@pytest.mark.parametrize("name", sorted({path.stem for path in (CONF / "experiment").glob("*.yaml")} - {"original"}))
def test_no_experiment_has_a_setting_without_effect(name: str, tmp_path: Path):  # `original` leaves out the extractors
    run = teacher(tmp_path, {1: [1.0, 0, 0, 0, 0, 0]})
    more = [f"augmentation.teacher_labels.runs=[{run}]"] if name == "student" else []
    composed = material.config(f"experiment={name}", *more)
    assert [*mistakes_in_values(composed)] == []
    assert said_of(composed) == []


def test_a_setting_without_effect_is_named(tmp_path: Path):
    fading = ["weighting=fade_low_votes"]
    (said,) = said_of(material.config(*fading))
    assert said == "weighting=fade_low_votes has no effect on rows of 10 votes or more; try subset=low_votes_too"
    assert said_of(material.config(*fading, "subset=low_votes_too")) == []
    (said,) = said_of(material.config("loss.auxiliary=0.5"))
    assert said == "loss.auxiliary has no effect with a single extractor, which has no auxiliary head"
    assert said_of(material.config("loss.auxiliary=0.5", "extractor=[stft,stft_cosine]")) == []


def test_a_class_derived_from_ours_is_known_as_one(tmp_path: Path, monkeypatch):
    (tmp_path / "derived.py").write_text(
        "from hms.simulate.corpus import SimulatedFolder\nfrom hms.weighting import FadeLowVotes\n\n"
        "class Mine(FadeLowVotes): ...\n\nclass Ward(SimulatedFolder): ...\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    for module in ("signature", "build"):
        monkeypatch.setattr(f"hms.config.{module}.ALLOWED", ("hms.", "derived."))
    fading = material.config("weighting=fade_low_votes")
    fading["weighting"]["_target_"] = "derived.Mine"
    assert said_of(fading)[0].startswith("weighting=fade_low_votes has no effect")
    assert is_simulated(fading | {"data": {"_target_": "derived.Ward"}})
    assert not is_simulated(fading | {"data": {"_target_": "hms.data.corpus.CompetitionFolder"}})
    assert not is_simulated(fading | {"data": {"_target_": "elsewhere.Ward"}}), "a model predicts without that class"


def test_a_training_says_which_setting_has_no_effect(config: dict, capsys):
    fit(chosen(config, "augmentation=[head_scale]", "epochs=1"))
    assert "\naugmentation.head_scale has hardly any effect with preprocess.scale=window" in capsys.readouterr().err
