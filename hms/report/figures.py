"""The charts of the page about any run or ensemble."""

from typing import Any

import numpy as np
import plotly.graph_objects as go
import polars as pl

from hms.labels import CLASSES
from hms.page.document import SHOWN
from hms.page.palette import light
from hms.report.style import add_kls, bare, bracketed, of_rows, plain, whisker
from hms.report.summary import Group, Headline, Reliability
from hms.scoring.scores import percent

_MOST_EPOCHS = 10
"""So many epochs have a tick each."""

_LABEL = 0.16
"""Width of a label of the ruler on a phone, as a share of the ruler."""

_DASHES = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot")


def ruler(head: Headline) -> go.Figure:
    """The scale from oracle to uniform, and how far the model has come on it."""
    whole = head.all
    marks = {"prior": whole.prior, "uniform": head.uniform}
    start = 0.0 if whole.oracle is None else whole.oracle
    marks = {"perfect" if whole.oracle is None else "oracle": start, **marks}
    low, high = whole.interval or (whole.kl, whole.kl)
    ends = min(start, low) - 0.07, max(head.uniform, high) + 0.07
    lines = _lines_of_labels([*marks.values()], _LABEL * (ends[1] - ends[0]))
    figure = bare(112 + 36 * max(lines))
    figure.add_scatter(x=[start, head.uniform], y=[0, 0], mode="lines", line=_line("line", 10), hoverinfo="skip")
    figure.add_scatter(x=[whole.kl, whole.prior], y=[0, 0], mode="lines", line=_line("model", 10), hoverinfo="skip")
    figure.add_scatter(
        x=[*marks.values()],
        y=[0] * len(marks),
        mode="markers",
        marker={"color": light("paper"), "size": 13, "line": {"color": light("muted"), "width": 2}},
        hovertemplate=[f"{name} {value:.3f}<extra></extra>" for name, value in marks.items()],
    )
    figure.add_scatter(
        x=[whole.kl],
        y=[0],
        error_x=whisker([whole.kl], [whole.interval]),
        mode="markers",
        marker={"color": light("model"), "size": 18, "line": {"color": light("paper"), "width": 2}},
        hovertemplate=f"this {whole.kl:.3f}{bracketed(whole.interval, '.3f')}<extra></extra>",
    )
    for (name, value), line in zip(marks.items(), lines, strict=True):
        _label(figure, value, f"{name}<br>{value:.3f}", "muted", -34 - 36 * line)
    _label(figure, whole.kl, f"<b>{whole.kl:.3f}</b>", "model", 32)
    figure.update_yaxes(visible=False, range=[-1, 1])
    figure.update_layout(margin={"b": 8 + 36 * max(lines)})
    figure.update_xaxes(visible=False, range=[*ends])
    return figure


def dots(groups: list[Group], whole: Group, top: float) -> go.Figure:
    """A row per group: KL with its interval, prior and oracle; dotted, the KL of all rows. The axis ends at `top`."""
    grey = f"<span style='color:{light('muted')}'>"
    lines = [f"{_shown(part)}  {grey}{part.rows:,}</span>" for part in groups]
    figure = of_rows(len(groups))
    figure.add_vline(whole.kl, line={"color": light("model"), "dash": "dot", "width": 1})
    figure.add_scatter(**_points(lines, [part.prior for part in groups], "prior", "circle-open", "muted"))
    if any(part.oracle is not None for part in groups):
        figure.add_scatter(**_points(lines, [part.oracle for part in groups], "oracle", "line-ns-open", "ink"))
    hover = [
        f"{_shown(part)}: {part.kl:.3f}{bracketed(part.interval, '.3f')}<br>"
        f"{part.rows:,} windows of {part.patients:,} patients"
        for part in groups
    ]
    add_kls(figure, lines, [part.kl for part in groups], [part.interval for part in groups], hover)
    figure.update_xaxes(range=[0, top])
    return figure


def calibration(bins: Reliability) -> go.Figure:
    """Share of the votes by predicted probability; on the diagonal, the model is right on average."""
    figure = bare(220)
    colour = light(bins.name)
    figure.add_scatter(x=[0, 1], y=[0, 1], mode="lines", line=_line("line", 2), hoverinfo="skip")
    figure.add_scatter(
        x=bins.predicted,
        y=bins.voted,
        mode="lines+markers",
        line={"color": colour, "width": 2},
        error_y=whisker([*bins.voted], bins.intervals) | {"color": colour, "thickness": 1},
        marker={"color": colour, "size": 4 + 18 * np.sqrt(bins.rows / bins.rows.sum())},
        hovertemplate=[
            f"predicted {percent(p)}, voted {percent(v)}{bracketed(interval, '.0%')}<br>{n:,} windows<extra></extra>"
            for p, v, interval, n in zip(bins.predicted, bins.voted, bins.intervals, bins.rows, strict=True)
        ],
    )
    axis: dict[str, Any] = {"range": [-0.04, 1.04], "tickvals": [0, 0.5, 1], "ticktext": ["0 %", "50 %", "100 %"]}
    figure.update_xaxes(**axis, title="predicted")
    figure.update_yaxes(**axis, title="share of votes", title_standoff=4)
    figure.update_layout(margin={"l": 52, "r": 20, "t": 8, "b": 44})
    return figure


def curves(tables: dict[str, pl.DataFrame], column: str) -> go.Figure:
    """A line per fold over the epochs, with a legend above: a colour for each fold, a dash for what follows a comma."""
    figure = bare(270 + 10 * len(tables))  # on a phone, two names of the legend fill a line
    folds, kinds = (list(dict.fromkeys(name.partition(", ")[part] for name in tables)) for part in (0, 2))
    for name, table in tables.items():
        if column not in table.columns:
            continue
        fold, _, kind = name.partition(", ")
        table = table.drop_nulls(column)  # an epoch without validation
        figure.add_scatter(
            x=table["epoch"] + 1,
            y=table[column],
            mode="lines+markers",
            name=plain(name),
            line={
                "color": light(CLASSES[folds.index(fold) % len(CLASSES)]),
                "width": 2,
                "dash": _DASHES[kinds.index(kind) % len(_DASHES)],
            },
            marker={"size": 5},
            hovertemplate=f"{plain(name)}, epoch %{{x}}: %{{y:.3f}}<extra></extra>",
        )
    last = max((int(table["epoch"].max() or 0) + 1 for table in tables.values()), default=0)  # type: ignore[arg-type]
    each = [*range(1, last + 1)] if last <= _MOST_EPOCHS else None  # else Plotly's own, which are then whole numbers
    figure.update_xaxes(title="epoch", showgrid=False, tickvals=each)
    figure.update_yaxes(rangemode="tozero")
    figure.update_layout(
        margin={"l": 40},
        showlegend=True,
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0, "font": {"size": 12}},
    )
    return figure


def _lines_of_labels(places: list[float], width: float) -> list[int]:
    """The line below the ruler on which each label is free of those before it, from 0."""
    lines: list[int] = []
    for i, place in enumerate(places):
        near = {line for other, line in zip(places[:i], lines, strict=True) if abs(other - place) < width}
        lines.append(min({*range(i + 1)} - near))
    return lines


def _shown(part: Group) -> str:
    """The name of a group on its axis."""
    return plain(SHOWN.get(part.name, part.name))


def _line(role: str, width: int) -> dict[str, Any]:
    return {"color": light(role), "width": width}


def _points(lines: list[str], values: list[float | None], name: str, symbol: str, role: str) -> dict[str, Any]:
    marker = {"color": light(role), "size": 11, "symbol": symbol, "line": {"width": 2}}
    return {
        "x": values,
        "y": lines,
        "mode": "markers",
        "marker": marker,
        "name": name,
        "hovertemplate": f"{name} %{{x:.3f}}<extra></extra>",
    }


def _label(figure: go.Figure, x: float, text: str, role: str, y: int) -> None:
    figure.add_annotation(x=x, y=0, text=text, showarrow=False, yshift=y, font={"color": light(role), "size": 13})
