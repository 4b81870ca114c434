"""What an ensemble is made of: its members' KL and weights, and how much they differ, as ensemble.json tells it."""

from collections.abc import Iterator
from pathlib import PurePath
from typing import Any, NamedTuple

import plotly.graph_objects as go

from hms.report.figures import bare, between, plain, whisker
from hms.report.palette import light

_ROW = 34  # pixels


class Member(NamedTuple):
    """A line of the charts: a member, their plain mean, or the ensemble."""

    name: str
    kl: float
    ends: list[float]
    weight: float | None
    """None of the mean and the ensemble."""
    number: int | None
    """Its place in the file."""
    of_folds: list[float]
    """The weight in each fold of the nesting."""


def members_of(ensemble: dict[str, Any]) -> list[Member]:
    """The ensemble, the plain mean, then its members as they count."""
    whole = []
    for name, key in (("ensemble", "nested"), ("plain mean", "mean")):
        whole.append(Member(name, ensemble["kl"][key], ensemble["interval"][key], None, None, []))
    return [*whole, *sorted(_members(ensemble), key=lambda one: -(one.weight or 0))]


def scores(members: list[Member]) -> go.Figure:
    """KL with its interval, a line per member."""
    figure = bare(_ROW * len(members) + 50)
    figure.add_vline(members[0].kl, line={"color": light("model"), "dash": "dot", "width": 1})
    figure.add_scatter(
        x=[one.kl for one in members],
        y=_lines(members),
        error_x=whisker([one.kl for one in members], [one.ends for one in members]),
        mode="markers",
        marker={"color": light("model"), "size": 10},
        hovertemplate=[
            f"{plain(one.name)}<br>{one.kl:.4f}{between(one.ends, '.4f')}<extra></extra>" for one in members
        ],
    )
    figure.update_xaxes(title="KL, nats", showgrid=False)
    return _named(figure)


def weights(members: list[Member]) -> go.Figure:
    """The weight of each member, and those that the folds of the nesting found, as ticks."""
    counted = [one for one in members if one.weight is not None]
    lines = _lines(counted)
    figure = bare(_ROW * len(counted) + 50)
    figure.add_bar(
        x=[one.weight for one in counted],
        y=lines,
        orientation="h",
        width=0.5,
        marker={"color": light("model")},
        hovertemplate=[f"{plain(one.name)}<br>{one.weight:.1%}<extra></extra>" for one in counted],
    )
    figure.add_scatter(
        x=[weight for one in counted for weight in one.of_folds],
        y=[line for one, line in zip(counted, lines, strict=True) for _ in one.of_folds],
        mode="markers",
        marker={"color": light("ink"), "symbol": "line-ns-open", "size": 9, "line": {"width": 1.5}},
        hovertemplate="a fold: %{x:.1%}<extra></extra>",
    )
    figure.update_xaxes(title="weight", tickformat=".0%", rangemode="tozero", showgrid=False)
    return _named(figure)


def _members(ensemble: dict[str, Any]) -> Iterator[Member]:
    folds = ensemble["weights_of_folds"]
    for i, name in enumerate(ensemble["members"]):
        kl, ends = ensemble["kl"]["members"][i], ensemble["interval"]["members"][i]
        yield Member(name, kl, ends, ensemble["weights"][i], i + 1, [fold[i] for fold in folds])


def _lines(members: list[Member]) -> list[str]:
    """Names that fit beside a chart on a telephone: its number, and the last part of a path."""
    short = [PurePath(one.name).name for one in members]
    cut = [name if len(name) < 20 else f"{name[:18]}…" for name in short]
    return [
        plain(name) if one.number is None else f"{one.number} {plain(name)}"
        for one, name in zip(members, cut, strict=True)
    ]


def _named(figure: go.Figure) -> go.Figure:
    figure.update_yaxes(autorange="reversed", ticks="", showgrid=True, griddash="dot", automargin=True)
    return figure
