"""What an ensemble and its members score, how sure that is, and how much the members differ."""

from typing import Any

import numpy as np
from jaxtyping import Float, Int

from hms.bootstrap import bootstrap_means, interval
from hms.ensemble.calibration import PriorShift, fit_strength, full_prior, halves, weights_of_prior
from hms.ensemble.mixture import Mixture
from hms.ensemble.nested import Fitting, Nested
from hms.ensemble.weights import objective, optimality_gap
from hms.labels import target_of
from hms.metric import kl_divergence


def scores_of(fitting: Fitting, nested: Nested, mixture: Mixture, draws: int, seed: int) -> dict[str, Any]:
    """The keys `kl`, `interval`, `difference`, `diversity`, `weights_of_folds` and `optimality_gap` of ensemble.json.

    Raises UserError for no draws.
    """
    target, found = fitting.target, fitting.probabilities
    members = np.stack([kl_divergence(target, one) for one in found])  # member row
    ensembles = np.stack([kl_divergence(target, one) for one in (nested.uncalibrated, nested.calibrated)])
    mean = kl_divergence(target, found.mean(axis=0))
    kl = {
        "members": members.mean(axis=1).tolist(),
        "mean": float(mean.mean()),
        "uncalibrated": float(ensembles[0].mean()),
        "nested": float(ensembles[1].mean()),
        "fitted": float(kl_divergence(target, mixture(found)).mean()),
    }
    means = bootstrap_means(np.stack([*members, *ensembles, mean]), fitting.patient_id, draws, seed)
    ends, apart = interval(means).tolist(), interval(means[:-1] - means[-1]).tolist()
    minimised = objective(found, target, fitting.row_weight, mixture.mixing)
    return {
        "kl": kl,
        "interval": {"members": ends[:-3], "mean": ends[-1], "uncalibrated": ends[-3], "nested": ends[-2]},
        "difference": {"members": apart[:-2], "uncalibrated": apart[-2], "nested": apart[-1]},
        "diversity": {"js": _js(found).tolist(), "loss_correlation": _correlation(members).tolist()},
        "weights_of_folds": [one.weights.tolist() for one in nested.mixtures],
        "optimality_gap": optimality_gap(minimised, mixture.weights),
    }


def prior_effect(
    given: dict[str, float], votes: Int[np.ndarray, "row label"], nested: Nested, seed: int
) -> tuple[PriorShift, dict[str, Any]]:
    """The shift from the rows' mean target to a prior of which some classes are `given`, and what it does to the KL.

    Rows are weighted by half of their votes, which the seed draws, and scored by the other half, then the reverse. The
    strength is fitted and scored on different patients, too. Raises UserError for a prior that cannot be, or that no
    weights of the rows have, and for a row of one vote.
    """
    target = target_of(votes)
    source = target.mean(axis=0)
    shift = PriorShift(source, full_prior(given, source), strength=1.0)
    known, half = halves(votes, seed)
    weights = weights_of_prior(known, half, shift.target)
    found, fold = np.tile(nested.calibrated, (2, 1)), np.tile(nested.fold, 2)
    shifted = np.empty_like(found)
    for held_out in np.unique(fold):
        rows, others = fold == held_out, fold != held_out
        shifted[rows] = fit_strength(shift, found[others], half[others], weights[others])(found[rows])
    of_rows = weights.reshape(2, -1).sum(axis=0)
    return fit_strength(shift, found, half, weights), {
        "before": float(np.average(kl_divergence(half, found), weights=weights)),
        "after": float(np.average(kl_divergence(half, shifted), weights=weights)),
        "effective_rows": float(of_rows.sum() ** 2 / (of_rows**2).sum()),
        "unweighted": float(kl_divergence(target, shifted[: len(target)]).mean()),
    }


def _js(found: Float[np.ndarray, "member row label"]) -> Float[np.ndarray, "member member"]:
    """Mean over rows of the Jensen-Shannon divergence of two members' predictions, in nats: 0 to log 2."""
    to_middle = np.array([[kl_divergence(one, (one + other) / 2).mean() for other in found] for one in found])
    return (to_middle + to_middle.T) / 2


def _correlation(losses: Float[np.ndarray, "member row"]) -> Float[np.ndarray, "member member"]:
    """Pearson's correlation; 1 of a member with itself, 0 with one that scores every row alike."""
    centred = losses - losses.mean(axis=1, keepdims=True)
    length = np.linalg.norm(centred, axis=1, keepdims=True)
    unit = np.divide(centred, length, out=np.zeros_like(centred), where=length > 0)
    together = unit @ unit.T
    np.fill_diagonal(together, 1.0)
    return together
