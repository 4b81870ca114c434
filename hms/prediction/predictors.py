"""The runs that predict together, and how to combine their predictions: by their mean, or an ensemble's mixture."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

import numpy as np
from jaxtyping import Float

from hms.batch import Batch
from hms.config.keys import want_in_range
from hms.ensemble.calibration import Calibration
from hms.ensemble.mixture import Mixture, ensemble_folder, member_folder, read_ensemble
from hms.errors import DataError, UserError
from hms.labels import CLASSES
from hms.model import Model
from hms.prediction.adaptation import adapt_models
from hms.prediction.inference import Compute
from hms.prediction.keys import neither_or_both
from hms.run_folders import is_member, number_of
from hms.runs.checkpoint import load_models
from hms.runs.folder import folds_of_all_patients, folds_to_predict_by
from hms.runs.mismatch import warn_of_mismatches, warn_of_unfinished, warn_of_unused
from hms.runs.named import named_runs
from hms.runs.trained import Trained, trained
from hms.system.console import counted


class Predictors(NamedTuple):
    """Runs that predict together."""

    runs: list[Trained]
    """The mean over the folds of each is its prediction."""
    mixture: Mixture
    """Combines the runs, in their order."""
    ensemble: str | None = None
    """The folder or file of the ensemble that they are, as given."""
    odds: Mapping[str, float] = MappingProxyType({})
    """By what the odds of classes were multiplied, which is part of the mixture's bias."""
    adapt: float = 0
    """Share of the batch norms' statistics to take from the windows to predict (`hms.prediction.adaptation`)."""

    def adjusted(self, temperature: float | None, odds: dict[str, float], adapt: float) -> "Predictors":
        """The same runs, combined and adapted in another way. Raises UserError for a number out of its range.

        `temperature` replaces the fitted one, or 1, unless it is None; `odds` multiply the odds of classes.
        """
        want_in_range({"temperature": temperature, "odds": odds, "adapt": adapt})
        calibration = self.mixture.calibration
        calibration = calibration._replace(bias=calibration.bias + np.log([odds.get(name, 1.0) for name in CLASSES]))
        if temperature is not None:
            calibration = calibration._replace(temperature=temperature)
        return self._replace(mixture=self.mixture._replace(calibration=calibration), odds=odds, adapt=adapt)

    def load(self) -> list[Model]:
        """Load the models of all folds, run after run."""
        return load_models(self.folds)

    def adapt_models(self, models: list[Model], windows: Iterable[Batch], compute: Compute) -> list[Model]:
        """The models as they are or, with `adapt`, copies adapted to the windows, which are only then read."""
        return adapt_models(models, windows, self.adapt, compute) if self.adapt else models

    def mix(self, by_fold: Float[np.ndarray, "fold row class"]) -> Float[np.ndarray, "row class"]:
        """Combine the predictions of all folds, run after run, into one. Raises UserError if a model predicts NaN."""
        for fold, predicted in zip(self.folds, by_fold, strict=True):
            if not np.isfinite(predicted).all():
                raise UserError(
                    f"{fold}: the model predicts NaN; its training diverged, or precision=16-mixed overflows"
                )
        ends = np.cumsum([len(run.folds) for run in self.runs])
        by_run = [of_run.mean(axis=0) for of_run in np.split(by_fold, ends[:-1])]
        return self.mixture(np.stack(by_run))

    @property
    def folds(self) -> list[Path]:
        """The folds of all runs, run after run."""
        return [fold for run in self.runs for fold in run.folds]

    @property
    def name(self) -> str:
        """How many models and runs there are, and what is done to them and to their predictions."""
        of_all = sum(number_of(fold) == "all" for fold in self.folds)
        counts = ((len(self.folds) - of_all, "model"), (of_all, "fold=all model"))
        models = " and ".join(counted(number, noun) for number, noun in counts if number)
        adapted = [f"adapted by {self.adapt:g}"] if self.adapt else []
        of_runs = f"{models} of {counted(len({run.folder for run in self.runs}), 'run')}"
        return ", ".join([of_runs, *adapted, *self.mixture.calibration.changes])


def predictors_of(config: dict[str, Any]) -> Predictors:
    """What `find_predictors` finds for a config, `adjusted` as the config says."""
    found = find_predictors(config["runs"], config["ensemble"], config["fold"])
    return found.adjusted(config["temperature"], config["odds"], config["adapt"])


def find_predictors(
    runs: str | list[str] | None = None, ensemble: str | None = None, fold: Literal["all"] | None = None
) -> Predictors:
    """Find the `runs` (names or patterns), or those of an `ensemble`, by its folder or file.

    An ensemble's runs are looked up next to its ensemble.json first; those without weight are left out. With
    `fold="all"` each run predicts by its models of all patients. Raises UserError unless either runs or an ensemble are
    given, for an ensemble's member that is not a run, and for runs without the models asked for.
    """
    if line := next(neither_or_both({"runs": runs, "ensemble": ensemble}), None):
        raise UserError(line)
    if runs is None:
        return _of_ensemble(ensemble or "", fold)
    paths = named_runs(runs)
    predictors = mean_of([Trained(path, folds_of_all_patients(path)) if fold else trained(path) for path in paths])
    warn_of_unfinished(predictors.runs)
    warn_of_unused(predictors.runs)
    warn_of_mismatches(predictors.runs)
    return predictors


def mean_of(runs: list[Trained]) -> Predictors:
    """Combine runs with equal weights."""
    identity = Calibration(1.0, np.zeros(len(CLASSES)))
    return Predictors(runs, Mixture("linear", np.full(len(runs), 1 / len(runs)), identity, None))


def _of_ensemble(given: str, fold: Literal["all"] | None) -> Predictors:
    folder = ensemble_folder(given)
    path = folder / "ensemble.json"
    names, mixture, member_folds = read_ensemble(path)
    used = np.flatnonzero(mixture.weights)
    members = []
    for name in (names[i] for i in used):
        if (run := member_folder(folder, name)) is None:
            is_table = name.endswith((".csv", ".gz", ".parquet"))
            why = (
                "a file of predictions, which cannot predict new data" if is_table else "no such folder, nor next to it"
            )
            raise UserError(f"{path}: want a run folder for each member with weight, got '{name}' ({why})")
        folds = folds_of_all_patients(run) if fold else _fitted_folds(path, member_folds.get(name), run)
        members.append(Trained(run, folds))
    return Predictors(members, mixture._replace(weights=mixture.weights[used]), given)


def _fitted_folds(path: Path, fitted: list[str] | None, run: Path) -> list[Path]:
    """The folds of a run to which the ensemble.json at `path` was `fitted`, or by which it predicts if that names none.

    The file of a Kaggle notebook names none: its folder holds just the folds to use.
    """
    folds = {fold.stem if is_member(fold) else fold.name: fold for fold in folds_to_predict_by(run)}
    if fitted is None:
        return [*folds.values()]
    if lacking := [name for name in fitted if name not in folds]:
        raise DataError(f"{run}: lacks {', '.join(lacking)}, to which {path} was fitted; fit the ensemble again")
    return [folds[name] for name in fitted]
