"""What made a timeline: versions, models and settings, as its files hold them."""

from importlib.metadata import version
from typing import Any

from hms.prediction.predictors import Predictors
from hms.runs.provenance import learned_from_simulation


def origin(predictors: Predictors, **settings: Any) -> dict[str, Any]:
    """What a timeline is made by; `settings` are the options of hms.predict that change it.

    How the runs, in their order, were combined is under the keys of an ensemble.json (`hms.ensemble.mixture`); the
    option `odds`, though among the settings, is part of the bias there.
    """
    return {
        "hms": version("hms"),
        "models": [
            {"run": run.name, "folds": [fold.stem for fold in folds], "simulated_eeg": learned_from_simulation(run)}
            for run, folds in predictors.folds.items()
        ],
        "predicted_by": f"{', '.join(run.name for run in predictors.folds)} ({predictors.name})",
        **predictors.mixture.as_json(),
        **settings,
        "adapt": predictors.adapt,
    }
