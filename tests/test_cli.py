"""The commands that users type, on a tiny corpus; their files are contracts that others rely on."""

import importlib
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch
import yaml
from conftest import ROOT, real

from hms.batch import Batch
from hms.files import read_labels
from hms.folds import patient_folds
from hms.labels import CLASSES, VOTE_COLUMNS
from hms.runs import load_model
from hms.store import Store
from hms.subset import Subset
from hms.windows import Windows


def hms(command: str, *arguments: str, cwd: Path = ROOT) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-m", f"hms.{command}", *arguments], cwd=cwd, capture_output=True, text=True, check=False
    )


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory, corpus: Path) -> list[str]:
    base = tmp_path_factory.mktemp("cli")
    return [f"data.root={corpus}", "data.size=tiny", f"stores={base / 'stores'}", f"runs={base / 'runs'}"]


@pytest.fixture(scope="module")
def sweep(places: list[str]) -> tuple[Path, str]:
    """Run folder and output of two folds of the smoke experiment."""
    done = hms("train", "-m", "experiment=smoke", "fold=0,1", *places)
    assert done.returncode == 0, done.stderr
    (run,) = Path(places[-1].removeprefix("runs=")).glob("smoke-*")
    return run, done.stdout


def test_a_sweep_leaves_a_folder_per_fold_with_everything_about_it(sweep: tuple[Path, str]):
    run, _ = sweep
    assert sorted(path.name for path in run.iterdir()) == ["fold0_seed0", "fold1_seed0"]
    for fold in run.iterdir():
        expected = "config.yaml metrics.csv model.ckpt oof.parquet provenance.json scores.json"
        assert sorted(path.name for path in fold.iterdir()) == expected.split()
    about = json.loads((run / "fold0_seed0" / "provenance.json").read_text())
    assert about["packages"]["torch"] == torch.__version__.split("+")[0]
    assert yaml.safe_load((run / "fold1_seed0" / "config.yaml").read_text())["fold"] == 1
    metrics = pl.read_csv(run / "fold0_seed0" / "metrics.csv")
    assert metrics["epoch"].to_list() == [0, 1]
    assert {"train_loss", "val_kl", "learning_rate", "seconds"} <= set(metrics.columns)


def test_out_of_fold_files_hold_the_held_out_patients_rows(sweep: tuple[Path, str], corpus: Path):
    run, _ = sweep
    rows = read_labels(corpus / "train.csv")
    folds = patient_folds(rows)
    for fold in (0, 1):
        oof = pl.read_parquet(run / f"fold{fold}_seed0" / "oof.parquet")
        assert oof.columns == ["label_id", "eeg_id", "patient_id", "fold", *VOTE_COLUMNS, *CLASSES]
        held_out = Subset(1, None, 25).validation(rows.join(folds.filter(fold=fold), on="patient_id"))
        assert sorted(oof["label_id"]) == sorted(held_out["label_id"])
        assert set(oof["fold"]) == {fold}
        np.testing.assert_allclose(oof.select(CLASSES).sum_horizontal(), 1, rtol=1e-6)


def test_the_table_names_folds_classes_and_marks(sweep: tuple[Path, str]):
    _, printed = sweep
    for word in ("fold0_seed0", "fold1_seed0", " all ", *CLASSES, "uniform", "prior", "oracle", "gap closed"):
        assert word in printed


def test_the_same_command_again_trains_nothing(sweep: tuple[Path, str], places: list[str]):
    run, _ = sweep
    before = {path: path.stat().st_mtime_ns for path in run.rglob("*")}
    again = hms("train", "experiment=smoke", "fold=1", *places)
    assert again.returncode == 0
    assert "is trained already: nothing to do" in again.stderr
    assert "fold1_seed0" in again.stdout
    assert {path: path.stat().st_mtime_ns for path in run.rglob("*")} == before


def test_a_checkpoint_alone_gives_the_out_of_fold_probabilities(sweep: tuple[Path, str], store):
    run, _ = sweep
    oof = pl.read_parquet(run / "fold0_seed0" / "oof.parquet")
    model = load_model(run / "fold0_seed0")
    index = [store.rows["label_id"].to_list().index(label_id) for label_id in oof["label_id"]]
    batch: Batch = Windows(store, store.rows).__getitems__(index)
    with torch.inference_mode():
        np.testing.assert_allclose(model(batch).softmax(dim=1), oof.select(CLASSES).to_numpy(), atol=1e-6)


def test_evaluate_scores_every_labelled_row_by_the_mean_of_the_folds(
    sweep: tuple[Path, str], places: list[str], corpus: Path, store: Store, tmp_path: Path
):
    run, _ = sweep
    done = hms("evaluate", f"run={run}", f"out={tmp_path / 'out'}", *places[:3])
    assert done.returncode == 0, done.stderr
    found = json.loads((tmp_path / "out" / "evaluation.json").read_text())
    table = pl.read_parquet(tmp_path / "out" / "predictions.parquet")
    assert found["rows"] == len(table)
    assert {"kl", "top1", "rows", "uniform", "prior", "per_class", "oracle", "gap_closed"} <= set(found)
    assert set(found["per_class"]) == set(CLASSES)
    assert table.columns == ["label_id", "eeg_id", "patient_id", "fold", *VOTE_COLUMNS, *CLASSES]
    assert "was trained on this corpus" in done.stdout
    rows = read_labels(corpus / "train.csv")
    assert sorted(table["label_id"]) == sorted(rows["label_id"])
    batch = Windows(store, store.rows).__getitems__(range(len(store.rows)))
    with torch.inference_mode():
        each = [load_model(run / f"fold{fold}_seed0")(batch).softmax(dim=1) for fold in (0, 1)]
    mean = dict(zip(store.rows["label_id"], torch.stack(each).mean(dim=0).numpy(), strict=True))
    np.testing.assert_allclose(table.select(CLASSES), np.stack([mean[i] for i in table["label_id"]]), atol=1e-5)


def test_the_real_folder_prepares_trains_and_is_evaluated(tmp_path: Path):
    places = ["data=competition", f"data.root={real('data/hms_real')}", f"stores={tmp_path / 'stores'}"]
    done = hms("prepare", *places)
    assert done.returncode == 0, done.stderr
    assert "12 rows, 12 EEGs, 12 patients" in done.stdout
    done = hms("train", "experiment=smoke", *places, f"runs={tmp_path / 'runs'}")
    assert done.returncode == 0, done.stderr
    (oof,) = tmp_path.glob("runs/smoke-*/fold0_seed0/oof.parquet")
    assert 1 <= len(pl.read_parquet(oof)) <= 4
    done = hms("evaluate", f"run={oof.parents[1]}", *places)
    assert done.returncode == 0, done.stderr
    found = json.loads((oof.parents[1] / "evaluation" / "evaluation.json").read_text())
    assert [found["rows"], round(found["uniform"], 3)] == [12, 1.640]


def test_wandb_works_offline_without_an_account(places: list[str], tmp_path: Path):
    done = hms("train", "experiment=smoke", "logger=wandb", "epochs=1", *places[:3], f"runs={tmp_path}")
    assert done.returncode == 0, done.stderr
    (folder,) = tmp_path.glob("smoke-*/fold0_seed0/wandb")
    assert list(folder.glob("offline-run-*/*.wandb"))


def said_by(command: str, arguments: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> str:
    """What a command that fails writes to stderr; in this process, because importing torch takes so long."""
    module = importlib.import_module(f"hms.{command}")
    monkeypatch.setattr(sys, "argv", [f"hms.{command}", *arguments])
    with pytest.raises(SystemExit) as ended:
        module.main()
    assert ended.value.code == 1
    printed = capsys.readouterr().err
    assert "Traceback" not in printed
    return printed


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["fold=5"], "fold: want 0 to 4 (folds=5), got 5"),
        (["folds=99"], "folds: want 2 to 12 (the number of patients), got 99"),
        (["subset.min_votes=29"], "subset: no row for training in fold 0"),
        (["extractor.stft.hop_length=0"], "hms.extractor.stft.Stft: hop_length: want at least 1, got 0"),
        (["backbone=hgnetv2", "backbone.weights=nowhere"], "backbone.weights: want a file or a folder with weights of"),
        (
            ["loss._target_=os.system"],
            "want a name that starts with hms., torch.optim., lightning.Trainer or lightning.pytorch., got 'os.system'",
        ),
    ],
)
def test_a_mistake_ends_with_one_line_and_no_folder(arguments, message, places, tmp_path, monkeypatch, capsys):
    said = said_by("train", [*arguments, *places[:3], f"runs={tmp_path / 'runs'}"], monkeypatch, capsys)
    assert message in said
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_not_there_is_named(tmp_path, monkeypatch, capsys):
    where = ["data=competition", f"data.root={tmp_path / 'x'}", f"stores={tmp_path}"]
    said = said_by("prepare", where, monkeypatch, capsys)
    assert f"data.root: want a folder with train.csv, got '{tmp_path / 'x'}' (no such folder)" in said
    said = said_by("evaluate", [f"run={tmp_path}"], monkeypatch, capsys)
    assert f"{tmp_path}: no finished fold here; a run is a folder such as runs/<name>-<hash>" in said
