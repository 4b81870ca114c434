"""What made a timeline: versions, models and settings, as its files hold them."""

from importlib.metadata import version
from typing import Any

from hms.prediction.inference import Compute
from hms.prediction.predictors import Predictors
from hms.timeline.options import TimelineOptions


def origin(predictors: Predictors, options: TimelineOptions, compute: Compute) -> dict[str, Any]:
    """What a timeline is made by: the runs, and the options of hms.predict that change it.

    How the runs, in their order, were combined is under the keys of an ensemble.json (`hms.ensemble.mixture`); `odds`,
    though an option, is part of the bias there.
    """
    return {
        "hms": version("hms"),
        "models": [
            {
                "run": run.name,
                "folds": [fold.stem for fold in run.folds],
                "simulated_eeg": run.learned_from_simulation,
                "began_with_simulated_eeg": run.began_with_simulation,
            }
            for run in predictors.runs
        ],
        "predicted_by": f"{', '.join(run.name for run in predictors.runs)} ({predictors.name})",
        **predictors.mixture.as_json(),
        "ensemble": predictors.ensemble,
        "step_s": options.step_s,
        "threshold": options.threshold,
        "unit": options.reading.unit,
        "channels": options.reading.channels,
        "odds": dict(predictors.odds),
        "flips": compute.flips,
        "precision": compute.precision,
        "adapt": predictors.adapt,
    }
