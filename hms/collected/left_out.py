"""Say which labels of a recording are left out, because a timeline has no prediction there either, and why."""

from collections.abc import Iterable

import numpy as np

from hms.recording.annotations import bad_s
from hms.recording.recording import Recording
from hms.recording.windows import mostly_marked
from hms.system.console import counted, some
from hms.window_lengths import CENTRE_S

_NAMED = 3
"""The most times that are told of each reason."""


def why_left_out(recording: Recording, onsets_s: Iterable[float]) -> str:
    """A line with the reasons for which the ten seconds from `onsets_s` on are left out, in order; empty if none are.

    Their times are those of the middle, as in a table of labels.
    """
    times_s: dict[str, list[str]] = {}
    for onset_s in onsets_s:
        times_s.setdefault(_why(recording, onset_s), []).append(f"{onset_s + CENTRE_S / 2:g} s")
    if not times_s:
        return ""
    told = [f"{why} (at {some(at, _NAMED)})" for why, at in times_s.items()]
    count = sum(map(len, times_s.values()))
    return f"{counted(count, 'label')} left out, where nothing is predicted either: {'; '.join(told)}."


def _why(recording: Recording, onset_s: float) -> str:
    """Why the ten seconds from `onset_s` on have no prediction (`hms.recording.windows.Piece.recorded`)."""
    begin_s, end_s = max(0.0, onset_s), min(recording.duration_s, onset_s + CENTRE_S)
    half_s = min(CENTRE_S, recording.duration_s - onset_s) / 2
    source = recording.source
    stretches_s = (
        np.array([[stretch.at, stretch.at + stretch.length] for stretch in source.stretches]) / source.sfreq_hz
    )
    if mostly_marked(recording, onset_s, bad_s(source.annotations)):
        return "marked in the file as bad or as a check of the electrodes"
    if np.diff(stretches_s.clip(begin_s, end_s)).sum() < half_s:
        return "in a gap"
    return "without a signal, or with too many flat electrodes"
