"""The commands that users type, on a tiny corpus; their files are contracts that others rely on."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch
import yaml
from commands import SMALL, hms, said_by
from conftest import ROOT, python, real
from material import config
from scipy.special import softmax

from hms.augmentation.brain_flip import flip
from hms.batch import unlabelled
from hms.data.folds import patient_folds
from hms.data.store import Store
from hms.data.tables import read_labels
from hms.data.windows import Windows
from hms.ensemble.calibration import Calibration
from hms.labels import CLASSES, VOTE_COLUMNS
from hms.prediction.inference import Compute, probabilities
from hms.runs.checkpoint import load_model
from hms.subset import Subset
from hms.system.console import counted
from hms.training.loggers import open_loggers

pytestmark = pytest.mark.filterwarnings("ignore:.*LeafSpec.*", "ignore:.*weights_only.*", "ignore:.*srun.*")

PLATEAU = ["schedule._target_=torch.optim.lr_scheduler.ReduceLROnPlateau"]
PLATEAU += [f"~schedule.{key}" for key in ("epochs", "warmup_epochs", "lr_min")]

OVERFLOW = "optimizer: value cannot be converted to type float without overflow; try a smaller optimizer.lr"
"""Why a training fails in its first step at a rate of 1e38."""


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory, corpus: Path) -> list[str]:
    base = tmp_path_factory.mktemp("cli")
    return [f"data.root={corpus}", "data.size=tiny", f"stores={base / 'stores'}", f"runs={base / 'runs'}"]


@pytest.fixture(scope="module")
def sweep(places: list[str]) -> tuple[Path, str]:
    """The run folder and output of two folds of the smoke experiment."""
    printed, _ = hms("train", "-m", *SMALL, "fold=0,1", *places)
    (run,) = Path(places[-1].removeprefix("runs=")).glob("smoke-*")
    return run, printed


def test_a_sweep_leaves_a_folder_per_fold_with_everything_about_it(sweep: tuple[Path, str]):
    run, _ = sweep
    assert sorted(path.name for path in run.iterdir()) == ["fold0_seed0", "fold1_seed0"]
    for fold in run.iterdir():
        expected = "config.yaml learned_from.parquet metrics.csv model.ckpt oof.parquet provenance.json scores.json "
        expected += "teacher.parquet"
        assert sorted(path.name for path in fold.iterdir()) == expected.split()
    about = json.loads((run / "fold0_seed0" / "provenance.json").read_text())
    assert about["packages"]["torch"] == torch.__version__.split("+")[0]
    assert (about["choices"]["experiment"], about["choices"]["backbone"]) == ("smoke", "tiny")
    assert yaml.safe_load((run / "fold1_seed0" / "config.yaml").read_text())["fold"] == 1
    metrics = pl.read_csv(run / "fold0_seed0" / "metrics.csv")
    assert metrics["epoch"].to_list() == [0, 1]
    assert {"train_loss", "val_kl", "learning_rate", "seconds"} <= set(metrics.columns)


def test_out_of_fold_files_hold_the_held_out_patients_rows(sweep: tuple[Path, str], corpus: Path):
    run, _ = sweep
    rows = read_labels(corpus / "train.csv")
    folds = patient_folds(rows, 5)
    for fold in (0, 1):
        oof = pl.read_parquet(run / f"fold{fold}_seed0" / "oof.parquet")
        assert oof.columns == ["label_id", "eeg_id", "patient_id", "fold", *VOTE_COLUMNS, *CLASSES]
        held_out = Subset(1, None, 25, 1).validation(rows.join(folds.filter(fold=fold), on="patient_id"))
        assert sorted(oof["label_id"]) == sorted(held_out["label_id"])
        assert set(oof["fold"]) == {fold}
        np.testing.assert_allclose(oof.select(CLASSES).sum_horizontal(), 1, rtol=1e-6)


def test_the_table_names_folds_classes_and_reference_scores(sweep: tuple[Path, str]):
    _, printed = sweep
    for word in (
        "fold0_seed0",
        "fold1_seed0",
        " all ",
        *CLASSES,
        "uniform",
        "prior",
        "oracle",
        "gap closed",
        "best first",
    ):
        assert word in printed


def test_the_same_command_again_trains_nothing(sweep: tuple[Path, str], places: list[str]):
    run, _ = sweep
    before = {path: path.stat().st_mtime_ns for path in run.rglob("*")}
    elsewhere = [f"stores={run / 'no store here'}" if place.startswith("stores=") else place for place in places]
    assert elsewhere != places
    out, err = hms("train", *SMALL, "fold=1", *elsewhere)  # needs no store
    assert "is already trained: nothing to do" in err
    assert "fold1_seed0" in out
    _, other = hms("train", *SMALL, "fold=1", *elsewhere, "data.seed=7", code=1)
    assert "asked for format" in other, "the finished fold is of another corpus"
    assert {path: path.stat().st_mtime_ns for path in run.rglob("*")} == before


def test_a_checkpoint_alone_gives_the_out_of_fold_probabilities(sweep: tuple[Path, str], store: Store):
    run, _ = sweep
    oof = pl.read_parquet(run / "fold0_seed0" / "oof.parquet")
    rows = oof.select("label_id").join(store.rows, on="label_id", maintain_order="left")
    found = probabilities([load_model(run / "fold0_seed0")], store, rows, 16, Compute("cpu", flips=True))
    np.testing.assert_allclose(found, oof.select(CLASSES).to_numpy(), atol=1e-6)


def test_predictions_are_the_same_however_many_batches_wait_on_the_device(
    sweep: tuple[Path, str], store: Store, monkeypatch: pytest.MonkeyPatch
):
    models, compute = [load_model(sweep[0] / "fold0_seed0")], Compute("cpu", flips=True)
    together = probabilities(models, store, store.rows[:7], 2, compute)
    monkeypatch.setattr("hms.prediction.inference._MOST_UNREAD", 2)
    np.testing.assert_array_equal(probabilities(models, store, store.rows[:7], 2, compute), together)


def test_flips_are_the_mean_of_four_views(sweep: tuple[Path, str], store: Store):
    run, _ = sweep
    model, rows = load_model(run / "fold0_seed0"), store.rows[:3]
    batch = Windows(store, rows).__getitems__(range(3))
    views = [flip(batch, torch.full((3,), a), torch.full((3,), b)) for a in (False, True) for b in (False, True)]
    with torch.inference_mode():
        mean = torch.stack([model(view).softmax(dim=1) for view in views]).mean(dim=0)
        alone = model(batch).softmax(dim=1)
    assert not torch.allclose(mean, alone, atol=1e-5)
    for flips, expected in ((True, mean), (False, alone)):
        np.testing.assert_allclose(probabilities([model], store, rows, 3, Compute("cpu", flips)), expected, atol=1e-6)


def test_evaluate_scores_every_labelled_row_by_the_mean_of_the_folds(
    sweep: tuple[Path, str], places: list[str], corpus: Path, store: Store, tmp_path: Path
):
    run, _ = sweep
    said, _ = hms("evaluate", str(run), f"out={tmp_path / 'out'}", *places[:3])
    found = json.loads((tmp_path / "out" / "evaluation.json").read_text())
    table = pl.read_parquet(tmp_path / "out" / "predictions.parquet")
    assert found["rows"] == len(table)
    assert {"kl", "top1", "rows", "uniform", "prior", "per_class", "oracle", "gap_closed"} <= set(found)
    assert set(found["per_class"]) == set(CLASSES)
    assert table.columns == ["label_id", "eeg_id", "patient_id", "fold", *VOTE_COLUMNS, *CLASSES]
    assert found["rows_maybe_trained_on"] == len(table)
    known = f"{len(table)} of {len(table)} rows are of patients that the models may have been trained on"
    assert known in said
    assert "by 2 models of 1 run\n" in said
    rows = read_labels(corpus / "train.csv")
    assert sorted(table["label_id"]) == sorted(rows["label_id"])
    models = [load_model(run / f"fold{fold}_seed0") for fold in (0, 1)]
    mean = probabilities(models, store, store.rows, 32, Compute("cpu", flips=True))
    each = dict(zip(store.rows["label_id"], mean, strict=True))
    np.testing.assert_allclose(table.select(CLASSES), np.stack([each[i] for i in table["label_id"]]), atol=1e-5)


def test_evaluations_on_several_folders_are_kept_and_a_copy_of_the_corpus_is_recognised(
    sweep: tuple[Path, str], places: list[str], corpus: Path, tmp_path: Path
):
    fold = sweep[0] / "fold0_seed0"
    rows = pl.read_csv(corpus / "train.csv")[:12]
    held_out = pl.read_parquet(fold / "teacher.parquet")["patient_id"]
    for name, labels in (("copy", rows), ("other", rows.with_columns(pl.col("patient_id") + 100_000))):
        (tmp_path / name).mkdir()
        for kind in ("train_eegs", "train_spectrograms"):
            (tmp_path / name / kind).symlink_to(corpus / kind)
        labels.write_csv(tmp_path / name / "train.csv")
        where = ["data=competition", f"data.root={tmp_path / name}", places[2]]
        said, _ = hms("evaluate", f"runs={fold}", "flips=false", "draws=100", *where)
        (path,) = fold.glob(f"evaluation/{name}-*/evaluation.json")
        known = json.loads(path.read_text())["rows_maybe_trained_on"]
        assert known == (0 if name == "other" else (~rows["patient_id"].is_in(held_out.implode())).sum())
        assert (f"{known} of 12 rows are of patients that the models may have been trained on" in said) == (known > 0)
    assert len([*fold.glob("evaluation/*/predictions.parquet")]) == 2
    shutil.rmtree(fold / "evaluation")


def test_an_evaluation_of_the_model_of_all_patients_has_a_folder_beside_it(
    sweep: tuple[Path, str], places: list[str], tmp_path: Path
):
    run = Path(shutil.copytree(sweep[0], tmp_path / sweep[0].name))
    shutil.copytree(run / "fold0_seed0", run / "foldall_seed0")
    hms("evaluate", str(run), "fold=all", "flips=false", "min_votes=16", "draws=100", *places[:3])
    (path,) = run.rglob("evaluation.json")
    assert path.parents[2] == run / "foldall_seed0"
    assert json.loads(path.read_text())["members"] == [str(run / "foldall_seed0")]
    shutil.copytree(run / "fold0_seed0", run / "foldall_seed1")
    said = said_by("evaluate", [str(run), "fold=all", *places[:3]])
    assert said.endswith("temperature, odds, adapt or fold=all of several seeds, got null\n")


def test_trained_runs_are_compared_and_mixed(sweep: tuple[Path, str], tmp_path: Path):
    run, _ = sweep
    hms("compare", str(run), f"csv={tmp_path / 'table.csv'}")
    (line,) = pl.read_csv(tmp_path / "table.csv").to_dicts()
    assert line["parameters"] == sum(one.numel() for one in load_model(run / "fold0_seed0").parameters())
    assert line["megabytes"] * 1e6 == (run / "fold0_seed0" / "model.ckpt").stat().st_size
    hms("ensemble.__main__", f"runs=['{run}']", f"out={tmp_path / 'out'}", "folds=3", "draws=100")
    held = json.loads((tmp_path / "out" / "ensemble.json").read_text())
    assert held["kl"]["members"] == [pytest.approx(line["kl"])]
    assert held["member_folds"] == {str(run): ["fold0_seed0", "fold1_seed0"]}
    table = pl.read_parquet(tmp_path / "out" / "oof.parquet")
    assert len(table) == held["rows"] == line["rows"]


def test_evaluate_scores_an_ensemble_softens_its_predictions_and_adapts_it(
    sweep: tuple[Path, str], places: list[str], tmp_path: Path
):
    run, _ = sweep
    hms("ensemble.__main__", f"runs=['{run}']", f"out={tmp_path / 'mixed'}", "folds=3", "draws=100")
    fitted = json.loads((tmp_path / "mixed" / "ensemble.json").read_text())["calibration"]
    said, printed = {}, {}
    for name, words in {
        "run": [f"runs={run}"],
        "ensemble": [f"ensemble={tmp_path / 'mixed'}"],
        "softer": [f"runs={run}", "temperature=2"],
        "rarer": [f"runs={run}", "odds.other=0.5"],
        "adapted": [f"runs={run}", "adapt=0.5"],
        "rounded": [f"runs={run}", "precision=bf16-mixed"],
    }.items():
        words += [f"out={tmp_path / name}", "flips=false", "min_votes=16", "draws=100", *places[:3]]
        printed[name], _ = hms("evaluate", *words)
        said[name] = pl.read_parquet(tmp_path / name / "predictions.parquet").select(CLASSES).to_numpy()
    calibration = Calibration(fitted["temperature"], np.array([fitted["bias"][name] for name in CLASSES]))
    np.testing.assert_allclose(said["ensemble"], calibration(said["run"]), atol=1e-9)
    np.testing.assert_allclose(said["softer"], softmax(np.log(said["run"]) / 2, axis=1), atol=1e-9)
    rarer = said["run"] * [1, 1, 1, 1, 1, 0.5]
    np.testing.assert_allclose(said["rarer"], rarer / rarer.sum(axis=1, keepdims=True), atol=1e-9)
    assert 1e-4 < np.abs(said["adapted"] - said["run"]).max() < 0.5
    assert json.loads((tmp_path / "adapted" / "evaluation.json").read_text())["adapt"] == 0.5
    assert 0 < np.abs(said["rounded"] - said["run"]).max() < 0.02
    by = {"run": "", "softer": ", temperature 2", "rarer": ", odds of other x 0.50", "adapted": ", adapted by 0.5"}
    assert all(f"by 2 models of 1 run{words}\n" in printed[name] for name, words in by.items())
    assert f"by 2 models of 1 run, temperature {fitted['temperature']:.3g}" in printed["ensemble"]
    assert json.loads((tmp_path / "rounded" / "evaluation.json").read_text())["precision"] == "bf16-mixed"


def test_evaluate_averages_several_runs_and_gives_a_confidence_interval(
    sweep: tuple[Path, str], places: list[str], tmp_path: Path
):
    run, _ = sweep
    folds = [run / f"fold{fold}_seed0" for fold in (0, 1)]
    each = {}
    for name, words in {"matched": f"{run}/fold*", "both": f"[{folds[0]},{folds[1]}]"}.items():
        said, _ = hms("evaluate", f"runs={words}", f"out={tmp_path / name}", "flips=false", *places[:3])
        each[name] = pl.read_parquet(tmp_path / name / "predictions.parquet")
    assert each["both"].equals(each["matched"])
    found = json.loads((tmp_path / "both" / "evaluation.json").read_text())
    assert found["members"] == [str(fold) for fold in folds]
    low, high = found["kl_interval"]
    assert low < found["kl"] < high
    assert f"KL {found['kl']:.3f}, 95 % interval {low:.3f} to {high:.3f} (bootstrap over patients)" in said


def test_evaluate_rejects_values_out_of_range_and_several_runs_without_a_folder(sweep: tuple[Path, str]):
    run, _ = sweep
    several = "several runs, an ensemble, a bundle, temperature, odds, adapt or fold=all of several seeds"
    folder = f"out: want a folder for {several}"
    said = said_by("evaluate", [str(run / "fold0_seed0"), f"{run}/fold1*"])
    assert f"{folder}, got null" in said
    said = said_by("evaluate", ["runs=[]"])
    assert "runs: want at least one, got none" in said
    said = said_by("evaluate", [])
    assert "runs, ensemble: want one of the two, got neither" in said
    said = said_by("evaluate", [f"runs={run}", "temperature=0"])
    assert "temperature: want more than 0, or null, got 0" in said
    said = said_by("evaluate", [f"runs={run}", "temperature=2"])
    assert f"{folder}, got null" in said
    said = said_by("evaluate", [f"runs={run}", "odds.othr=2"])
    assert "odds.othr: odds takes no 'othr'; did you mean 'other'?" in said
    said = said_by("evaluate", [f"runs={run}", "odds.other=0"])
    assert "odds.other: want more than 0, got 0" in said
    said = said_by("evaluate", [f"runs={run}", "adapt=2"])
    assert "adapt: want a share, 0 to 1, got 2" in said
    said = said_by("evaluate", [f"runs={run}", "batch_size=0"])
    assert "batch_size: want 1 or more (below 2^32), got 0" in said
    file = run / "fold0_seed0" / "config.yaml"
    said = said_by("evaluate", [f"runs={run}", f"out={file}/x", "stores=/dev/null"])  # before a store is looked for
    assert f"out: cannot write to '{file}/x' (Not a directory)" in said
    said = said_by("evaluate", [f"runs={run}", "draws=0"])
    assert "draws: want 100 or more (below 2^32), got 0" in said


def test_the_real_folder_prepares_trains_and_is_evaluated(tmp_path: Path):
    places = ["data=competition", f"data.root={real('data/hms_real')}", f"stores={tmp_path / 'stores'}"]
    assert "12 rows, 12 EEGs, 12 patients" in hms("prepare", *places)[0]
    hms("train", *SMALL, *places, f"runs={tmp_path / 'runs'}")
    (oof,) = tmp_path.glob("runs/smoke-*/fold0_seed0/oof.parquet")
    assert 1 <= len(pl.read_parquet(oof)) <= 4
    hms("evaluate", f"runs={oof.parents[1]}", *places)
    (path,) = oof.parents[1].glob("evaluation/hms_real-*/evaluation.json")
    found = json.loads(path.read_text())
    assert path.parent.name == f"hms_real-{found['corpus'][:8]}"
    assert [found["rows"], round(found["uniform"], 3)] == [12, 1.640]


def test_a_sweep_gives_each_fold_a_wandb_run_in_one_group_offline_and_without_an_account(
    places: list[str], tmp_path: Path
):
    words = ["pretrain=low_votes", "pretrain.epochs=1", "logger=wandb", "epochs=1", "fold=0,1"]
    hms("train", "-m", *SMALL, *words, *places[:3], f"runs={tmp_path}")
    for fold in (0, 1):
        (file,) = tmp_path.glob(f"smoke-*/fold{fold}_seed0/wandb/offline-run-*/*.wandb")
        written = file.read_bytes()
        named = (file.parents[3].name, f"fold{fold}_seed0", "hms.extractor.stft.Stft")  # group, name, config
        for said in (*named, "pretrain-val_kl", "oof/kl", "oof/kl_lpd", "oof/gap_closed"):
            assert said.encode() in written
    with open_loggers(config("logger=wandb")["logger"], file.parents[2], {}) as loggers:
        versions = [logger.version for logger in loggers]
    assert versions == [file.stem.removeprefix("run-")]  # a resumed fold continues it


def test_prepare_counts_rows_of_little_use_and_files_that_no_row_names(corpus: Path, store: Store, tmp_path: Path):
    copy = Path(shutil.copytree(corpus, tmp_path / "copy", ignore=shutil.ignore_patterns("test*")))
    one, two = pl.read_csv(copy / "train.csv").partition_by("eeg_id", maintain_order=True)[:2]
    flat, gaps = (copy / "train_eegs" / f"{rows['eeg_id'][0]}.parquet" for rows in (one, two))
    shutil.copy(flat, copy / "train_eegs" / "1.parquet")
    pl.read_parquet(flat).with_columns(pl.lit(3, pl.Float32).alias("Cz"), EKG=pl.lit(0, pl.Float32)).write_parquet(flat)
    eeg = pl.read_parquet(gaps)
    some = pl.int_range(pl.len()) % 100 < 11
    eeg.with_columns(pl.when(~some).then(pl.col(name)).alias(name) for name in eeg.columns).write_parquet(gaps)
    words = ["data=competition", f"data.root={copy}"]
    constant, missing = store.flaws.constant + len(one), store.flaws.missing + len(two)
    told = (
        f"{counted(constant, 'row')} with a constant scalp channel, {counted(missing, 'row')} with over a tenth of the "
        "samples missing, 1 EEG file that no row names\n"
    )
    for _ in range(2):  # also from the finished store
        assert hms("prepare", *words, f"stores={tmp_path / 'stores'}")[0].startswith(told)
    hms("prepare", *words, f"stores={tmp_path / 'sharded'}", "shards=2", "shard=0")
    assert hms("prepare", *words, f"stores={tmp_path / 'sharded'}", "shards=2", "shard=1")[0].startswith(told)


def test_prepare_says_that_missing_spectrograms_are_computed(corpus: Path, tmp_path: Path):
    copy = shutil.copytree(corpus, tmp_path / "copy", ignore=shutil.ignore_patterns("train_spectrograms", "test*"))
    _, err = hms("prepare", "data=competition", f"data.root={copy}", f"stores={tmp_path}")
    assert f"{copy}: has no train_spectrograms: spectrograms are computed from the EEG" in err


def test_jobs_of_a_sweep_that_fail_alike_are_told_why_once_and_the_others_train(
    sweep: tuple[Path, str], places: list[str]
):
    run, _ = sweep
    out, err = hms("train", "-m", *SMALL, "optimizer.lr=1e38,1e-4", "fold=0,1", *places, code=1)
    told = f"{' '.join(SMALL)} optimizer.lr=1e+38 fold=0 {' '.join(places)}: {OVERFLOW}"
    assert [line for line in err.splitlines() if "overflow" in line] == [told]
    other = rf"{run.parent}/smoke-(?!{run.name[6:]})\w+/fold0_seed0"
    names = rf"\n  optimizer\.lr=1e\+38 fold=0 \({other}\)\n  .*fold=1 \(.*\)\n"
    assert re.search(rf"\n2 of 4 jobs did not finish, as told above:{names}$", err)
    assert f"{run / 'fold1_seed0'} is already trained: nothing to do" in err
    assert "Error executing" not in err  # Hydra would tell the first reason again
    assert "best first" in out


def test_jobs_of_a_sweep_are_named_by_their_reasons(places: list[str], tmp_path: Path):
    words = ["-m", *SMALL, "optimizer.eps=-1,-2", *places[:3], f"runs={tmp_path}"]
    said = said_by("train", [*words, "fold=0,1"])
    for eps in ("-1", "-2"):
        why = f"optimizer, schedule or trainer: Invalid epsilon value: {eps}"
        names = rf"\n  optimizer\.eps={eps} fold=0 \(.*\)\n  .*fold=1 \(.*\)$"
        assert re.search(rf"^2 of 4 jobs did not finish \({re.escape(why)}\):{names}", said, re.MULTILINE)
        assert said.count(f": {why}\n") == 1
    said = said_by("train", words)
    assert re.search(r"\n2 of 2 jobs did not finish, as told above:\n  .*eps=-1 \(.*\)\n  .*eps=-2 \(.*\)$", said)
    said = said_by("train", [word.replace("-1,-2", "-1") for word in words])
    assert re.search(r"\n1 of 1 jobs did not finish, as told above:\n  \(.*fold0_seed0\)$", said)


def test_a_sweep_without_its_corpus_is_refused_before_its_first_job(places: list[str], tmp_path: Path):
    words = ["-m", "fold=0,1", "data=competition", f"data.root={tmp_path / 'nowhere'}", *places[2:]]
    why = f"data.root: want a folder with train.csv, got '{tmp_path / 'nowhere'}' (no such folder)"
    assert said_by("train", words) == f"{why}\n"
    said = said_by("prepare", ["-m", "shard=0,1", "shards=2", *words[2:-1]])
    jobs = "2 of 2 jobs did not finish, as told above:\n  shard=0\n  shard=1\n"
    assert said == f"shard=0 shards=2 {' '.join(words[2:-1])}: {why}\n{jobs}"


def test_a_sweep_with_an_impossible_corpus_reports_it(tmp_path: Path):
    said = said_by("train", ["-m", "fold=0,1", "data.seed=-1", f"runs={tmp_path}"])
    assert said == "data.seed: want at least 0, got -1\n"


def test_a_shown_sweep_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    out, _ = hms("train", "-m", "show=true", "extractor=stft_short", "fold=0,1")
    assert out.count("A training step of 16 windows") == 2
    assert list(tmp_path.iterdir()) == []


def test_a_sweep_that_finds_an_unreadable_fold_ends_with_one_line(
    sweep: tuple[Path, str], places: list[str], tmp_path: Path
):
    shutil.copytree(sweep[0], tmp_path / sweep[0].name)
    spoilt = tmp_path / sweep[0].name / "fold0_seed0/oof.parquet"
    spoilt.write_text("no table")
    said = said_by("train", ["-m", *SMALL, "fold=1", *places[:3], f"runs={tmp_path}"])
    assert said.splitlines()[-1].startswith(f"{spoilt}: ")


def test_a_sweep_over_lists_of_extractors_leaves_a_run_for_each_whatever_fails(places: list[str], tmp_path: Path):
    extractors = "extractor=[stft_short],[stft_short,raw_image]"
    words = ["experiment=smoke", "epochs=1", "flips=false", extractors, "optimizer.lr=1e38,1e-4"]
    _, err = hms("train", "-m", *words, *places[:3], f"runs={tmp_path}", code=1)
    rate = r"optimizer\.lr=1e\+38"
    assert re.search(rf"^experiment=smoke .*extractor=\[stft_short\] {rate} .*: {OVERFLOW}", err, re.MULTILINE)
    assert "2 of 4 jobs did not finish, as told above:\n  'extractor=[stft_short]' optimizer.lr=1e+38 (" in err
    made = sorted(tmp_path.glob("smoke-*/fold0_seed0/scores.json"))
    assert len(made) == 2
    chosen = [[*yaml.safe_load((file.parent / "config.yaml").read_text())["extractor"]] for file in made]
    assert sorted(chosen, key=len) == [["stft_short"], ["stft_short", "raw_image"]]


def test_a_student_is_taught_by_an_earlier_sweep(sweep: tuple[Path, str], places: list[str], tmp_path: Path):
    run = Path(shutil.copytree(sweep[0], tmp_path / "teacher"))
    for file in run.glob("*/config.yaml"):
        file.write_text(file.read_text().replace("folds: 5", "folds: 2"))
    taught = ["experiment=[smoke,student]", "name=student", f"augmentation.teacher_labels.runs=[{run}]"]
    taught += ["extractor=stft_short", "epochs=1"]
    hms("train", *taught, "augmentation.teacher_labels.p=1", "fold=1", *places)
    (scores,) = Path(places[-1].removeprefix("runs=")).glob("student-*/fold1_seed0/scores.json")
    made = yaml.safe_load((scores.parent / "config.yaml").read_text())
    assert [*made["augmentation"]] == ["brain_flip", "teacher_labels"]


LOGITS = """
import sys, numpy, torch, hms
from pathlib import Path
from hms.batch import unlabelled
from hms.runs.checkpoint import load_model
assert not (Path(hms.__file__).parents[1] / "conf").exists(), "conf/ is beside hms/"
eeg = torch.from_numpy(numpy.load("eeg.npy"))
with torch.inference_mode():
    logits = load_model(Path("fold"))(unlabelled(eeg, None, torch.arange(3)))
numpy.save("logits.npy", logits.numpy())
"""


def test_a_run_folder_alone_gives_the_same_logits_to_the_bit(sweep: tuple[Path, str], tmp_path: Path):
    fold = sweep[0] / "fold0_seed0"
    shutil.copytree(ROOT / "hms", tmp_path / "hms", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(fold, tmp_path / "fold")
    eeg = np.random.default_rng(0).normal(0, 30, (3, 20, 10000)).astype("float32")
    np.save(tmp_path / "eeg.npy", eeg)
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    done = subprocess.run(python("-c", LOGITS), cwd=tmp_path, env=environment, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    alone = np.load(tmp_path / "logits.npy")
    with torch.inference_mode():
        here = load_model(fold)(unlabelled(torch.from_numpy(eeg), None, torch.arange(3)))
    assert here.shape == (3, 6)
    assert (here.numpy() == alone).all()


def test_a_users_own_option_has_its_name_where_runs_are_compared(places: list[str], tmp_path: Path):
    (tmp_path / "conf/fusion").mkdir(parents=True)
    (tmp_path / "conf/fusion/mine.yaml").write_text((ROOT / "conf/fusion/attention.yaml").read_text())
    words = [*SMALL, "epochs=1", "flips=false", "fusion=concat,mine", *places[:3], f"runs={tmp_path / 'runs'}"]
    swept, _ = hms("train", "-m", "--config-dir", str(tmp_path / "conf"), *words)
    shutil.rmtree(tmp_path / "conf")
    for printed in (swept, hms("compare", f"{tmp_path}/runs/*")[0]):
        shown = [line.rpartition(": ")[2] for line in printed.splitlines() if line.startswith(f"  {tmp_path}")]
        assert sorted(shown) == ["fusion=concat", "fusion=mine"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["fold=5"], "fold: want 0 to 4 (folds=5) or all, got 5"),
        (["folds=99"], "folds: want 2 to 12 (the number of patients), got 99; set folds=12"),
        (["trainer.max_epochs=3"], "trainer.max_epochs: want epochs = 14, which schedule and averaging follow, got 3"),
        (["optimizer.lr=-1"], "optimizer.lr: want 0 or more, got -1"),
        (["optimizer.weight_decay=-1e-4"], "optimizer.weight_decay: want 0 or more, got -0.0001"),
        (["pretrain=low_votes", "pretrain.optimizer.lr=nan"], "pretrain.optimizer.lr: want 0 or more, got nan"),
        (
            ["subset=low_votes_too", "subset.max_votes=9"],
            "subset.max_votes: want at least subset.validation_votes = 10, or there would be no row to validate on,",
        ),
        (["subset.min_votes=29"], "subset: no row for training in fold 0"),
        (
            ["live=simulated", "fold=1"],
            "fold: want 0 or all with live, which learns from no fold, got 1; vary seed",
        ),
        (
            ["live=simulated", "pretrain=low_votes"],
            "pretrain: want none with live, whose windows have no subset; got both",
        ),
        (
            ["live=simulated", "augmentation=teacher_labels", "augmentation.teacher_labels.runs=[x]"],
            "augmentation: no teacher has seen the windows of live; leave teacher_labels out",
        ),
        (
            ["callbacks=early_stopping", "callbacks.early_stopping.monitor=val_loss"],
            "callbacks.early_stopping.monitor: want train_loss or val_kl, got 'val_loss'; did you mean 'val_kl'?",
        ),
        (
            ["callbacks=early_stopping", "fold=all"],
            "callbacks.early_stopping.monitor: want train_loss with fold=all, which validates on none, got 'val_kl'",
        ),
        (
            [*PLATEAU, "fold=all"],
            "schedule: want one that needs no validation with fold=all, got ReduceLROnPlateau",
        ),
        (
            [*PLATEAU, "trainer.check_val_every_n_epoch=2"],
            "schedule: want one that needs no validation with trainer.check_val_every_n_epoch=2, got ReduceLROnPlateau",
        ),
        (
            ["callbacks=early_stopping", "trainer.limit_val_batches=0"],
            "callbacks.early_stopping.monitor: want train_loss with trainer.limit_val_batches=0, which validates on",
        ),
        (
            ["callbacks=early_stopping", "trainer.check_val_every_n_epoch=5", "epochs=4"],
            "want train_loss with trainer.check_val_every_n_epoch=5 and epochs=4, which validates on none, got",
        ),
        (
            ["optimizer._target_=timm.optim.Adahessian"],
            "optimizer: want no Adahessian: it needs gradients of gradients",
        ),
        (["trainer.accumulate_grad_batches=0"], "trainer.accumulate_grad_batches: want 1 or more, got 0"),
        (["trainer.accumulate_grad_batches=-1"], "trainer.accumulate_grad_batches: want 1 or more, got -1"),
        (["trainer.gradient_clip_val=-3"], "trainer.gradient_clip_val: want 0 or more, where 0 clips nothing, got -3"),
        (
            ["trainer.gradient_clip_val=nan"],
            "trainer.gradient_clip_val: want 0 or more, where 0 clips nothing, got nan",
        ),
        (["trainer.log_every_n_steps=-1"], "trainer.log_every_n_steps: want 0 or more, got -1"),
        (["trainer.val_check_interval=0"], "trainer.val_check_interval: want more than 0, or null, got 0"),
        (
            ["batch_size=8", "trainer.limit_train_batches=0.3"],
            "trainer.limit_train_batches: want one batch or more in each epoch, got 0.3 of 2",
        ),
        (
            ["live=simulated", "trainer.limit_train_batches=0.001"],
            "trainer.limit_train_batches: want one batch or more in each epoch, got 0.001 of 125",
        ),
        (
            ["pretrain=low_votes", "batch_size=8", "trainer.limit_train_batches=0.6"],
            "trainer.limit_train_batches: want one batch or more in each epoch, got 0.6 of 1",
        ),
        (
            ["batch_size=2", "trainer.limit_val_batches=0.4"],
            "trainer.limit_val_batches: want one batch or more, or 0 for no validation, got 0.4 of 2",
        ),
        (
            ["batch_size=4", "trainer.val_check_interval=5"],
            "trainer.val_check_interval: want at most 4, the batches of an epoch, or trainer.check_val_every",
        ),
        (
            ["batch_size=4", "trainer.limit_train_batches=2", "trainer.val_check_interval=3"],
            "trainer.val_check_interval: want at most 2, the batches of an epoch, or trainer.check_val_every",
        ),
        (["trainer.callbacks=[]"], "trainer.callbacks: set by hms itself; leave it out"),
        (
            ["trainer.precision=64-true"],
            "trainer.precision: want 32-true, 16-mixed or bf16-mixed, got 64-true",
        ),
        (
            ["extractor.stft.hop_length=0"],
            "extractor.stft.hop_length: want 1 to 9810, for two frames in span_s, got 0",
        ),
        (["fusion=attention", "fusion.layers=0"], "fusion.layers: want at least 1, got 0"),
        (
            ["backbone=hgnetv2", "backbone.pretrained=false", "backbone.drop_path_rate=1"],
            "backbone.drop_path_rate: want 0 up to less than 1, got 1",
        ),
        (
            ["backbone=hgnetv2", "backbone.pretrained=false", "backbone.image.name=resnet1"],
            "backbone.image.name: want a network that timm can build (Unknown model (resnet1)), got 'resnet1'",
        ),
        (
            ["backbone=hgnetv2", "backbone.pretrained=false", "backbone.image.name=mambaout_femto"],
            "backbone.image.name: want a network that can serve here (want feature maps of batch, channel, height, ",
        ),
        (["backbone.image.instance=2"], "backbone.image.instance: want a share, 0 to 1, got 2"),
        (
            ["extractor=[stft,stft_cosine]", *(f"extractor.{name}.hop_length=0" for name in ("stft", "stft_cosine"))],
            "hms.extractor.stft.Stft: hop_length: want 1 to 9810, for two frames in span_s, got 0",  # in either
        ),
        (["backbone=hgnetv2", "backbone.weights=nowhere"], "backbone.weights: want a file or a folder with weights of"),
        (
            ["loss._target_=os.system"],
            "(HMS_ALLOW, set before Python starts, adds a package of yours), got 'os.system'",
        ),
    ],
)
def test_a_mistake_ends_with_one_line_and_no_folder(arguments, message, places, tmp_path):
    said = said_by("train", [*arguments, *places[:3], f"runs={tmp_path / 'runs'}"])
    *above, line = said.splitlines()
    assert message in line
    assert above in ([], ["1 problem(s) in the config:"])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(torch.accelerator.is_available(), reason="this machine has a GPU")
@pytest.mark.parametrize("trainer", ["gpu", "ddp"])
def test_training_on_a_gpu_that_is_not_there_names_the_trainers_to_use(trainer: str, places: list[str], tmp_path: Path):
    said = said_by("train", ["-m", "seed=1,2,3", f"trainer={trainer}", *places[:3], f"runs={tmp_path / 'runs'}"])
    want = "trainer.accelerator: want trainer=cpu or trainer=auto, as this machine has no GPU, got 'gpu'\n"
    assert said == want
    assert not (tmp_path / "runs").exists()


def test_all_that_this_machine_lacks_is_named_before_the_first_job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    where = ["data=competition", f"data.root={tmp_path / 'x'}", f"runs={tmp_path / 'runs'}"]
    said = said_by("train", ["-m", "experiment=smoke", "backbone=tiny,hgnetv2", "fold=0,1", *where])
    corpus, weights = said.splitlines()[1:]
    assert corpus == f"  data.root: want a folder with train.csv, got '{tmp_path / 'x'}' (no such folder)"
    assert weights.startswith("  backbone: no pretrained weights for 'hgnetv2_b4.ssld_stage2_ft_in1k' from the hub (")
    instead = "give a file or folder with backbone.weights=/path, or start from random with backbone.pretrained=false"
    assert weights.endswith(f"{instead} (only with backbone=hgnetv2: run those jobs apart)")
    assert list(tmp_path.iterdir()) == []


def test_a_missing_folder_is_named(tmp_path):
    where = ["data=competition", f"data.root={tmp_path / 'x'}", f"stores={tmp_path}"]
    said = said_by("prepare", where)
    assert f"data.root: want a folder with train.csv, got '{tmp_path / 'x'}' (no such folder)" in said
    said = said_by("evaluate", [f"runs={tmp_path}"])
    assert f"{tmp_path}: no finished fold here; a run is a folder such as runs/<name>-<hash>" in said
    (data := tmp_path / "my data").mkdir()
    (data / "train.csv").touch()
    named = f"it is a corpus, which data=competition 'data.root={data}' names"
    assert said_by("evaluate", [f"runs='{data}'"]).endswith(f"{data}: no finished fold here; {named}\n")
