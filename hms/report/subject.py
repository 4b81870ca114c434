"""The subject of a page, read from its files: a run or an ensemble, with its training corpus if that still exists."""

from pathlib import Path
from typing import Any, NamedTuple

import polars as pl

from hms.config.build import build_foreign
from hms.data.identity import fingerprint
from hms.data.store import Store, prepare_store
from hms.ensemble.mixture import ensemble_folder, member_folder
from hms.errors import ConfigError, DataError
from hms.model import Model
from hms.run_folders import FoldName, counts_of, finished_folds
from hms.runs.checkpoint import load_model
from hms.runs.folder import folds_with_held_out
from hms.runs.provenance import corpus_of
from hms.runs.teacher import LEARNED_FROM_TEACHER
from hms.runs.trained import Trained
from hms.scoring.scores import read_predictions, read_truth
from hms.system.reading import read_csv, read_json

_KEYS = (
    *("members", "weights", "mixing", "calibrate"),
    *("kl", "interval", "diversity", "weights_se", "folds", "prior_effect"),
)
"""What the page shows of ensemble.json."""


class Subject(NamedTuple):
    """A run, or an ensemble of runs."""

    kind: str
    """run or ensemble."""
    folder: Path
    name: str
    about: dict[str, str]
    """Facts for the top of the page, by label."""
    table: pl.DataFrame
    """Out-of-fold predictions of all seeds, as in oof.parquet; `predicted_by` names the fold that predicted the row,
    null for an ensemble."""
    folds: list[Path]
    """Folders of the finished folds, for learning curves and models."""
    truth: pl.DataFrame | None
    store: Store | None
    missing: str
    """Why there is no store to draw windows from; empty if there is one."""
    ensemble: dict[str, Any] | None
    """The content of ensemble.json; None for a run."""
    notes: list[str]
    """What to bear in mind when reading the KL."""


def subject_of_run(path: Path, stores: Path) -> Subject:
    """A run, or one fold of it. Raises DataError if no fold has held-out patients."""
    run = Trained(path, folds := folds_with_held_out(path))
    if not folds:
        raise DataError(f"{path}: no fold has held-out patients, so there is nothing to report on")
    parts = [read_predictions(fold / "oof.parquet").with_columns(predicted_by=pl.lit(fold.name)) for fold in folds]
    config = run.config_of(folds[0])
    truth, store, missing = _corpus(folds[0], config, stores)
    counts = counts_of(folds)
    corpus = Path(config["data"]["root"]).name
    live = {"trained on": "windows simulated on demand", "validated on": corpus}
    about = {
        "extractors": " + ".join(config["extractor"]),
        **(live if config.get("live") else {"trained on": corpus}),
        "folds": folds[0].name if run.is_single_fold else f"{counts.folds} of {config['folds']}",
        "epochs": str(config["epochs"]),
    }
    starts = [start["run"] for fold in folds if (start := run.start_of(fold))]
    about |= {"began with": ", ".join(dict.fromkeys(starts))} if starts else {}
    about |= {"seeds": str(counts.seeds)} if counts.seeds > 1 else {}
    notes = [f"This run {LEARNED_FROM_TEACHER}"] if run.is_student else []
    return Subject(
        kind="run",
        folder=path,
        name=run.name,
        about=about,
        table=pl.concat(parts),
        folds=folds,
        truth=truth,
        store=store,
        missing=missing,
        ensemble=None,
        notes=notes,
    )


def subject_of_ensemble(path: Path, stores: Path) -> Subject:
    """An ensemble, given by its folder or the ensemble.json in it. Raises DataError if there is none."""
    folder = ensemble_folder(path)
    if not (folder / "ensemble.json").exists():
        raise DataError(f"{folder / 'ensemble.json'}: no such file; hms.ensemble writes it")
    try:
        content = read_json(folder / "ensemble.json", *_KEYS)
    except DataError as error:
        raise DataError(f"{error}; hms.ensemble writes it anew") from None
    table = read_predictions(folder / "oof.parquet").with_columns(predicted_by=pl.lit(None, pl.String))
    folders = [member_folder(folder, name) for name in content["members"]]
    started = [Trained(path, folds_with_held_out(path)) for path in folders if path and finished_folds(path)]
    runs = [run for run in started if run.folds]
    truth, store, missing = None, None, "none of the members is a run that is still here."
    if runs:
        fold = runs[0].folds[0]
        truth, store, missing = _corpus(fold, runs[0].config_of(fold), stores)
    notes = [f"The member {run.path} {LEARNED_FROM_TEACHER}" for run in runs if run.is_student]
    about = {
        "members": str(len(content["members"])),
        "mixing": content["mixing"],
        "calibrated": content["calibrate"].replace("_", " and "),
    }
    return Subject(
        kind="ensemble",
        folder=folder,
        name=folder.resolve().name,
        about=about,
        table=table,
        folds=[],
        truth=truth,
        store=store,
        missing=missing,
        ensemble=content,
        notes=notes,
    )


def model_of(subject: Subject, fold_name: str) -> Model:
    """The trained model of a fold, given by the fold's name."""
    (fold,) = [fold for fold in subject.folds if fold.name == fold_name]
    return load_model(fold)


def learning_curves(folds: list[Path]) -> dict[str, pl.DataFrame]:
    """metrics.csv of each fold, and of its pre-training stage if it had one; names such as `fold 0, seed 1`."""
    several_seeds = counts_of(folds).seeds > 1
    curves = {}
    for fold in folds:
        for stage in ("pretrain", "."):
            path = fold / stage / "metrics.csv"
            if path.is_file():
                named = [_words(fold, several_seeds), *(["pretrain"] if stage == "pretrain" else [])]
                curves[", ".join(named)] = _epochs(path)
    return curves


def _words(fold: Path, several_seeds: bool) -> str:
    """The name of a fold in words; as it is if it was renamed."""
    if (name := FoldName.of(fold)) is None:
        return fold.name
    return f"fold {name.fold}, seed {name.seed}" if several_seeds else f"fold {name.fold}"


def _epochs(path: Path) -> pl.DataFrame:
    table = read_csv(path)
    if "epoch" not in table.columns:
        raise DataError(f"{path}: lacks column 'epoch'")
    return table


def _corpus(fold: Path, config: dict[str, Any], stores: Path) -> tuple[pl.DataFrame | None, Store | None, str]:
    """Truth and store of the corpus a fold was trained on, or why there are none; never creates a corpus.

    Raises ConfigError for a run of another version, whose corpus this one cannot build.
    """
    try:
        folder = build_foreign(config["data"])
    except ConfigError as error:
        got = f"got '{config['data'].get('_target_')}' ({error})"
        raise ConfigError(f"{fold / 'config.yaml'}: data: want a corpus of this version of hms, {got}") from None
    if not (folder.root / "train.csv").is_file():
        return None, None, f"{folder.root} is not here."
    if fingerprint(folder.root) != corpus_of(fold):
        return None, None, f"{folder.root} has changed since the run was trained on it."
    return read_truth(folder.root), prepare_store(folder, stores, "skip"), ""
