"""Score a trained run, the mean of several, or an ensemble on a labelled folder."""

import json
from pathlib import Path
from typing import Any

import polars as pl

from hms.config.build import build
from hms.config.keys import want_in_range
from hms.data.store import Store, prepare_store
from hms.data.windows import Windows
from hms.errors import DataError, UserError
from hms.labels import VOTE_COLUMNS
from hms.prediction.inference import Compute, by_model, compute_of
from hms.prediction.keys import COMBINATION_KEYS
from hms.prediction.predictors import Predictors, predictors_of
from hms.run_folders import number_of
from hms.runs.leakage import rows_maybe_trained_on, without_names, without_table
from hms.runs.mismatch import want_simulated_for
from hms.runs.teacher import LEARNED_FROM_TEACHER
from hms.scoring.bootstrap import mean_interval
from hms.scoring.scores import mean_scores, predictions, print_scores, read_truth, scored
from hms.system.atomic import replacing, want_writable
from hms.system.console import counted, say, track


def evaluate(config: dict[str, Any]) -> dict[str, Any]:
    """Predict every labelled row with the chosen runs; score and write to `config["out"]`."""
    want_in_range(config)
    predictors = predictors_of(config)
    evaluations = _evaluations_of(config, predictors) if config["out"] is None else None
    want_writable("out", evaluations or Path(config["out"]))
    compute = compute_of(config)
    folder = build(config["data"])
    want_simulated_for(predictors.runs, config, folder.root)
    store = prepare_store(folder, Path(config["stores"]), config["on_bad"])
    rows = _voted(store.rows, config["min_votes"], folder.root)
    maybe_trained_on = rows_maybe_trained_on(predictors.runs, rows, store.rows, store.fingerprint)
    table = _predicted(predictors, store, rows, config["batch_size"], compute)
    scores = _scores(config, predictors, table, folder.root)
    scores |= {"data": str(folder.root), "corpus": store.fingerprint, "min_votes": config["min_votes"]}
    scores["rows_maybe_trained_on"] = maybe_trained_on
    data = f"{folder.root.resolve().name}-{store.fingerprint[:8]}"  # so that no result replaces that on other data
    out = evaluations / data if evaluations else Path(config["out"])
    _write(out, table, scores)
    _show(scores, predictors, out)
    return scores


def _evaluations_of(config: dict[str, Any], predictors: Predictors) -> Path:
    """The folder of evaluations in a single run or, with `fold=all`, beside its model of all patients.

    Raises UserError if the result belongs to neither.
    """
    is_plain = len(predictors.runs) == 1 and not predictors.runs[0].is_bundle
    of_one = config["fold"] is None or len(predictors.folds) == 1
    if not is_plain or not of_one or any(config[key] for key in COMBINATION_KEYS if key != "fold"):
        several = "several runs, an ensemble, a bundle, temperature, odds, adapt or fold=all of several seeds"
        raise UserError(f"out: want a folder for {several}, got null")
    return (predictors.runs[0].path if config["fold"] is None else predictors.folds[0]) / "evaluation"


def _voted(rows: pl.DataFrame, min_votes: int, root: Path) -> pl.DataFrame:
    """The rows with enough votes. Raises DataError if there are none."""
    voted = rows.filter(pl.sum_horizontal(VOTE_COLUMNS) >= min_votes)
    if voted.is_empty():
        raise DataError(f"{root}: no row has {min_votes} votes or more")
    return voted


def _predicted(
    predictors: Predictors, store: Store, rows: pl.DataFrame, batch_size: int, compute: Compute
) -> pl.DataFrame:
    """A table of predictions for the rows."""
    models = predictors.load()
    loader = Windows(store, rows, any(model.reads_spectrogram for model in models)).loader(batch_size)
    models = predictors.adapt_models(models, track(loader, len(loader), "adapt"), compute)
    _, by_fold = by_model(models, track(loader, len(loader), "predict"), compute)
    return predictions(rows, None, predictors.mix(by_fold))


def _scores(config: dict[str, Any], predictors: Predictors, table: pl.DataFrame, root: Path) -> dict[str, Any]:
    """The scores of a table of predictions, and how these were made."""
    rows = scored(table, read_truth(root))
    return {
        **mean_scores(rows),
        "kl_interval": mean_interval(rows["kl"], rows["patient_id"], config["draws"], config["seed"]),
        "members": [*map(str, predictors.folds)],
        **{name: config[name] for name in (*COMBINATION_KEYS, "flips", "precision")},
    }


def _write(out: Path, table: pl.DataFrame, scores: dict[str, Any]) -> None:
    out.mkdir(parents=True, exist_ok=True)
    with replacing(out / "evaluation.json") as summary, replacing(out / "predictions.parquet") as predicted:
        table.write_parquet(predicted)
        summary.write_text(json.dumps(scores, indent=1))


def _show(scores: dict[str, Any], predictors: Predictors, out: Path) -> None:
    """Print the scores, what to bear in mind, and where they are."""
    runs, members = ", ".join(str(run.path) for run in predictors.runs), scores["members"]
    name = f"mean of {len(members)}" if len(members) > 1 else Path(members[0]).name
    print_scores({name: scores}, f"{runs} on {scores['data']}: KL, all and by the class that leads the votes")
    if ends := scores["kl_interval"]:
        print(f"KL {scores['kl']:.3f}, 95 % interval {ends[0]:.3f} to {ends[1]:.3f} (bootstrap over patients)")
    for run in predictors.runs:
        for line in (*without_table(run), *without_names(run, scores["corpus"])):
            print(f"{line}.")
    if known := scores["rows_maybe_trained_on"]:
        of = f"{known:,} of {counted(scores['rows'], 'row')}"
        instead = "; a run's oof.parquet has predictions of patients by the folds that held them out"
        has_folds = any(number_of(fold) != "all" for fold in predictors.folds)
        print(
            f"{of} are of patients that the models may have been trained on, so this KL may look too good"
            f"{instead if has_folds else ''}."
        )
        for student in (run for run in predictors.runs if run.is_student):
            print(f"{student.path}: {LEARNED_FROM_TEACHER}")
    print(f"by {predictors.name}")
    say(f"predictions {out / 'predictions.parquet'}, scores {out / 'evaluation.json'}")
