"""The numbers of the page: KL by group with intervals, reliability, confusion, and which windows to draw.

Everything is computed from the rows of `hms.scoring.scores.scored`, one per window.
"""

from typing import NamedTuple

import numpy as np
import polars as pl
from jaxtyping import Float, Int

from hms.labels import CLASSES, VOTE_COLUMNS, target_of
from hms.scoring.bootstrap import FEWEST_PATIENTS, Bootstrap, effective, mean_interval
from hms.scoring.metric import prior_kl
from hms.scoring.scores import mean_scores

BUCKETS = ((1, 4), (5, 9), (10, 12), (13, 15), (16, 18), (19, None))
"""Ranges of the number of votes, both ends included."""

BINS = 10
"""Number of equally wide bins of predicted probability."""

LEAST_ROWS = 20
"""Of a bin with an interval: those of fewer rows held the prediction of a perfect model in 52-84 % of cases."""


class Group(NamedTuple):
    """The mean KL of some rows, in nats, with its 95 % interval from a bootstrap over patients."""

    name: str
    rows: int
    patients: int
    kl: float
    interval: list[float] | None
    """None for few patients."""
    prior: float
    """KL of the mean vote shares of these rows, as in `hms.scoring.scores.score`; for a class, which these would give
    away, of all rows."""
    oracle: float | None


class Headline(NamedTuple):
    """The scores of all rows, and the marks to read their KL by."""

    all: Group
    top1: float
    uniform: float
    gap_closed: float | None
    gap_interval: list[float] | None
    """Of `gap_closed`, from the same draws of patients as that of the KL; None if any of them has no gap."""
    effective_patients: float
    """How many patients with equal shares of the windows would tell as much."""


class Reliability(NamedTuple):
    """Reliability of one class, by bins of predicted probability; empty bins are left out."""

    name: str
    predicted: Float[np.ndarray, " bin"]
    voted: Float[np.ndarray, " bin"]
    """Mean share of the votes for the class."""
    intervals: list[list[float] | None]
    """95 % intervals of `voted` from a bootstrap over patients; None for few patients and below `LEAST_ROWS` rows."""
    rows: Int[np.ndarray, " bin"]
    error: float
    """Expected calibration error: mean distance between `predicted` and `voted`, weighted by rows."""
    error_by_chance: float | None
    """What it would be about, of a model that is right on average, with these patients; None for few."""


def headline(rows: pl.DataFrame) -> Headline:
    """Score all rows."""
    scores = mean_scores(rows)
    gap = scores.get("gap_closed")
    gap_interval = None if gap is None else _gap_interval(rows)
    return Headline(
        all=group("all", rows),
        top1=scores["top1"],
        uniform=scores["uniform"],
        gap_closed=gap,
        gap_interval=gap_interval,
        effective_patients=effective(rows["patient_id"].value_counts()["count"].to_numpy().astype(float)),
    )


def group(name: str, rows: pl.DataFrame) -> Group:
    """Score some of the rows."""
    interval = mean_interval(rows["kl"], rows["patient_id"])
    mean = {column: rows[column].mean() for column in ("kl", "prior", "oracle")}
    return Group(name, len(rows), rows["patient_id"].n_unique(), interval=interval, **mean)  # type: ignore[arg-type]


def by_fold(rows: pl.DataFrame, name: str) -> list[Group]:
    """A group per fold, in order, called `name` and its number; none for rows without a fold."""
    folds = rows["fold"].drop_nulls().unique().sort().to_list()
    return _groups(_parts(rows, {f"{name} {fold}": pl.col("fold") == fold for fold in folds}))


def by_class(rows: pl.DataFrame) -> list[Group]:
    """A group per class, of the rows whose votes it leads."""
    return [group(*part) for part in _parts(rows, {name: pl.col("leading") == i for i, name in enumerate(CLASSES)})]


def by_votes(rows: pl.DataFrame) -> list[Group]:
    """A group per range of the number of votes."""
    names = {(low, high): f"{low}–{high}" if high else f"{low} or more" for low, high in BUCKETS}
    ranges = {names[low, high]: pl.col("votes").is_between(low, high or 10**9) for low, high in BUCKETS}
    return _groups(_parts(rows, ranges))


def reliability(rows: pl.DataFrame) -> list[Reliability]:
    """The reliability of each class."""
    voted = target_of(rows.select(VOTE_COLUMNS).to_numpy())
    return [_reliability(name, rows, voted[:, i]) for i, name in enumerate(CLASSES)]


def confusion(rows: pl.DataFrame) -> Int[np.ndarray, "leading said"]:
    """Number of rows by the class that leads the votes and the one with the largest probability."""
    counts = np.zeros((len(CLASSES), len(CLASSES)), int)
    np.add.at(counts, (rows["leading"].to_numpy(), rows["predicted"].to_numpy()), 1)
    return counts


def soft_confusion(rows: pl.DataFrame) -> Float[np.ndarray, "voted said"]:
    """Mean prediction over all votes for each class; NaN for a class without votes."""
    votes, prediction = rows.select(VOTE_COLUMNS).to_numpy(), rows.select(CLASSES).to_numpy()
    with np.errstate(invalid="ignore"):
        shares: Float[np.ndarray, "voted said"] = votes.T @ prediction / votes.sum(axis=0)[:, None]
    return shares


def most_wrong(rows: pl.DataFrame, count: int) -> pl.DataFrame:
    """The rows with the largest KL, at most one per patient."""
    worst_first = rows.sort("kl", "label_id", descending=[True, False])
    return worst_first.unique("patient_id", keep="first", maintain_order=True)[:count]


def most_right(rows: pl.DataFrame, count: int, wrong: pl.DataFrame) -> pl.DataFrame:
    """The rows with the smallest KL, except `wrong`, at most one per class; else all would be of the easiest class."""
    others = rows.join(wrong, on="label_id", how="anti", maintain_order="left")
    return others.sort("kl", "label_id").unique("leading", keep="first", maintain_order=True)[:count]


def _parts(rows: pl.DataFrame, conditions: dict[str, pl.Expr]) -> list[tuple[str, pl.DataFrame]]:
    """The rows that meet each condition, by its name; none for a condition that no row meets."""
    parts = {name: rows.filter(condition) for name, condition in conditions.items()}
    return [(name, part) for name, part in parts.items() if len(part)]


def _groups(parts: list[tuple[str, pl.DataFrame]]) -> list[Group]:
    """Score parts of the rows, each by the prior of its own rows."""
    priors = [prior_kl(target_of(part.select(VOTE_COLUMNS).to_numpy())) for _, part in parts]
    return [group(name, part)._replace(prior=prior) for (name, part), prior in zip(parts, priors, strict=True)]


def _gap_interval(rows: pl.DataFrame) -> list[float] | None:
    bootstrap = Bootstrap(rows["patient_id"].to_numpy())
    kl, prior, oracle = bootstrap.means(rows.select("kl", "prior", "oracle").to_numpy().T)
    return None if (prior <= oracle).any() else bootstrap.interval((prior - kl) / (prior - oracle))


def _reliability(name: str, rows: pl.DataFrame, voted: Float[np.ndarray, " row"]) -> Reliability:
    predicted, patients = rows[name].to_numpy(), rows["patient_id"]
    places = np.minimum((predicted * BINS).astype(int), BINS - 1)
    bins = [places == place for place in np.unique(places)]
    means = np.array([[predicted[bin_].mean(), voted[bin_].mean(), bin_.sum()] for bin_ in bins])
    return Reliability(
        name=name,
        predicted=means[:, 0],
        voted=means[:, 1],
        intervals=[
            mean_interval(pl.Series(voted[bin_]), patients.filter(bin_)) if bin_.sum() >= LEAST_ROWS else None
            for bin_ in bins
        ],
        rows=means[:, 2].astype(int),
        error=float((np.abs(means[:, 0] - means[:, 1]) * means[:, 2]).sum() / len(predicted)),
        error_by_chance=sum(_by_chance((voted - predicted)[bin_], patients.filter(bin_)) for bin_ in bins)
        / len(predicted)
        if patients.n_unique() >= FEWEST_PATIENTS
        else None,
    )


def _by_chance(residual: Float[np.ndarray, " row"], patient_id: pl.Series) -> float:
    """The expected absolute sum of such residuals, if they were 0 on average and independent between patients.

    It is that of a normal distribution; its variance is that of the patients' sums, without the mean of the residuals.
    """
    table = pl.DataFrame({"patient_id": patient_id, "residual": residual})
    count = table["patient_id"].n_unique()
    if count > 1:  # of one patient, the mean is all there is
        table = table.with_columns(pl.col("residual") - pl.col("residual").mean())
    sums = table.group_by("patient_id").sum()["residual"].to_numpy()
    return float(np.sqrt(2 / np.pi * count / max(count - 1, 1)) * np.linalg.norm(sums))
