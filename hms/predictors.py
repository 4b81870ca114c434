"""Which runs predict together, and what makes one prediction of theirs: their mean, or an ensemble's mixture."""

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
    """The finished folds of each run; a run predicts by their mean."""
    mixture: Mixture
    """Over the runs, in their order."""
    adapt: float
    """Share of the batch norms' statistics that is that of the windows to predict (`hms.adaptation`)."""

    def load(self) -> list[Model]:
        """The models of all folds, run after run."""
        return [load_model(fold) for folds in self.folds.values() for fold in folds]

    def adapted(
        self,
        models: list[Model],
        windows: Callable[[], Iterable[Batch]],
        device: str,
        flips: bool,
        precision: Precision,
    ) -> list[Model]:
        """Those models; with `adapt` copies, fitted to the windows, which are asked for in that case only."""
        return adapted(models, windows, self.adapt, device, flips, precision) if self.adapt else models

    def mix(self, by_fold: Float[np.ndarray, "fold row label"]) -> Float[np.ndarray, "row label"]:
        """One prediction from those of all folds, run after run. Raises UserError for a model that predicts NaN."""
        for fold, found in zip((fold for folds in self.folds.values() for fold in folds), by_fold, strict=True):
            if not np.isfinite(found).all():
                raise UserError(
                    f"{fold}: the model predicts NaN; its training diverged, or precision=16-mixed cannot hold it"
                )
        ends = np.cumsum([len(folds) for folds in self.folds.values()])
        by_run = [of_run.mean(axis=0) for of_run in np.split(by_fold, ends[:-1])]
        return self.mixture(np.stack(by_run))

    @property
    def name(self) -> str:
        """In a word, how many models there are, and whether they are as they were trained."""
        how = f", adapted by {self.adapt:g}" if self.adapt else ""
        return f"{sum(map(len, self.folds.values()))} model(s) of {len(self.folds)} run(s){how}"


def read_predictors(
    key: str,
    runs: str | list[str] | None,
    ensemble: str | None,
    temperature: float | None,
    odds: dict[str, float],
    adapt: float,
) -> Predictors:
    """The `runs` that were given by this key, patterns included, or those of an ensemble, by its folder or its file.

    An ensemble's runs are looked for beside its ensemble.json first; those without weight are left out. A `temperature`
    takes the place of the one that was fitted, or of 1; `odds` multiply those of classes. Raises UserError unless
    either runs or an ensemble are given, for a temperature, odds or a share that is none, and for a member that is no
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
    found = _mean_of(named_runs(runs, key)) if runs is not None else _of_ensemble(ensemble or "")
    calibration = found.mixture.calibration
    calibration = calibration._replace(bias=calibration.bias + np.log([odds.get(name, 1.0) for name in CLASSES]))
    if temperature is not None:
        calibration = calibration._replace(temperature=temperature)
    return found._replace(mixture=found.mixture._replace(calibration=calibration), adapt=adapt)


def _mean_of(runs: list[Path]) -> Predictors:
    as_it_is = Calibration(1.0, np.zeros(len(CLASSES)))
    mean = Mixture("linear", np.full(len(runs), 1 / len(runs)), as_it_is, None)
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
                "(no such folder); other people's files predict nothing new"
            )
    return Predictors(
        {run: finished_folds(run) for run in runs if run}, mixture._replace(weights=mixture.weights[used]), 0
    )
