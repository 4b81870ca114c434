"""Charts of an ensemble's members, from ensemble.json: the KL and the weight of each."""

from collections.abc import Iterator
from pathlib import PurePath
from typing import Any, NamedTuple

import plotly.graph_objects as go

from hms.page.palette import light
from hms.report.style import add_kls, bracketed, of_rows, plain, whisker
from hms.scoring.scores import percent


class Member(NamedTuple):
    """A row of the charts: a member, the plain mean of all, or the ensemble."""

    name: str
    kl: float
    interval: list[float] | None
    weight: float | None
    """None for the plain mean and the ensemble."""
    number: int | None
    """Position in the file, from 1."""
    weight_se: float | None
    """Standard error of the weight; None if it is unknown."""


def members_of(ensemble: dict[str, Any]) -> list[Member]:
    """The ensemble, the plain mean, then the members by decreasing weight."""
    combined = []
    for name, key in (("ensemble", "nested"), ("plain mean", "mean")):
        kl, interval = ensemble["kl"][key], ensemble["interval"][key]
        combined.append(Member(name, kl, interval, weight=None, number=None, weight_se=None))
    return [*combined, *sorted(_members(ensemble), key=lambda member: -(member.weight or 0))]


def scores(members: list[Member]) -> go.Figure:
    """KL with its interval, a row per member."""
    figure = of_rows(len(members))
    figure.add_vline(members[0].kl, line={"color": light("model"), "dash": "dot", "width": 1})
    hover = [f"{plain(member.name)}<br>{member.kl:.4f}{bracketed(member.interval, '.4f')}" for member in members]
    add_kls(figure, _labels(members), [member.kl for member in members], [member.interval for member in members], hover)
    return figure


def weights(members: list[Member]) -> go.Figure:
    """The weight of each member as a bar, with a standard error to either side."""
    weighted = [member for member in members if member.weight is not None]
    shares = [100 * (member.weight or 0) for member in weighted]
    labels = _labels(weighted)
    figure = of_rows(len(weighted))
    figure.add_bar(
        x=shares,
        y=labels,
        orientation="h",
        width=0.5,
        marker={"color": light("model")},
        error_x=whisker(shares, [_standard_error(member) for member in weighted])
        | {"color": light("ink"), "thickness": 1.5},
        hovertemplate=[
            f"{plain(one.name)}<br>{percent(one.weight or 0, 1)}, SE {percent(one.weight_se, 1)}<extra></extra>"
            for one in weighted
        ],
    )
    figure.update_xaxes(title="weight", ticksuffix=" %", rangemode="tozero")
    return figure


def _standard_error(member: Member) -> list[float] | None:
    """A standard error to either side of a weight, in %, as far as weights go; None if it is unknown."""
    if member.weight is None or member.weight_se is None:
        return None
    return [100 * max(member.weight - member.weight_se, 0), 100 * min(member.weight + member.weight_se, 1)]


def _members(ensemble: dict[str, Any]) -> Iterator[Member]:
    for i, name in enumerate(ensemble["members"]):
        kl, interval = ensemble["kl"]["members"][i], ensemble["interval"]["members"][i]
        weight, error = ensemble["weights"][i], ensemble["weights_se"][i]
        yield Member(name, kl, interval, weight=weight, number=i + 1, weight_se=error)


def _labels(members: list[Member]) -> list[str]:
    """Labels short enough for a chart on a phone: the number, and the last part of the path, shortened."""
    names = [PurePath(member.name).name for member in members]
    short = [name if len(name) < 20 else f"{name[:18]}…" for name in names]
    return [
        plain(name) if member.number is None else f"{member.number} {plain(name)}"
        for member, name in zip(members, short, strict=True)
    ]
