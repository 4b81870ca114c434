"""What made a timeline: versions, models and settings, as its files hold them."""

from importlib.metadata import version
from typing import Any

from hms.predictors import Predictors
from hms.runs import learned_from_simulation


def origin(predictors: Predictors, **settings: Any) -> dict[str, Any]:
    """What a timeline is made by; `settings` are the options of hms.predict that change it."""
    return {
        "hms": version("hms"),
        "models": [
            {"run": run.name, "folds": [fold.stem for fold in folds], "simulated_eeg": learned_from_simulation(run)}
            for run, folds in predictors.folds.items()
        ],
        "predicted_by": f"{', '.join(run.name for run in predictors.folds)} ({predictors.name})",
        "weights": predictors.mixture.weights.tolist(),
        **settings,
        "temperature": predictors.mixture.calibration.temperature,
        "adapt": predictors.adapt,
    }
