"""What the page says in numbers: KL by group with its interval, reliability, confusion, and the windows to look at.

All of it is of the rows that `hms.scores.scored` gives, one for each window.
"""

from typing import NamedTuple

import numpy as np
import polars as pl
from jaxtyping import Float, Int

from hms.bootstrap import mean_interval
from hms.labels import CLASSES, VOTE_COLUMNS, target_of
from hms.metric import gap_closed, uniform_kl

BUCKETS = ((1, 4), (5, 9), (10, 12), (13, 15), (16, 18), (19, None))
"""Numbers of votes, from and to."""

BINS = 10
"""Of predicted probability, equally wide."""

DRAWS = 2000
"""Of the patient bootstrap."""


class Group(NamedTuple):
    """The mean KL of some rows, in nats, with its 95 % patient-bootstrap interval."""

    name: str
    rows: int
    patients: int
    kl: float
    ends: list[float] | None
    """None for fewer than two patients."""
    prior: float
    """KL of the mean of all votes, not of these rows' alone: that would know what they have in common."""
    oracle: float | None


class Headline(NamedTuple):
    """All rows, and the marks between which their KL means something."""

    all: Group
    top1: float
    uniform: float
    gap_closed: float | None


class Reliability(NamedTuple):
    """Of one class: the rows by predicted probability, in those bins that hold any."""

    name: str
    predicted: Float[np.ndarray, " bin"]
    voted: Float[np.ndarray, " bin"]
    """Mean share of the votes."""
    ends: list[list[float] | None]
    """Its 95 % patient-bootstrap interval; None for fewer than two patients."""
    rows: Int[np.ndarray, " bin"]
    error: float
    """Expected calibration error: the mean distance between the two, weighted by rows."""


def headline(rows: pl.DataFrame) -> Headline:
    """Of everything that was predicted."""
    whole = group("all", rows)
    top1 = float(rows["right"].mean())  # type: ignore[arg-type]
    gap = None if whole.oracle is None else gap_closed(whole.kl, whole.prior, whole.oracle)
    return Headline(whole, top1, uniform_kl(target_of(rows.select(VOTE_COLUMNS).to_numpy())), gap)


def group(name: str, rows: pl.DataFrame) -> Group:
    """The mean over some scored rows."""
    ends = mean_interval(rows["kl"].to_numpy(), rows["patient_id"].to_numpy(), DRAWS, seed=0)
    mean = {column: rows[column].mean() for column in ("kl", "prior", "oracle")}
    return Group(name, len(rows), rows["patient_id"].n_unique(), ends=ends, **mean)  # type: ignore[arg-type]


def by_fold(rows: pl.DataFrame) -> list[Group]:
    """A group per fold, in order; none where the rows have no fold."""
    folds = rows["fold"].drop_nulls().unique().sort().to_list()
    return _groups(rows, {f"fold {fold}": pl.col("fold") == fold for fold in folds})


def by_class(rows: pl.DataFrame) -> list[Group]:
    """A group per class that leads the votes."""
    return _groups(rows, {name: pl.col("leading") == i for i, name in enumerate(CLASSES)})


def by_votes(rows: pl.DataFrame) -> list[Group]:
    """A group per number of votes."""
    names = {(low, high): f"{low}–{high}" if high else f"{low} or more" for low, high in BUCKETS}
    return _groups(rows, {names[low, high]: pl.col("votes").is_between(low, high or 10**9) for low, high in BUCKETS})


def reliability(rows: pl.DataFrame) -> list[Reliability]:
    """Of each class."""
    voted = target_of(rows.select(VOTE_COLUMNS).to_numpy())
    return [_reliability(name, rows, voted[:, i]) for i, name in enumerate(CLASSES)]


def confusion(rows: pl.DataFrame) -> Int[np.ndarray, "leading said"]:
    """Number of rows by the class that leads the votes and the one of the largest probability."""
    counts = np.zeros((len(CLASSES), len(CLASSES)), int)
    np.add.at(counts, (rows["leading"].to_numpy(), rows["predicted"].to_numpy()), 1)
    return counts


def soft_confusion(rows: pl.DataFrame) -> Float[np.ndarray, "voted said"]:
    """Mean prediction of each class's votes: what the model says where an expert says the class; NaN without votes."""
    votes, prediction = rows.select(VOTE_COLUMNS).to_numpy(), rows.select(CLASSES).to_numpy()
    target = target_of(votes)
    with np.errstate(invalid="ignore"):
        shares: Float[np.ndarray, "voted said"] = target.T @ prediction / target.sum(axis=0)[:, None]
    return shares


def most_wrong(rows: pl.DataFrame, count: int) -> pl.DataFrame:
    """The rows of the largest KL, at most one of a patient."""
    worst_first = rows.sort("kl", "label_id", descending=[True, False])
    return worst_first.unique("patient_id", keep="first", maintain_order=True)[:count]


def most_right(rows: pl.DataFrame, count: int) -> pl.DataFrame:
    """The rows of the smallest KL, at most one of a class: they would all be of the easiest."""
    return rows.sort("kl", "label_id").unique("leading", keep="first", maintain_order=True)[:count]


def _groups(rows: pl.DataFrame, of: dict[str, pl.Expr]) -> list[Group]:
    parts = {name: rows.filter(those) for name, those in of.items()}
    return [group(name, part) for name, part in parts.items() if len(part)]


def _reliability(name: str, rows: pl.DataFrame, voted: Float[np.ndarray, " row"]) -> Reliability:
    predicted, patients = rows[name].to_numpy(), rows["patient_id"].to_numpy()
    places = np.minimum((predicted * BINS).astype(int), BINS - 1)
    bins = [places == place for place in np.unique(places)]
    means = np.array([[predicted[those].mean(), voted[those].mean(), those.sum()] for those in bins])
    return Reliability(
        name=name,
        predicted=means[:, 0],
        voted=means[:, 1],
        ends=[mean_interval(voted[those], patients[those], DRAWS, seed=0) for those in bins],
        rows=means[:, 2].astype(int),
        error=float((np.abs(means[:, 0] - means[:, 1]) * means[:, 2]).sum() / len(predicted)),
    )
