"""What all charts of the page share: Plotly figures in the light colours, which the page replaces in the dark scheme.

A figure has no title and no toolbar, and most have no legend: its heading and how to read it are on the page around it.
"""

import html
from typing import Any

import plotly.graph_objects as go

from hms.page.palette import light

_ROW = 34  # pixels
_FONT = "Inter, system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif"


def bare(height: int) -> go.Figure:
    """An empty figure in the page's style; `height` in pixels."""
    figure = go.Figure()
    axis = {
        "fixedrange": True,  # scrolling the page by touch must not zoom
        "gridcolor": light("line"),
        "linecolor": light("line"),
        "zeroline": False,
        "tickfont": {"size": 12},
        "title": {"font": {"size": 12, "color": light("muted")}},
    }
    figure.update_layout(
        template=go.layout.Template(layout={"xaxis": axis, "yaxis": axis}),
        height=height,
        margin={"l": 8, "r": 12, "t": 8, "b": 40},
        font={"family": _FONT, "size": 13, "color": light("ink")},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        showlegend=False,
        dragmode=False,
        hovermode="closest",
        hoverlabel={"bgcolor": light("panel"), "bordercolor": light("line"), "font": {"color": light("ink")}},
    )
    return figure


def of_rows(count: int) -> go.Figure:
    """An empty figure with a dotted line per row, the first on top."""
    figure = bare(_ROW * count + 50)
    figure.update_yaxes(
        autorange="reversed", ticks="", showgrid=True, griddash="dot", automargin=True, ticklabelstandoff=6
    )
    figure.update_xaxes(showgrid=False)
    return figure


def add_kls(
    figure: go.Figure, lines: list[str], kls: list[float], intervals: list[list[float] | None], hover: list[str]
) -> None:
    """Draw a KL with its interval on each line; `hover` is what shows at the pointer."""
    figure.add_scatter(
        x=kls,
        y=lines,
        error_x=whisker(kls, intervals),
        mode="markers",
        name="KL",
        marker={"color": light("model"), "size": 10},
        hovertemplate=[f"{text}<extra></extra>" for text in hover],
    )
    figure.update_xaxes(title="KL, nats")


def whisker(points: list[float], intervals: list[list[float] | None]) -> dict[str, Any]:
    """Error bars from the lower to the upper end of each interval; none for None."""
    return {
        "type": "data",
        "symmetric": False,
        "array": [ends and ends[1] - point for point, ends in zip(points, intervals, strict=True)],
        "arrayminus": [ends and point - ends[0] for point, ends in zip(points, intervals, strict=True)],
        "color": light("model"),
        "thickness": 2,
        "width": 0,
    }


def bracketed(interval: list[float] | None, spec: str) -> str:
    """An interval in brackets, or nothing for None; `spec` is a format such as .3f."""
    return "" if interval is None else f" ({interval[0]:{spec}}–{interval[1]:{spec}})".replace("%", " %")


def plain(name: str) -> str:
    """A name escaped for Plotly, which interprets some tags and entities, but not those of quotes."""
    return html.escape(name, quote=False)
