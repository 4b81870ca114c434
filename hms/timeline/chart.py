"""What the page draws over time: probabilities as stacked areas, the spectrogram, and the labels of the time axis.

All share one horizontal axis, in seconds of the recording, which the page stretches.
"""

from collections.abc import Iterator
from datetime import timedelta
from typing import NamedTuple

import numpy as np
import polars as pl
from jaxtyping import Float

from hms.labels import CLASSES
from hms.page import regions
from hms.spectrogram_recipe import STEP_S
from hms.system.console import counted
from hms.timeline.clock import clock, date
from hms.timeline.events import ROUNDING_S
from hms.timeline.timeline import DAY_S, Timeline

HEIGHT = 500
"""Units from probability 0 to 1."""

_MOST_STEPS = 17_280  # two days, a window every 10 s; longer timelines are drawn by means
_MOST_COLUMNS = 2_400  # of a spectrogram picture
_TICKS_S = (1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200, 86_400,
            172_800, 432_000, 864_000)  # fmt: skip
_MOST_TICKS = 12  # on a screen
_ZOOMS_S = (864_000, 86_400, 21_600, 3_600, 600, 120)


class Area(NamedTuple):
    """A class and all before it, as one area: those of earlier classes are drawn over it."""

    name: str
    path: str
    """SVG path; a unit is a second to the right and 1/500 down."""


class Zoom(NamedTuple):
    """How much of the recording a screen shows."""

    name: str
    factor: float
    """Width of the recording, in screens."""
    ticks: list[tuple[float, str]]
    """Labels of the time axis, each with its place in per cent."""


class Picture(NamedTuple):
    """The spectrogram of a region, with its left edge and width in per cent of the recording."""

    name: str
    source: str
    left: float
    width: float


def areas(edges_s: Float[np.ndarray, " edge"], probabilities: Float[np.ndarray, "step class"]) -> list[Area]:
    """One area per class, from the last, which fills what the others leave, to the first; empty without prediction."""
    heights = np.rint(HEIGHT * np.nancumsum(probabilities, axis=1))
    heights[np.isnan(probabilities).any(axis=1)] = 0
    return [Area(CLASSES[i], _path(edges_s, heights[:, i])) for i in reversed(range(len(CLASSES)))]


def steps(timeline: Timeline) -> tuple[Float[np.ndarray, " edge"], Float[np.ndarray, "step class"]]:
    """The edges in time of all windows, and their probabilities: NaN between windows that are more than 10 s apart.
    Very many windows are averaged in groups, as far as they have a prediction."""
    edges_s = timeline.edges_s
    probabilities = timeline.table.select(pl.col(CLASSES).fill_null(np.nan)).to_numpy()
    begins_s, ends_s = timeline.own_s.T
    gaps_s = ends_s[ends_s < edges_s[1:] - ROUNDING_S]  # where a gap begins, up to the next window or the end
    if len(gaps_s) and len(probabilities) + len(gaps_s) <= _MOST_STEPS:
        edges_s = np.concatenate([begins_s, gaps_s])
        probabilities = np.concatenate([probabilities, np.full((len(gaps_s), len(CLASSES)), np.nan)])
        order = np.argsort(edges_s, kind="stable")
        return np.array([*edges_s[order], timeline.duration_s]), probabilities[order]
    size = -(-len(probabilities) // _MOST_STEPS)
    if size > 1:
        edges_s = np.append(edges_s[:-1:size], edges_s[-1])
        probabilities = _means(probabilities, size)
    return edges_s, probabilities


def pictures(timeline: Timeline) -> tuple[list[Picture], regions.DbRange | None]:
    """The spectrogram of each region, and the range of its shades; none for a recording shorter than 4 s."""
    power = timeline.spectrogram
    size = -(-power.shape[1] // _MOST_COLUMNS)
    means = _means(power, size) if size else power
    if not np.isfinite(means).any():
        return [], None
    db = regions.decibels(means)
    within = regions.common_range(db)
    per_cent = 100 / timeline.duration_s
    width = db.shape[1] * size * STEP_S * per_cent
    drawn = regions.pictures(db, within)
    return [Picture(name, source, STEP_S / 2 * per_cent, width) for name, source in drawn.items()], within


def zooms(timeline: Timeline) -> list[Zoom]:
    """From the whole recording down to the closest useful zoom: a screen shows at least 1 % of the recording."""
    screens_s = [screen_s for screen_s in _ZOOMS_S if 0.01 < screen_s / timeline.duration_s < 0.7]
    return [_zoom(timeline, timeline.duration_s, "all"), *(_zoom(timeline, s, _zoom_name(s)) for s in screens_s)]


def _means(values: Float[np.ndarray, "*region time value"], size: int) -> Float[np.ndarray, "*region group value"]:
    """Means over groups of `size` neighbours in time of what is known of them; NaN where nothing is.

    Group by group: copies of a spectrogram of many days would take gigabytes.
    """
    means = []
    for first in range(0, values.shape[-2], size):
        part = values[..., first : first + size, :]
        known = np.isfinite(part)
        counts = known.sum(axis=-2)
        means.append(np.add.reduce(part, axis=-2, where=known) / np.where(counts, counts, np.nan))
    return np.stack(means, axis=-2)


def _zoom(timeline: Timeline, screen_s: float, name: str) -> Zoom:
    step_s = next((tick_s for tick_s in _TICKS_S if screen_s / tick_s <= _MOST_TICKS), _TICKS_S[-1])
    return Zoom(name, timeline.duration_s / screen_s, list(_ticks(timeline, step_s)))


def _ticks(timeline: Timeline, step_s: int) -> Iterator[tuple[float, str]]:
    start = timeline.start
    since_midnight_s = 0.0 if start is None else start.hour * 3600 + start.minute * 60 + start.second
    first_s = -since_midnight_s % min(step_s, DAY_S)
    for second in np.arange(first_s, timeline.duration_s, step_s).tolist():
        text = clock(second, timeline).rpartition(" ")[2]
        if start is not None and timeline.duration_s > DAY_S and text == "00:00:00":
            text = date(start + timedelta(seconds=second))
        elif step_s % 60 == 0:
            text = text[:-3]
        yield 100 * second / timeline.duration_s, text


def _zoom_name(screen_s: int) -> str:
    if screen_s >= DAY_S:
        return counted(screen_s // DAY_S, "day")
    return f"{screen_s // 3600} h" if screen_s >= 3600 else f"{screen_s // 60} min"


def _path(edges_s: Float[np.ndarray, " edge"], heights: Float[np.ndarray, " step"]) -> str:
    """The area under a step function, as an SVG path; runs of equal height are one step."""
    new = np.flatnonzero(np.diff(heights, prepend=0.0) != 0)
    parts, at, height = [f"M{edges_s[0]:g} {HEIGHT}"], float(edges_s[0]), 0
    for i in new.tolist():
        parts.append((f"h{edges_s[i] - at:.6g}" if edges_s[i] > at else "") + f"v{height - int(heights[i])}")
        at, height = float(edges_s[i]), int(heights[i])
    return "".join(parts) + f"H{edges_s[-1]:g}V{HEIGHT}z"
