"""The runs that predict together, and how to combine their predictions: by their mean, or an ensemble's mixture."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from hms.adaptation import adapted
from hms.batch import Batch
from hms.checkpoint import load_model
from hms.ensemble.calibration import Calibration
from hms.ensemble.choices import Precision
from hms.ensemble.mixture import Mixture, ensemble_folder, member_folder, read_ensemble
from hms.errors import UserError
from hms.labels import CLASSES
from hms.model import Model
from hms.runs import finished_folds, named_runs


class Predictors(NamedTuple):
    """Runs that predict together."""

    folds: dict[Path, list[Path]]
    """The finished folds of each run, whose mean is the run's prediction."""
    mixture: Mixture
    """Combines the runs, in their order."""
    adapt: float
    """Share of the batch norms' statistics to take from the windows to predict (`hms.adaptation`)."""

    def load(self) -> list[Model]:
        """Load the models of all folds, run after run."""
        return [load_model(fold) for folds in self.folds.values() for fold in folds]

    def adapted(
        self,
        models: list[Model],
        windows: Callable[[], Iterable[Batch]],
        device: str,
        flips: bool,
        precision: Precision,
    ) -> list[Model]:
        """Return the models as they are or, with `adapt`, copies adapted to the windows, which are only then read."""
        return adapted(models, windows, self.adapt, device, flips, precision) if self.adapt else models

    def mix(self, by_fold: Float[np.ndarray, "fold row label"]) -> Float[np.ndarray, "row label"]:
        """Combine the predictions of all folds, run after run, into one. Raises UserError if a model predicts NaN."""
        for fold, predicted in zip((fold for folds in self.folds.values() for fold in folds), by_fold, strict=True):
            if not np.isfinite(predicted).all():
                raise UserError(
                    f"{fold}: the model predicts NaN; its training diverged, or precision=16-mixed overflows"
                )
        ends = np.cumsum([len(folds) for folds in self.folds.values()])
        by_run = [of_run.mean(axis=0) for of_run in np.split(by_fold, ends[:-1])]
        return self.mixture(np.stack(by_run))

    @property
    def name(self) -> str:
        """How many models and runs there are and, if they are adapted, by how much."""
        adapted = f", adapted by {self.adapt:g}" if self.adapt else ""
        models, runs = sum(map(len, self.folds.values())), len(self.folds)
        return f"{models} model{'s' * (models > 1)} of {runs} run{'s' * (runs > 1)}{adapted}"


def read_predictors(
    key: str,
    runs: str | list[str] | None,
    ensemble: str | None,
    temperature: float | None,
    odds: dict[str, float],
    adapt: float,
) -> Predictors:
    """Find the `runs` (names or patterns, given as the option `key`), or those of an ensemble, by its folder or file.

    An ensemble's runs are looked up next to its ensemble.json first; those without weight are left out. `temperature`
    replaces the fitted one, or 1; `odds` multiply the odds of classes. Raises UserError unless either runs or an
    ensemble are given, for a temperature, odds or an `adapt` out of range, and for an ensemble's member that is not a
    run.
    """
    if (runs is None) == (ensemble is None):
        raise UserError(f"{key}, ensemble: want one of the two, got {'neither' if runs is None else 'both'}")
    if temperature is not None and not 0 < temperature < np.inf:
        raise UserError(f"temperature: want more than 0, or null, got {temperature:g}")
    for name, times in odds.items():
        if not 0 < times < np.inf:
            raise UserError(f"odds.{name}: want more than 0, got {times:g}")
    if not 0 <= adapt <= 1:
        raise UserError(f"adapt: want a share, 0 to 1, got {adapt:g}")
    predictors = _mean_of(named_runs(runs, key)) if runs is not None else _of_ensemble(ensemble or "")
    calibration = predictors.mixture.calibration
    calibration = calibration._replace(bias=calibration.bias + np.log([odds.get(name, 1.0) for name in CLASSES]))
    if temperature is not None:
        calibration = calibration._replace(temperature=temperature)
    return predictors._replace(mixture=predictors.mixture._replace(calibration=calibration), adapt=adapt)


def _mean_of(runs: list[Path]) -> Predictors:
    identity = Calibration(1.0, np.zeros(len(CLASSES)))
    mean = Mixture("linear", np.full(len(runs), 1 / len(runs)), identity, None)
    return Predictors({run: finished_folds(run) for run in runs}, mean, 0)


def _of_ensemble(given: str) -> Predictors:
    folder = ensemble_folder(given)
    names, mixture = read_ensemble(folder / "ensemble.json")
    used = np.flatnonzero(mixture.weights)
    runs = [member_folder(folder, names[i]) for i in used]
    for i, run in zip(used, runs, strict=True):
        if run is None:
            raise UserError(
                f"{folder / 'ensemble.json'}: want a run folder for each member with weight, got '{names[i]}' "
                "(no such folder); a file of predictions cannot predict new data"
            )
    return Predictors(
        {run: finished_folds(run) for run in runs if run}, mixture._replace(weights=mixture.weights[used]), 0
    )
