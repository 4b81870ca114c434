"""`python -m hms.evaluate`: score a trained run on any labelled folder, the mean of its folds."""

import json
from pathlib import Path
from typing import Any

from hms.build import build
from hms.config import entry_point
from hms.errors import DataError
from hms.prepare import Prepare


class Evaluate(Prepare):
    """The keys of conf/evaluate.yaml; their values live there."""

    run: str
    out: str
    min_votes: int
    batch_size: int
    accelerator: str
    flips: bool


def evaluate(config: dict[str, Any]) -> dict[str, Any]:
    """Predict every labelled row with each fold's model, average, score, and write the result into `config["out"]`."""
    import polars as pl  # these are slow to import; a mistake in the config should not wait for them

    from hms.checkpoint import load_model
    from hms.console import say
    from hms.files import replacing
    from hms.inference import best_device, probabilities
    from hms.labels import VOTE_COLUMNS
    from hms.runs import corpus_of, finished_folds
    from hms.scores import predictions, read_truth, score, show
    from hms.store import prepared

    folds = finished_folds(Path(config["run"]))
    corpora = {corpus_of(fold) for fold in folds}
    device = best_device(config["accelerator"])
    folder = build(config["data"])
    store = prepared(folder, Path(config["stores"]), config["on_bad"])
    rows = store.rows.filter(pl.sum_horizontal(VOTE_COLUMNS) >= config["min_votes"])
    if rows.is_empty():
        raise DataError(f"{folder.root}: no row has {config['min_votes']} votes or more")
    models = [load_model(fold) for fold in folds]
    found = probabilities(models, store, rows, config["batch_size"], device, config["flips"])
    table = predictions(rows, None, found)
    scores = score(table, read_truth(folder.root))
    scores |= {"data": str(folder.root), "corpus": store.fingerprint, "min_votes": config["min_votes"]}
    out = Path(config["out"])
    out.mkdir(parents=True, exist_ok=True)
    with replacing(out / "predictions.parquet") as temporary:
        table.write_parquet(temporary)
    with replacing(out / "evaluation.json") as temporary:
        temporary.write_text(json.dumps(scores, indent=1))
    title = f"{config['run']} on {folder.root}: KL, all and by the class that leads the votes"
    show({f"mean of {len(folds)}" if len(folds) > 1 else folds[0].name: scores}, title)
    if store.fingerprint in corpora:
        print("The run was trained on this corpus: these are not held-out patients; its oof.parquet are.")
    say(f"predictions {out / 'predictions.parquet'}, scores {out / 'evaluation.json'}")
    return scores


@entry_point("evaluate", Evaluate)
def main(config: dict[str, Any]) -> float:
    """Give the KL."""
    kl: float = evaluate(config)["kl"]
    return kl


if __name__ == "__main__":
    main()
