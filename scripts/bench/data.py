"""(a) Build a store from parquet files. (b) Load batches from a store."""

import os
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import polars as pl
import torch
from torch.utils.data import DataLoader

from hms.config.build import build
from hms.data.store import build_store
from hms.data.windows import Windows
from hms.system.memory import keep_freed
from scripts.bench.measure import Figure, peak_mb, ratio
from scripts.bench.setting import DEVICE, config, store
from scripts.plain_reference import PlainWindows

BATCH = 16
COPIES, ID_STEP = 10, 10**10  # copies of the corpus, and the distance between their ids


def store_build(folder: Path, pairs: int) -> Iterator[Figure]:
    """Against merely reading the same parquet files with Polars, in as many threads."""
    root, target = _copies(store(folder).rows, folder), folder / "again"
    files = [*(root / "train_eegs").iterdir(), *(root / "train_spectrograms").iterdir()]

    def read() -> None:
        with ThreadPoolExecutor() as threads:
            for _ in threads.map(pl.read_parquet, files):
                pass

    def build_again() -> None:
        shutil.rmtree(target, ignore_errors=True)
        build_store(root, target)

    mb = peak_mb(build_again)
    description = "store build / reading its parquet files with Polars"
    yield Figure("a_store_build_over_polars", ratio(build_again, read, pairs), description, "<= 2", mb)


def batches(folder: Path, pairs: int) -> Iterator[Figure]:
    """From files on disk to filtered, scaled pairs with noise, 24 per window."""
    keep_freed()
    settings = config("preprocess=original", "montage=pairs24", "augmentation=[noise]")
    preprocess, noise = build(settings["preprocess"]).to(DEVICE), build(settings["augmentation"]["noise"])
    opened = store(folder)
    rows = opened.rows.sort("label_id").head(4 * BATCH)
    (folder / "npy").mkdir(exist_ok=True)
    for label_id, start in rows.select("label_id", "eeg_start").rows():
        np.save(folder / "npy" / f"{label_id}.npy", opened.eeg[start : start + 10_000].astype(np.float32))
    plain = PlainWindows(folder / "npy", rows["label_id"].to_list(), preprocess.montage.pairs, noise.sigma)

    def ours() -> None:
        with torch.no_grad():
            for batch in Windows(opened, rows).loader(BATCH):
                noise(preprocess(batch._replace(eeg=batch.eeg.to(DEVICE))))

    def theirs() -> None:
        for batch in DataLoader(plain, BATCH):
            batch.to(DEVICE)

    mb = peak_mb(ours)
    description = "plain code, a sample at a time / a batch from the store"
    yield Figure("b_plain_batch_over_batch", ratio(theirs, ours, pairs), description, ">= 8", mb)


def _copies(rows: pl.DataFrame, folder: Path) -> Path:
    """Many hard-linked copies of the tiny corpus, which make the fixed cost of a build negligible."""
    tiny, root = folder / "tiny", folder / "many"
    for part in ("train_eegs", "train_spectrograms"):
        (root / part).mkdir(parents=True)
        for file in (tiny / part).iterdir():
            for copy in range(COPIES):
                os.link(file, root / part / f"{int(file.stem) + copy * ID_STEP}.parquet")
    ids = [name for name in rows.columns if name.endswith("_id") and not name.endswith("sub_id")]
    copies = [rows.with_columns(pl.col(ids) + copy * ID_STEP) for copy in range(COPIES)]
    header = (tiny / "train.csv").read_text().partition("\n")[0].split(",")
    pl.concat(copies).select(header).write_csv(root / "train.csv")
    return root
