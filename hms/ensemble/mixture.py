"""Mix the predictions of several members into one, as `ensemble.json` describes.

`read_ensemble(path).mixture(probabilities)` turns predictions (member, row, class) for any data, with members in the
order of the file, into those of the ensemble. A run predicts by the mean of the folds that the ensemble was fitted to
(`member_folds`). Each of the rows it was fitted to was predicted by one fold alone, and a mean is less confident: for
new data the best temperature is slightly lower than that of the file.

    members        list of text: run folders, or files of other people's models, which cannot predict new data
    weights        list, one per member, in their order; at least 0, sum 1
    mixing         "linear" (sum of weight * p), "greedy" (the same, weights found by greedy selection) or
                   "geometric" (product of p ^ weight, normalised)
    calibration    {"temperature": T, "bias": {class: nats}}: then softmax(log p / T + bias); 1 and zeros change nothing
    prior          null, or {"source": {class: share}, "target": {class: share}, "strength": s}: then
                   p * (target / source) ^ s, normalised
    member_folds   of each member that is a run, the names of the folds that it was fitted to and predicts by; without
                   it, a run predicts by all its folds

The rest of the file (KL, intervals, diversity) is about the rows the weights were fitted to; see
`hms.ensemble.fitted`.
"""

import json
from pathlib import Path
from typing import Any, NamedTuple, get_args

import numpy as np
import scipy
from jaxtyping import Float

from hms.ensemble.calibration import Calibration, log_of
from hms.ensemble.choices import Mixing
from hms.ensemble.prior_shift import PriorShift
from hms.errors import DataError, first_line
from hms.labels import CLASSES


class Mixture(NamedTuple):
    """Weights of the members, how they are mixed, and how the result is corrected."""

    mixing: Mixing
    weights: Float[np.ndarray, " member"]
    calibration: Calibration
    prior: PriorShift | None

    def __call__(self, probabilities: Float[np.ndarray, "member row class"]) -> Float[np.ndarray, "row class"]:
        """The ensemble's probabilities."""
        mixed = self.calibration(mix(probabilities, self.weights, self.mixing))
        return self.prior(mixed) if self.prior else mixed

    def as_json(self) -> dict[str, Any]:
        """The keys of ensemble.json that `read_ensemble` reads, except `members` and `member_folds`."""
        calibration = {"temperature": self.calibration.temperature, "bias": _named(self.calibration.bias)}
        prior = self.prior and {
            "source": _named(self.prior.source),
            "target": _named(self.prior.target),
            "strength": self.prior.strength,
        }
        return {"weights": self.weights.tolist(), "mixing": self.mixing, "calibration": calibration, "prior": prior}


class FittedEnsemble(NamedTuple):
    """What is needed of an ensemble.json to predict."""

    members: list[str]
    mixture: Mixture
    member_folds: dict[str, list[str]]
    """Names of the folds by which a member predicts; all of them if it is not among the keys."""


def mix(
    probabilities: Float[np.ndarray, "member row class"], weights: Float[np.ndarray, " member"], mixing: Mixing
) -> Float[np.ndarray, "row class"]:
    """The weighted mean of the members, or for `geometric` their weighted geometric mean, normalised."""
    if mixing == "geometric":
        return scipy.special.softmax(np.tensordot(weights, log_of(probabilities), 1), axis=1)
    return np.tensordot(weights, probabilities, 1)


def read_ensemble(path: Path) -> FittedEnsemble:
    """Read an ensemble.json. Raises DataError for a file that is not one."""
    try:
        content = json.loads(path.read_text())
        calibration, prior = content["calibration"], content["prior"]
        mixture = Mixture(
            content["mixing"],
            np.array(content["weights"], float),
            Calibration(float(calibration["temperature"]), _listed(calibration["bias"])),
            prior and PriorShift(_listed(prior["source"]), _listed(prior["target"]), float(prior["strength"])),
        )
        members = [str(member) for member in content["members"]]
        member_folds = {member: [*map(str, folds)] for member, folds in dict(content.get("member_folds", {})).items()}
    except FileNotFoundError:
        raise DataError(f"{path}: no such file; hms.ensemble writes it") from None
    except (OSError, ValueError, KeyError, TypeError, OverflowError) as error:
        raise DataError(f"{path}: not an ensemble written by hms.ensemble ({first_line(error)})") from None
    _want_probabilities(path, mixture)
    if len(members) != len(mixture.weights):
        raise DataError(f"{path}: want a weight per member ({len(members)}), got {len(mixture.weights)}")
    return FittedEnsemble(members, mixture, member_folds)


def _want_probabilities(path: Path, mixture: Mixture) -> None:
    """Raise DataError for values that would not yield probabilities."""
    weights, (temperature, bias), prior = mixture.weights, mixture.calibration, mixture.prior
    if mixture.mixing not in get_args(Mixing):
        raise DataError(f"{path}: mixing: want one of {', '.join(get_args(Mixing))}, got {mixture.mixing!r}")
    if weights.ndim != 1 or not (weights >= 0).all() or not abs(weights.sum() - 1) < 1e-6:
        raise DataError(f"{path}: weights: want numbers from 0 that sum to 1, got {weights.tolist()}")
    if not 0 < temperature < np.inf or not np.isfinite(bias).all():
        raise DataError(f"{path}: calibration: want a temperature above 0 and finite biases, got {mixture.calibration}")
    if prior and not (_are_shares(prior.source) and _are_shares(prior.target) and np.isfinite(prior.strength)):
        raise DataError(f"{path}: prior: want shares from 0 that sum to 1 and a finite strength, got {prior}")


def _are_shares(values: Float[np.ndarray, " class"]) -> bool:
    return bool((values >= 0).all() and abs(values.sum() - 1) < 1e-6)


def ensemble_folder(given: str | Path) -> Path:
    """The folder of an ensemble, given by that folder or by the ensemble.json in it."""
    path = Path(given)
    return path.parent if path.suffix == ".json" else path


def member_folder(folder: Path, name: str) -> Path | None:
    """The folder of a member that is a run: in the ensemble's `folder`, as it was named, or moved along with the
    ensemble, next to it; None if it is in none of these places."""
    return next(filter(Path.is_dir, (folder / name, Path(name), folder.absolute().parent / Path(name).name)), None)


def _named(values: Float[np.ndarray, " class"]) -> dict[str, float]:
    return dict(zip(CLASSES, values.tolist(), strict=True))


def _listed(values: dict[str, float]) -> Float[np.ndarray, " class"]:
    return np.array([values[name] for name in CLASSES], float)
