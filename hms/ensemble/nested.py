"""An ensemble's mixture, fitted on some patients and scored on others.

Weights that are scored on the rows they were fitted on look better than they are. Here patients are dealt into folds,
the rows of each fold are predicted by a mixture that was fitted on all others, and these predictions are scored.
Members are taken as they are: each was trained without the patients it predicts, but not without those of other folds.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from hms.ensemble.calibration import fit_calibration
from hms.ensemble.choices import Calibrate, Mixing
from hms.ensemble.mixture import Mixture, mix
from hms.ensemble.weights import fit_weights
from hms.folds import random_folds


class Fitting(NamedTuple):
    """Everything that a mixture is fitted to, and how."""

    probabilities: Float[np.ndarray, "member row label"]
    target: Float[np.ndarray, "row label"]
    row_weight: Float[np.ndarray, " row"]
    patient_id: Int[np.ndarray, " row"]
    mixing: Mixing
    calibrate: Calibrate

    def of(self, rows: Bool[np.ndarray, " row"]) -> "Fitting":
        """Some rows of it."""
        return self._replace(
            probabilities=self.probabilities[:, rows],
            target=self.target[rows],
            row_weight=self.row_weight[rows],
            patient_id=self.patient_id[rows],
        )

    def fit(self) -> Mixture:
        """Weights first, then the calibration of what they mix."""
        weights = fit_weights(self.probabilities, self.target, self.row_weight, self.mixing)
        mixed, patients = mix(self.probabilities, weights, self.mixing), len(np.unique(self.patient_id))
        calibration = fit_calibration(mixed, self.target, self.row_weight, patients, self.calibrate)
        return Mixture(self.mixing, weights, calibration, prior=None)


class Nested(NamedTuple):
    """What mixtures say of rows whose patients they were not fitted to."""

    fold: Int[np.ndarray, " row"]
    mixtures: list[Mixture]
    """The mixture that predicts each fold."""
    uncalibrated: Float[np.ndarray, "row label"]
    calibrated: Float[np.ndarray, "row label"]


def nest(fitting: Fitting, folds: int, seed: int) -> Nested:
    """Fit as many mixtures as there are folds. Raises UserError for fewer than two folds or patients than folds."""
    fold = random_folds(fitting.patient_id, folds, seed)
    mixtures = [fitting.of(fold != held_out).fit() for held_out in range(folds)]
    uncalibrated, calibrated = np.empty((2, *fitting.target.shape))
    for held_out, mixture in enumerate(mixtures):
        rows = fold == held_out
        uncalibrated[rows] = mix(fitting.probabilities[:, rows], mixture.weights, mixture.mixing)
        calibrated[rows] = mixture.calibration(uncalibrated[rows])
    return Nested(fold, mixtures, uncalibrated, calibrated)
