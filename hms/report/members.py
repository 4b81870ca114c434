"""Charts of an ensemble's members, from ensemble.json: the KL and the weight of each."""

from collections.abc import Iterator
from pathlib import PurePath
from typing import Any, NamedTuple

import plotly.graph_objects as go

from hms.page.palette import light
from hms.report.style import add_kls, bracketed, of_rows, plain
from hms.scoring.scores import percent


class Member(NamedTuple):
    """A row of the charts: a member, the plain mean of all, or the ensemble."""

    name: str
    kl: float
    interval: list[float]
    weight: float | None
    """None for the plain mean and the ensemble."""
    number: int | None
    """Position in the file, from 1."""
    nested_weights: list[float]
    """The weight fitted without each patient group."""


def members_of(ensemble: dict[str, Any]) -> list[Member]:
    """The ensemble, the plain mean, then the members by decreasing weight."""
    combined = []
    for name, key in (("ensemble", "nested"), ("plain mean", "mean")):
        kl, interval = ensemble["kl"][key], ensemble["interval"][key]
        combined.append(Member(name, kl, interval, weight=None, number=None, nested_weights=[]))
    return [*combined, *sorted(_members(ensemble), key=lambda member: -(member.weight or 0))]


def scores(members: list[Member]) -> go.Figure:
    """KL with its interval, a row per member."""
    figure = of_rows(len(members))
    figure.add_vline(members[0].kl, line={"color": light("model"), "dash": "dot", "width": 1})
    hover = [f"{plain(member.name)}<br>{member.kl:.4f}{bracketed(member.interval, '.4f')}" for member in members]
    add_kls(figure, _labels(members), [member.kl for member in members], [member.interval for member in members], hover)
    return figure


def weights(members: list[Member]) -> go.Figure:
    """The weight of each member as a bar, and its weights without each patient group as ticks."""
    weighted = [member for member in members if member.weight is not None]
    labels = _labels(weighted)
    figure = of_rows(len(weighted))
    figure.add_bar(
        x=[100 * (member.weight or 0) for member in weighted],
        y=labels,
        orientation="h",
        width=0.5,
        marker={"color": light("model")},
        hovertemplate=[
            f"{plain(member.name)}<br>{percent(member.weight or 0, 1)}<extra></extra>" for member in weighted
        ],
    )
    figure.add_scatter(
        x=[100 * weight for member in weighted for weight in member.nested_weights],
        y=[label for member, label in zip(weighted, labels, strict=True) for _ in member.nested_weights],
        mode="markers",
        marker={"color": light("ink"), "symbol": "line-ns-open", "size": 9, "line": {"width": 1.5}},
        hovertemplate="without one patient group: %{x:.1f} %<extra></extra>",
    )
    figure.update_xaxes(title="weight", ticksuffix=" %", rangemode="tozero")
    return figure


def _members(ensemble: dict[str, Any]) -> Iterator[Member]:
    for i, name in enumerate(ensemble["members"]):
        kl, interval = ensemble["kl"]["members"][i], ensemble["interval"]["members"][i]
        nested_weights = [weights[i] for weights in ensemble["weights_of_folds"]]
        yield Member(name, kl, interval, weight=ensemble["weights"][i], number=i + 1, nested_weights=nested_weights)


def _labels(members: list[Member]) -> list[str]:
    """Labels short enough for a chart on a phone: the number, and the last part of the path, shortened."""
    names = [PurePath(member.name).name for member in members]
    short = [name if len(name) < 20 else f"{name[:18]}…" for name in names]
    return [
        plain(name) if member.number is None else f"{member.number} {plain(name)}"
        for member, name in zip(members, short, strict=True)
    ]
