"""Find out when the samples of a file were recorded: MNE-Python joins them, or fills the pauses."""

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from hms.recording.duration import duration_text
from hms.recording.edf import Header
from hms.recording.records import record_starts_s
from hms.recording.source import Span


def spans_of(path: Path, header: Header | None, raw: Any) -> tuple[list[Span], list[str]]:
    """The stretches that were recorded: by the record times of an EDF+ file, or between the pauses that MNE noted."""
    rate, count = float(raw.info["sfreq"]), int(raw.n_times)
    starts_s = None if header is None else record_starts_s(path, header)
    if header is not None and starts_s is not None:
        size = round(header.record_s * rate)
        firsts = [0, *(np.flatnonzero(np.diff(starts_s) > header.record_s + 1 / rate) + 1).tolist(), header.records]
        spans = [Span(round(starts_s[a] * rate), a * size, (b - a) * size) for a, b in pairwise(firsts)]
    else:
        pauses = [one for one in raw.annotations if one["description"].upper() == "BAD_ACQ_SKIP"]
        begins = [0, *(round((one["onset"] - raw.first_time + one["duration"]) * rate) for one in pauses)]
        ends = [*(round((one["onset"] - raw.first_time) * rate) for one in pauses), count]
        spans = [Span(a, a, b - a) for a, b in zip(begins, ends, strict=True) if b > a]
    missing_s = (spans[-1].at + spans[-1].length - sum(span.length for span in spans)) / rate
    gaps = "1 gap" if len(spans) == 2 else f"{len(spans) - 1} gaps"
    return spans, [f"The recording has {gaps}, {duration_text(missing_s)} in all."] if missing_s else []
