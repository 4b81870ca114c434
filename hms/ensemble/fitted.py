"""Fit an ensemble to the out-of-fold predictions of several models, score it, and write it.

Writes `ensemble.json` and `oof.parquet` to `out`. `hms.ensemble.mixture` describes the keys members, weights, mixing,
calibration, prior and member_folds. These are the others, with KL in nats and lists in the order of the members:

    kl                `members`; `mean`: the plain mean of all members; `uncalibrated`: the mixture, fitted and scored
                      on different patients; `nested`: the same, calibrated, which is the ensemble; `fitted`: the
                      ensemble in sample, on the rows it was fitted to; `prior` and `uniform`: the mean vote shares of
                      these rows, and 1/6, predicted for every row
    interval          of each of these but the last three: 95 % interval of a bootstrap over patients, null for few
    difference        of `members`, `uncalibrated` and `nested`: interval of KL - KL of the mean, on the same draws
    diversity         of each two members: `js`, the mean Jensen-Shannon divergence of their predictions in nats, and
                      `loss_correlation`, Pearson's correlation of their KL over rows
    weights_se        standard errors of the weights: how much they would vary with other patients, by a jackknife over
                      the patient folds; null for weights of 0 or 1, and for greedy ones
    optimality_gap    upper bound on how far other weights of the same mixing could lower the minimised KL
    prior_effect      null, or the KL of `nested` `before` and `after` the prior shift on rows weighted to that prior
                      (weighted by half of each panel's votes, scored on the other half), the `interval` of after -
                      before, how many patients of equal weight these are worth (`effective_patients`), and the KL
                      after the shift on all rows as they are (`unweighted`)
    member_seeds      how many seeds of each member were averaged; 1 for a file
    rows, patients    their number; then the settings min_votes calibrate bias_sd weigh folds seed draws

`oof.parquet` is a table of the nested predictions, before any prior shift; its `fold` is the patient fold.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from jaxtyping import Int

from hms.config.keys import want_in_range
from hms.ensemble.members import Members, read_members
from hms.ensemble.mixture import Mixture, read_ensemble
from hms.ensemble.nested import Fitting, fit_nested
from hms.ensemble.prior_shift import fit_prior_shift
from hms.ensemble.scores import scores_of
from hms.ensemble.tables import print_ensemble
from hms.errors import DataError, UserError
from hms.labels import VOTE_COLUMNS
from hms.runs.folder import folds_with_held_out
from hms.runs.mismatch import warn_of_mismatches
from hms.runs.named import matching, scored_runs
from hms.runs.teacher import LEARNED_FROM_TEACHER
from hms.runs.trained import Trained
from hms.scoring.scores import predictions
from hms.system.atomic import replacing
from hms.system.console import say

_SETTINGS = ("min_votes", "calibrate", "bias_sd", "weigh", "folds", "seed", "draws")
"""Keys of the config that stand in ensemble.json as they are."""


def fit_ensemble(config: dict[str, Any]) -> dict[str, Any]:
    """Fit, score, write and print an ensemble; return the content of ensemble.json."""
    want_in_range(config)
    if tables := [path for word in config["runs"] for path in matching(word) if path.suffix == ".csv"]:
        raise UserError(f"runs: want runs, got '{tables[0]}'; predictions of other models are given as oof=[...]")
    runs = [Trained(run, folds_with_held_out(run)) for run in (scored_runs(config["runs"]) if config["runs"] else ())]
    warn_of_mismatches(runs)
    labels = None if config["labels"] is None else Path(config["labels"])
    members = read_members(runs, _files(config["oof"]), labels, config["min_votes"])
    panels = members.rows.select(VOTE_COLUMNS).to_numpy()
    fitting = _fitting(config, members, panels)
    nested = fit_nested(fitting, config["folds"], config["seed"])
    mixture, effect = fitting.fit(), None
    scores = scores_of(fitting, nested, mixture, config["draws"], config["seed"])
    if config["prior"]:
        shift, effect = fit_prior_shift(
            config["prior"],
            votes=panels,
            probabilities=nested.calibrated,
            fold=nested.fold,
            patient_id=fitting.patient_id,
            draws=config["draws"],
            seed=config["seed"],
        )
        mixture = mixture._replace(prior=shift)
    content = {
        "members": members.names,
        "member_seeds": members.seeds,
        **mixture.as_json(),
        **scores,
        "prior_effect": effect,
        "rows": len(panels),
        "patients": len(np.unique(fitting.patient_id)),
        **{name: config[name] for name in _SETTINGS},
        "member_folds": {str(run.path): [fold.name for fold in run.folds] for run in runs},
    }
    table = predictions(members.rows, None, nested.calibrated)
    _write(Path(config["out"]), content, table.with_columns(pl.Series("fold", nested.fold, pl.Int64)))
    print_ensemble(content)
    _print_notes(runs, members, mixture)
    return content


def _files(patterns: list[str]) -> list[Path]:
    """The files that match, each once. Raises UserError for a pattern that none matches."""
    matches = {pattern: matching(pattern) for pattern in patterns}
    if empty := [pattern for pattern, paths in matches.items() if not paths]:
        raise UserError(f"oof: no file matches {', '.join(empty)}")
    return [*dict.fromkeys(path for paths in matches.values() for path in paths)]


def _fitting(config: dict[str, Any], members: Members, panels: Int[np.ndarray, "row class"]) -> Fitting:
    """What the mixture of the members is fitted to, given the votes of each row's panel, and how."""
    votes = panels.sum(axis=1).astype(float)
    return Fitting(
        probabilities=members.probabilities,
        target=members.target,
        row_weight=votes if config["weigh"] == "votes" else np.ones(len(votes)),
        patient_id=members.rows["patient_id"].to_numpy(),
        mixing=config["mixing"],
        calibrate=config["calibrate"],
        bias_sd=config["bias_sd"],
    )


def _write(out: Path, content: dict[str, Any], table: pl.DataFrame) -> None:
    out.mkdir(parents=True, exist_ok=True)
    before = _members_in(out)
    with replacing(out / "ensemble.json") as summary, replacing(out / "oof.parquet") as predicted:
        table.write_parquet(predicted)
        summary.write_text(json.dumps(content, indent=1, allow_nan=False))
    if before and {*before} != {*content["members"]}:
        say(f"{out} held the ensemble of {', '.join(before)}, which this one replaces")
    say(f"ensemble {out / 'ensemble.json'}, predictions {out / 'oof.parquet'}")


def _members_in(folder: Path) -> list[str]:
    """The members of the ensemble that a folder holds; none if it holds none that can be read."""
    try:
        return read_ensemble(folder / "ensemble.json").members
    except DataError:
        return []


def _print_notes(runs: list[Trained], members: Members, mixture: Mixture) -> None:
    """Print which of the runs are students, and which members with weight cannot predict new data."""
    for student in (run for run in runs if run.is_student):
        print(f"{student.path}: {LEARNED_FROM_TEACHER}")
    if files := [members.names[i] for i in np.flatnonzero(mixture.weights) if i >= len(runs)]:
        print(f"{', '.join(files)}: a file of predictions cannot predict new data, so neither can this ensemble.")
