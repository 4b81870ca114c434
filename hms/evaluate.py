"""`python -m hms.evaluate`: score a trained run, the mean of several, or an ensemble on any labelled folder."""

import json
from pathlib import Path
from typing import Any

from hms.config.build import build
from hms.config.command import entry_point
from hms.ensemble.choices import PREDICTOR_KEYS, PerClass, Precision
from hms.errors import DataError, UserError
from hms.prepare import Corpus


class Evaluate(Corpus):
    """The keys of conf/evaluate.yaml; their values live there."""

    run: str | list[str] | None
    ensemble: str | None
    temperature: float | None
    odds: PerClass
    adapt: float
    out: str | None
    min_votes: int
    batch_size: int
    accelerator: str
    flips: bool
    precision: Precision
    seed: int
    draws: int


def evaluate(config: dict[str, Any]) -> dict[str, Any]:
    """Predict every labelled row with the chosen runs; score and write to `config["out"]`."""
    import polars as pl  # these are slow to import; a mistake in the config should not wait for them

    from hms.data.store import prepared
    from hms.data.windows import Windows
    from hms.labels import VOTE_COLUMNS
    from hms.prediction.inference import best_device, by_model
    from hms.prediction.predictors import read_predictors
    from hms.runs.leakage import rows_maybe_trained_on
    from hms.runs.teacher import LEARNED_FROM_TEACHER, students_of
    from hms.scoring.bootstrap import mean_interval
    from hms.scoring.scores import predictions, read_truth, score, scored, show
    from hms.system.atomic import replacing
    from hms.system.console import counted, say, track

    if config["batch_size"] < 1:
        raise UserError(f"batch_size: want at least 1, got {config['batch_size']}")
    if config["draws"] < 1:
        raise UserError(f"draws: want at least 1, got {config['draws']}")
    predictors = read_predictors("run", config["run"], **{key: config[key] for key in PREDICTOR_KEYS})
    runs = [*predictors.folds]
    if config["out"] is None and (len(runs) > 1 or any(config[key] for key in PREDICTOR_KEYS)):
        raise UserError("out: want a folder for several runs, an ensemble, temperature, odds or adapt, got null")
    folds = [fold for of_run in predictors.folds.values() for fold in of_run]
    device = best_device(config["accelerator"])
    folder = build(config["data"])
    store = prepared(folder, Path(config["stores"]), config["on_bad"])
    rows = store.rows.filter(pl.sum_horizontal(VOTE_COLUMNS) >= config["min_votes"])
    if rows.is_empty():
        raise DataError(f"{folder.root}: no row has {config['min_votes']} votes or more")
    maybe_trained_on = rows_maybe_trained_on(predictors.folds, rows, store.fingerprint)
    models = predictors.load()
    loader = Windows(store, rows, any(model.reads_spectrogram for model in models)).loader(config["batch_size"])
    options = {"device": device, "flips": config["flips"], "precision": config["precision"]}
    models = predictors.adapted(models, lambda: track(loader, len(loader), "adapt"), **options)
    _, by_fold = by_model(models, track(loader, len(loader), "predict"), **options)
    table = predictions(rows, None, predictors.mix(by_fold))
    scores = score(table, read_truth(folder.root))
    kl, patients = scored(table)["kl"].to_numpy(), table["patient_id"].to_numpy()
    ends = mean_interval(kl, patients, config["draws"], config["seed"])
    scores |= {"kl_interval": ends, "members": [str(fold) for fold in folds]}
    scores |= {name: config[name] for name in (*PREDICTOR_KEYS, "flips", "precision")}
    scores |= {"data": str(folder.root), "corpus": store.fingerprint, "min_votes": config["min_votes"]}
    scores["rows_maybe_trained_on"] = maybe_trained_on
    data = f"{folder.root.resolve().name}-{store.fingerprint[:8]}"  # so that no result replaces that on other data
    out = Path(config["out"] or runs[0] / "evaluation" / data)
    out.mkdir(parents=True, exist_ok=True)
    with replacing(out / "evaluation.json") as summary, replacing(out / "predictions.parquet") as predicted:
        table.write_parquet(predicted)
        summary.write_text(json.dumps(scores, indent=1))
    title = f"{', '.join(map(str, runs))} on {folder.root}: KL, all and by the class that leads the votes"
    show({f"mean of {len(folds)}" if len(folds) > 1 else folds[0].name: scores}, title)
    if ends is not None:
        print(f"KL {scores['kl']:.3f}, 95 % interval {ends[0]:.3f} to {ends[1]:.3f} (bootstrap over patients)")
    if known := scores["rows_maybe_trained_on"]:
        print(
            f"{known:,} of {counted(len(rows), 'row')} are of patients that the models may have been trained on; "
            "those of a run's oof.parquet are held out."
        )
        for run in students_of(predictors.folds):
            print(f"{run}: {LEARNED_FROM_TEACHER}")
    print(f"by {predictors.name}")
    say(f"predictions {out / 'predictions.parquet'}, scores {out / 'evaluation.json'}")
    return scores


@entry_point("evaluate", Evaluate)
def main(config: dict[str, Any]) -> float:
    """Return the KL."""
    kl: float = evaluate(config)["kl"]
    return kl


if __name__ == "__main__":
    main()
