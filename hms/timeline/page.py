"""Render the page of a timeline: probabilities above the spectrogram, EEG, burden by the hour, events."""

from datetime import UTC
from typing import Any

import numpy as np
from jaxtyping import Float

from hms.page.document import document
from hms.timeline import chart
from hms.timeline.clock import clock, length
from hms.timeline.events import PATTERNS, burden, events, totals
from hms.timeline.selection import Drawn, drawn_for, listed_events, opened
from hms.timeline.settings import in_words
from hms.timeline.status import reasons, status_epilepticus
from hms.timeline.timeline import DAY_S, HOUR_S, Timeline

_MOST_ANNOTATIONS = 200


def page(timeline: Timeline, drawn: list[Drawn], place: str = "") -> str:
    """Render the page, with the EEG of the `drawn` windows; `place`, its path, is in the folder of an overview."""
    found = events(timeline)
    listed, status = listed_events(found), status_epilepticus(timeline)
    shown_by = drawn_for(listed, timeline, drawn)
    predicted = timeline.predicted_minutes
    edges_s, probabilities = chart.steps(timeline)
    pictures, shades = chart.pictures(timeline)
    return document(
        "hms.timeline",
        "timeline",
        timeline=timeline,
        name=timeline.path.name,
        place=place,
        home="../" * place.count("/") + "index.html",
        long=length(timeline.duration_s),
        settings=in_words(timeline.origin),
        areas=chart.areas(edges_s, probabilities),
        height=chart.HEIGHT,
        pictures=pictures,
        shades=shades,
        zooms=chart.zooms(timeline),
        events=list(found.iter_rows(named=True)),
        listed=[
            {**event, "at": clock(event["onset_s"], timeline), "window": window}
            for event, window in zip(listed.iter_rows(named=True), shown_by, strict=True)
        ],
        patterns=PATTERNS,
        status=status,
        reasons=reasons(status),
        minutes=burden(timeline),
        totals=totals(timeline),
        annotations=[(remark, clock(remark.onset_s, timeline)) for remark in timeline.annotations[:_MOST_ANNOTATIONS]],
        predicted=predicted,
        predicted_long=length(60 * predicted.sum()),
        hours=[clock(hour * HOUR_S, timeline)[:-3] for hour in range(len(predicted))],
        drawn=[(window, clock(window.onset_s, timeline)) for window in drawn],
        windows=len(timeline.table) - timeline.table["other"].null_count(),
        data=_data(timeline, drawn, opened(listed, shown_by), edges_s, probabilities),
    )


def _data(
    timeline: Timeline,
    drawn: list[Drawn],
    opened: int,
    edges_s: Float[np.ndarray, " edge"],
    probabilities: Float[np.ndarray, "step class"],
) -> dict[str, Any]:
    """The data with which the script shows the probabilities under the pointer."""
    start = timeline.start
    return {
        "duration": timeline.duration_s,
        "start": None if start is None else start.replace(tzinfo=UTC).timestamp(),
        "days": timeline.duration_s > DAY_S,
        "edges": edges_s.tolist(),
        "shares": [[None if np.isnan(p) else round(100 * p) for p in step] for step in probabilities.tolist()],
        "drawn": [window.onset_s for window in drawn],
        "opened": opened,
    }
