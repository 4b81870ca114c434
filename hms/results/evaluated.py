"""The scores of an evaluation, read from the folder that `hms.evaluate` wrote, to stand among those of runs."""

from pathlib import Path

from hms.config.described import word
from hms.prediction.keys import COMBINATION_KEYS
from hms.results.entry import Entry, Evaluation
from hms.scoring.scores import read_predictions, scored
from hms.system.console import counted, some
from hms.system.reading import read_json


def read_evaluation(path: Path) -> Entry:
    """Read an evaluation. Raises DataError for a folder that holds none."""
    about = read_json(path / "evaluation.json", "members", "corpus", "rows_maybe_trained_on")
    rows = scored(read_predictions(path / "predictions.parquet"))
    changed = [f"{key}={word(about[key])}" for key in COMBINATION_KEYS if about.get(key)]
    models = f"{counted(len(about['members']), 'model')} ({some(about['members'], 1)})"
    return Entry(
        folder=path,
        kl=float(rows["kl"].to_numpy().mean()),
        gap_closed=about.get("gap_closed"),
        corpus=about["corpus"],
        losses=rows.select("label_id", "patient_id", "kl"),
        evaluation=Evaluation(" ".join([models, *changed]), about["rows_maybe_trained_on"]),
    )
