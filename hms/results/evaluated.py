"""The scores of an evaluation, read from the folder that `hms.evaluate` wrote, to stand among those of runs."""

from pathlib import Path

from hms.config.described import word
from hms.prediction.keys import COMBINATION_KEYS
from hms.results.run import Run
from hms.scoring.scores import read_predictions, scored
from hms.system.console import counted
from hms.system.reading import read_json


def read_evaluation(path: Path) -> Run:
    """Read an evaluation, which has neither folds nor seeds. Raises DataError for a folder that holds none."""
    about = read_json(path / "evaluation.json", "members", "corpus", "rows_maybe_trained_on")
    rows = scored(read_predictions(path / "predictions.parquet"))
    changed = [f"{key}={word(about[key])}" for key in COMBINATION_KEYS if about.get(key)]
    first, *others = about["members"]
    return Run(
        folder=path,
        settings={},
        learned_from={},
        is_student=False,
        numbers=[],
        seeds=[],
        missing=[],
        kl=float(rows["kl"].to_numpy().mean()),
        kl_by_seed=[],
        kl_by_fold=[],
        gap_closed=about.get("gap_closed"),
        minutes=None,
        parameters=None,
        megabytes=None,
        corpus=about["corpus"],
        losses=rows.select("label_id", "patient_id", "kl"),
        predicted_by=" ".join([f"{counted(1 + len(others), 'model')} ({first}{', ...' if others else ''})", *changed]),
        rows_maybe_trained_on=about["rows_maybe_trained_on"],
    )
