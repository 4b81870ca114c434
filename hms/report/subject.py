"""What a page is about, read from its files: a run or an ensemble, with the corpus it saw where that is still there."""

import json
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl

from hms.checkpoint import load_model
from hms.config.build import build
from hms.config.signature import OURS
from hms.corpus import fingerprint
from hms.ensemble.mixture import ensemble_folder, member_folder
from hms.errors import DataError, first_line
from hms.model import Model
from hms.runs import corpus_of, read_config, scored_folds
from hms.scores import read_predictions, read_truth
from hms.store import Store, prepared


class Subject(NamedTuple):
    """A run, or an ensemble of runs."""

    kind: str
    """run or ensemble."""
    folder: Path
    name: str
    about: dict[str, str]
    """What the first lines of the page say of it, by label."""
    table: pl.DataFrame
    """Out-of-fold predictions, as in oof.parquet, of all seeds; `folder` names the fold that made each row, null for an
    ensemble."""
    folds: list[Path]
    """Folders of the finished folds, for learning curves and models."""
    truth: pl.DataFrame | None
    store: Store | None
    missing: str
    """Why there is no store to draw windows from; empty where there is one."""
    ensemble: dict[str, Any] | None
    """What ensemble.json holds, of an ensemble."""


def of_run(run: Path, stores: Path) -> Subject:
    """A run, or one fold of it. Raises DataError where nothing was held out."""
    folds = scored_folds(run)
    if not folds:
        raise DataError(f"{run}: no fold held anybody out, so there is nothing to report on")
    parts = [read_predictions(fold / "oof.parquet").with_columns(folder=pl.lit(fold.name)) for fold in folds]
    config = read_config(folds[0])
    truth, store, missing = _corpus(folds[0], config, stores)
    numbers, seeds = ({fold.name.partition("_")[part] for fold in folds} for part in (0, 2))
    about = {
        "extractors": " + ".join(config["extractor"]),
        "trained on": Path(config["data"]["root"]).name,
        "folds": f"{len(numbers)}, of {config['folds']}" if run != folds[0] else folds[0].name,
        "epochs": str(config["epochs"]),
    }
    about |= {"seeds": str(len(seeds))} if len(seeds) > 1 else {}
    *_, parent, name = run.resolve().parts
    name = f"{parent}/{name}" if run == folds[0] else name
    return Subject("run", run, name, about, pl.concat(parts), folds, truth, store, missing, None)


def of_ensemble(path: Path, stores: Path) -> Subject:
    """An ensemble, by its folder or the ensemble.json in it. Raises DataError where there is none."""
    folder = ensemble_folder(path)
    held = _ensemble(folder / "ensemble.json")
    table = read_predictions(folder / "oof.parquet").with_columns(folder=pl.lit(None, pl.String))
    found = [member_folder(folder, name) for name in held["members"]]
    runs = [run for run in found if run and any(run.glob("fold*_seed*/oof.parquet"))]
    truth, store, missing = None, None, "no run among the members is here."
    if runs:
        fold = scored_folds(runs[0])[0]
        truth, store, missing = _corpus(fold, read_config(fold), stores)
    about = {"members": str(len(held["members"])), "mixing": held["mixing"], "calibrated": held["calibrate"]}
    return Subject("ensemble", folder, folder.resolve().name, about, table, [], truth, store, missing, held)


def model_of(subject: Subject, folder: str) -> Model:
    """The model of the fold of this name."""
    (fold,) = [fold for fold in subject.folds if fold.name == folder]
    return load_model(fold)


def learning_curves(folds: list[Path]) -> dict[str, pl.DataFrame]:
    """metrics.csv by fold, with that of a first stage where there was one."""
    found = {}
    for fold in folds:
        for stage in ("pretrain", "."):
            path = fold / stage / "metrics.csv"
            if path.is_file():
                found[f"{fold.name} {stage}".removesuffix(" .")] = _csv(path)
    return found


def _ensemble(path: Path) -> dict[str, Any]:
    wanted = ("members", "weights", "mixing", "calibrate", "kl", "interval", "diversity", "weights_of_folds")
    try:
        held: dict[str, Any] = json.loads(path.read_text())
        lacking = [name for name in wanted if name not in held]
    except (OSError, ValueError, TypeError) as error:
        raise DataError(f"{path}: no ensemble of hms.ensemble ({first_line(error)})") from None
    if lacking:
        raise DataError(f"{path}: no {', '.join(map(repr, lacking))} in it; hms.ensemble writes them")
    return held


def _csv(path: Path) -> pl.DataFrame:
    try:
        table = pl.read_csv(path)
        table.get_column("epoch")
    except (pl.exceptions.PolarsError, OSError) as error:
        raise DataError(f"{path}: no table of epochs ({first_line(error)})") from None
    return table


def _corpus(fold: Path, config: dict[str, Any], stores: Path) -> tuple[pl.DataFrame | None, Store | None, str]:
    """Truth and store of the corpus a fold was trained on, or why there is none; makes no corpus."""
    folder = build(config["data"], allowed=OURS)  # whoever wrote the run
    if not (folder.root / "train.csv").is_file():
        return None, None, f"{folder.root} is not here."
    if fingerprint(folder.root) != corpus_of(fold):
        return None, None, f"{folder.root} is no longer the corpus that the run was trained on."
    return read_truth(folder.root), prepared(folder, stores, "skip"), ""
