"""Score an ensemble and its members, with intervals, and measure how much the members differ."""

from typing import Any

import numpy as np
from jaxtyping import Float

from hms.ensemble.mixture import Mixture
from hms.ensemble.nested import Fitting, Nested
from hms.ensemble.weights import objective, optimality_gap
from hms.scoring.bootstrap import Bootstrap
from hms.scoring.metric import kl_divergence, prior_kl, uniform_kl


def scores_of(fitting: Fitting, nested: Nested, mixture: Mixture, draws: int, seed: int) -> dict[str, Any]:
    """The keys `kl`, `interval`, `difference`, `diversity`, `weights_se`, `optimality_gap` of ensemble.json."""
    target, probabilities = fitting.target, fitting.probabilities
    members = np.stack([kl_divergence(target, member) for member in probabilities])  # member row
    ensembles = np.stack([kl_divergence(target, mixed) for mixed in (nested.uncalibrated, nested.calibrated)])
    mean = kl_divergence(target, probabilities.mean(axis=0))
    kl = {
        "members": members.mean(axis=1).tolist(),
        "mean": float(mean.mean()),
        "uncalibrated": float(ensembles[0].mean()),
        "nested": float(ensembles[1].mean()),
        "fitted": float(kl_divergence(target, mixture(probabilities)).mean()),
        "prior": prior_kl(target),
        "uniform": uniform_kl(target),
    }
    bootstrap = Bootstrap(fitting.patient_id, draws, seed)
    means = bootstrap.means(np.stack([*members, *ensembles, mean]))
    ends = [bootstrap.interval(figure) for figure in means]
    differences = [bootstrap.interval(figure - means[-1]) for figure in means[:-1]]
    minimised = objective(probabilities, target, fitting.row_weight, mixture.mixing)
    return {
        "kl": kl,
        "interval": {"members": ends[:-3], "mean": ends[-1], "uncalibrated": ends[-3], "nested": ends[-2]},
        "difference": {"members": differences[:-2], "uncalibrated": differences[-2], "nested": differences[-1]},
        "diversity": {"js": _js(probabilities).tolist(), "loss_correlation": _correlation(members).tolist()},
        "weights_se": _standard_errors(mixture, nested),
        "optimality_gap": optimality_gap(minimised, mixture.weights),
    }


def _standard_errors(mixture: Mixture, nested: Nested) -> list[float | None]:
    """Those of the weights, from fits that each leave out a fold of patients (Efron & Tibshirani 1993, chapter 11).

    None where a jackknife says nothing: for a weight at its limit, and for greedy weights, which move in steps.
    """
    without_fold = np.stack([one.weights for one in nested.mixtures])  # fold member
    errors: list[float] = (np.sqrt(len(without_fold) - 1) * without_fold.std(axis=0)).tolist()
    knows = (mixture.weights > 0) & (mixture.weights < 1) & (mixture.mixing != "greedy")
    return [error if known else None for error, known in zip(errors, knows, strict=True)]


def _js(probabilities: Float[np.ndarray, "member row class"]) -> Float[np.ndarray, "member member"]:
    """Mean over rows of the Jensen-Shannon divergence between two members' predictions, in nats: 0 to log 2."""
    to_middle = np.array([[kl_divergence(a, (a + b) / 2).mean() for b in probabilities] for a in probabilities])
    return (to_middle + to_middle.T) / 2


def _correlation(losses: Float[np.ndarray, "member row"]) -> Float[np.ndarray, "member member"]:
    """Pearson's correlation; 1 of a member with itself, 0 with one that has the same loss on every row."""
    with np.errstate(invalid="ignore"):  # 0 / 0 without any spread
        correlation = np.atleast_2d(np.nan_to_num(np.corrcoef(losses)))
    np.fill_diagonal(correlation, 1.0)
    return correlation
