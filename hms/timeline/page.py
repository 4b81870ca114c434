"""Render the page of a timeline: probabilities above the spectrogram, EEG, burden by the hour, events."""

from typing import Any

import numpy as np

from hms.page.document import document
from hms.timeline import chart
from hms.timeline.drawn import Drawn
from hms.timeline.timeline import DAY_S, HOUR_S, Timeline, burden, events, predicted_minutes

_MOST_EVENTS = 100


def page(timeline: Timeline, drawn: list[Drawn], models: str) -> str:
    """Render the page, with the EEG of the `drawn` windows; `models` names what made the predictions."""
    found = events(timeline)
    patterns = found.filter(found["label"] != "other")
    listed = patterns.top_k(_MOST_EVENTS, by="probability").sort("onset_s")
    minutes, predicted = burden(timeline), predicted_minutes(timeline)
    pictures, shades = chart.pictures(timeline)
    return document(
        "hms.timeline",
        "timeline",
        timeline=timeline,
        name=timeline.path.name,
        models=models,
        long=chart.length(timeline.duration_s),
        areas=chart.areas(timeline),
        height=chart.HEIGHT,
        pictures=pictures,
        shades=shades,
        zooms=chart.zooms(timeline),
        events=list(found.iter_rows(named=True)),
        listed=[{**one, "at": chart.clock(one["onset_s"], timeline)} for one in listed.iter_rows(named=True)],
        patterns=len(patterns),
        minutes=minutes,
        total=minutes.sum(axis=0),
        predicted=predicted,
        predicted_long=chart.length(60 * predicted.sum()),
        hours=[chart.clock(hour * HOUR_S, timeline)[:-3] for hour in range(len(minutes))],
        drawn=[(one, chart.clock(one.onset_s, timeline)) for one in drawn],
        windows=len(timeline.table) - timeline.table["other"].null_count(),
        data=_data(timeline, drawn),
    )


def _data(timeline: Timeline, drawn: list[Drawn]) -> dict[str, Any]:
    """The data with which the script shows the probabilities under the pointer."""
    edges_s, shares = chart.steps(timeline)
    start = timeline.start
    return {
        "duration": timeline.duration_s,
        "start": None if start is None else start.hour * 3600 + start.minute * 60 + start.second,
        "days": timeline.duration_s > DAY_S,
        "edges": edges_s.tolist(),
        "shares": [[None if np.isnan(one) else round(100 * one) for one in row] for row in shares.tolist()],
        "drawn": [one.onset_s for one in drawn],
    }
