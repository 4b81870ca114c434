"""Folders whose names a shell, Hydra or Polars could take for something else: spaces, commas, brackets, =."""

import shutil
from pathlib import Path

import polars as pl
import pytest
from commands import SMALL, hms

from hms import load
from hms.data.tables import read_labels
from hms.errors import DataError
from hms.labels import CLASSES
from hms.train import main as train

ODD, MATCHED = "d [1], lr=1", "d 1, lr=1"
"""A name, and another one that it matches if it is taken for a pattern."""

pytestmark = pytest.mark.filterwarnings("ignore:.*LeafSpec.*", "ignore:.*weights_only.*", "ignore:.*srun.*")


def test_a_word_with_an_equals_sign_names_a_path_if_it_has_that_of_no_key(tmp_path: Path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("lr=0.1", "runs/lr=0.1", "csv=x"):
        Path(name).mkdir(parents=True)
    assert "no finished run matches lr=0.1, runs/lr=0.1" in hms("compare", "lr=0.1", "runs/lr=0.1", "csv=x", code=1)[1]
    assert "no finished run matches lr=*" in hms("compare", "lr=*", code=1)[1]
    assert "no finished run matches gone/lr=1" in hms("compare", "gone/lr=1", code=1)[1]
    assert "lr: compare takes no 'lr'" in hms("compare", "lr=3", code=1)[1]
    assert "runs/lr: compare takes no 'runs/lr'" in hms("compare", "runs/lr=3", code=1)[1]


def test_a_path_may_begin_with_the_users_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    chosen = train.config("runs='~/r'", "data=competition", "data.root='~/d'", "name='a~b'")
    assert (chosen["runs"], chosen["data"]["root"], chosen["name"]) == (f"{tmp_path}/r", f"{tmp_path}/d", "a~b")
    bare = train.config("runs=~/r", "data=competition", "data.root=~/d", "name='a~b'")
    assert bare == chosen
    assert f"no finished run matches {tmp_path}/a, {tmp_path}/b" in hms("compare", "runs=[~/a,~/b]", code=1)[1]
    assert f"no finished run matches {tmp_path}/gone*" in hms("compare", "runs=['~/gone*']", code=1)[1]
    with pytest.raises(DataError, match=rf"^{tmp_path}/gone: no such folder"):
        load("~/gone")


def test_every_command_reads_and_writes_the_folders_that_are_named(corpus: Path, tmp_path: Path):
    odd, data = tmp_path / ODD, tmp_path / ODD / "data"
    shutil.copytree(corpus, data)
    for part in ("train", "test"):
        (tmp_path / MATCHED / "data").mkdir(parents=True, exist_ok=True)
        pl.read_csv(data / f"{part}.csv", glob=False)[:1].write_csv(tmp_path / MATCHED / "data" / f"{part}.csv")
    assert len(read_labels(data / "train.csv")) > 1
    corpus_is = ["data=competition", f"data.root='{data}'"]
    stores = f"stores='{odd / 'stores'}'"
    hms("prepare", *corpus_is, stores)
    hms("train", "-m", *SMALL, "fold=0,1", *corpus_is, stores, f"runs='{odd / 'runs'}'", "name='m[1]=a, b'")
    (run,) = (odd / "runs").iterdir()
    hms("evaluate", str(run), *corpus_is, stores, "accelerator=cpu", "flips=false")
    hms("submit", str(run), *corpus_is, f"out='{odd / 'sub[1].csv'}'", "accelerator=cpu", "flips=false")
    hms("compare", str(run), f"csv='{odd / 'runs[1].csv'}'")
    hms("report.__main__", str(run), stores)
    hms("export.__main__", str(run), f"out='{odd / 'bundle[1]'}'")
    held_out = pl.concat(pl.read_parquet(fold / "oof.parquet", glob=False) for fold in run.glob("fold*"))
    rows = pl.read_csv(data / "train.csv", glob=False).join(held_out, "label_id", "semi")
    flat = rows.select(
        "eeg_id", "eeg_sub_id", "label_id", *(pl.lit(1 / 6).alias(f"{name}_prediction") for name in CLASSES)
    )
    flat.write_csv(odd / "flat[1].csv")
    labels = [f"oof=['{odd / 'flat[1].csv'}']", f"labels='{data / 'train.csv'}'", "draws=100", "folds=2"]
    hms("ensemble.__main__", str(run), *labels, f"out='{odd / 'both[1]'}'")
    assert {path.name for path in odd.iterdir()} >= {"data", "stores", "runs", "sub[1].csv", "runs[1].csv", "both[1]"}
