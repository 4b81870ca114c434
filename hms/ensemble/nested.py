"""Fit an ensemble's mixture on some patients and predict others.

Weights look better than they are when scored on the rows they were fitted to. So patients are dealt into folds, the
rows of each fold are predicted by a mixture fitted on all other folds, and these predictions are scored. The members
are taken as they are: each was trained without the patients it predicts, but not without those of the other folds.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from hms.data.folds import random_folds
from hms.ensemble.calibration import fit_calibration
from hms.ensemble.choices import Calibrate, Mixing
from hms.ensemble.mixture import Mixture, mix
from hms.ensemble.weights import fit_weights


class Fitting(NamedTuple):
    """The data that a mixture is fitted to, and the options of the fit."""

    probabilities: Float[np.ndarray, "member row class"]
    target: Float[np.ndarray, "row class"]
    row_weight: Float[np.ndarray, " row"]
    patient_id: Int[np.ndarray, " row"]
    mixing: Mixing
    calibrate: Calibrate
    bias_sd: float

    def subset(self, rows: Bool[np.ndarray, " row"]) -> "Fitting":
        """The same for some of the rows."""
        return self._replace(
            probabilities=self.probabilities[:, rows],
            target=self.target[rows],
            row_weight=self.row_weight[rows],
            patient_id=self.patient_id[rows],
        )

    def fit(self) -> Mixture:
        """Fit the weights, then the calibration of what they mix."""
        weights = fit_weights(self.probabilities, self.target, self.row_weight, self.mixing)
        mixed, patients = mix(self.probabilities, weights, self.mixing), len(np.unique(self.patient_id))
        calibration = fit_calibration(mixed, self.target, self.row_weight, patients, self.calibrate, self.bias_sd)
        return Mixture(self.mixing, weights, calibration, prior=None)


class Nested(NamedTuple):
    """Predictions for each row by a mixture that was not fitted to its patient."""

    fold: Int[np.ndarray, " row"]
    mixtures: list[Mixture]
    """The mixture that predicts each fold."""
    uncalibrated: Float[np.ndarray, "row class"]
    calibrated: Float[np.ndarray, "row class"]


def fit_nested(fitting: Fitting, folds: int, seed: int) -> Nested:
    """Fit a mixture for each fold, on all others. Raises UserError for fewer than two folds or patients than folds."""
    fold = random_folds(fitting.patient_id, folds, seed)
    mixtures = [fitting.subset(fold != held_out).fit() for held_out in range(folds)]
    uncalibrated, calibrated = np.empty((2, *fitting.target.shape))
    for held_out, mixture in enumerate(mixtures):
        rows = fold == held_out
        uncalibrated[rows] = mix(fitting.probabilities[:, rows], mixture.weights, mixture.mixing)
        calibrated[rows] = mixture.calibration(uncalibrated[rows])
    return Nested(fold, mixtures, uncalibrated, calibrated)
