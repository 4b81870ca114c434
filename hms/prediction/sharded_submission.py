"""Predict the test part of a folder and write the submission, in shards that never mix with those of another."""

import hashlib
import json
from pathlib import Path
from typing import Any

import polars as pl

from hms.config.build import build
from hms.data.stream import reading_order
from hms.data.tables import read_test
from hms.prediction.inference import Compute
from hms.prediction.predictors import Predictors
from hms.prediction.submission import predict_rows, required_eegs, without_gaps, write_submission
from hms.run_folders import model_file
from hms.runs.mismatch import want_simulated_for
from hms.runs.provenance import is_simulated
from hms.system.atomic import want_writable
from hms.system.console import counted, say
from hms.system.shards import Shard, make_shard


def submit(config: dict[str, Any], predictors: Predictors, compute: Compute, shard: Shard) -> None:
    """Write the submission for the folder `config["data"]` to `config["out"]`, or a shard of it."""
    out, size = Path(config["out"]), config["batch_size"]
    want_writable("out", out.parent)
    folder = build(config["data"])
    want_simulated_for(predictors.runs, config, folder.root)
    simulated = _simulated(predictors) if is_simulated(config) else ""
    say(f"predicts the test part of {folder.root}{simulated}")  # before it is simulated, which may take minutes
    folder.make()
    rows = reading_order(read_test(folder.root / "test.csv"))
    required_eegs(folder.root)  # a mistake there should surface before the predictions are made

    def make(into: Path) -> None:
        firsts = shard.part(range(0, len(rows), size))  # whole batches, for the same bits as without shards
        mine = pl.concat([rows[:0], *(rows[first : first + size] for first in firsts)])
        checked = rows if predictors.adapt else mine  # all shards adapt to the same windows
        table = predict_rows(predictors, folder.root, mine, checked, size, config["on_bad"] == "skip", compute)
        table.write_parquet(into / "predicted.parquet")

    def merge(parts: list[Path]) -> None:
        tables = [pl.read_parquet(part / "predicted.parquet", glob=False) for part in parts]
        table = pl.concat(tables, rechunk=True)  # the mean of several chunks would round differently
        write_submission(out, folder.root, without_gaps(table))

    parts = out.with_name(f"{out.name}.{digest(config, predictors, folder.root)}")
    if make_shard(shard, parts, lambda: False, make, merge):  # an existing file may come from another model
        print(f"{out}: {counted(len(rows), 'row')}, by {predictors.name}")


def _simulated(predictors: Predictors) -> str:
    """The end of a line that says that a corpus is simulated, which runs of real EEG were hardly meant for."""
    real = [str(run.path) for run in predictors.runs if run.learned_from_simulation is False]
    return ", simulated EEG (data= chooses another)" + (f"; {', '.join(real)} learned from real EEG" if real else "")


def digest(config: dict[str, Any], predictors: Predictors, root: Path) -> str:
    """Hash all that determines a submission, so that shards of different ones never mix: settings, weights, files."""
    settings = {key: value for key, value in config.items() if key not in ("shard", "out", "accelerator")}
    read = [*map(model_file, predictors.folds)]
    read.append(root / "test.csv")
    read += [path for part in ("test_eegs", "test_spectrograms") for path in sorted((root / part).glob("*.parquet"))]
    files = [(str(path), path.stat().st_size, path.stat().st_mtime_ns) for path in read if path.is_file()]
    text = json.dumps([settings, predictors.mixture.as_json(), files], sort_keys=True)
    return hashlib.blake2b(text.encode(), digest_size=4).hexdigest()
