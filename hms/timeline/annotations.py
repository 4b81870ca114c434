"""Events as annotations that MNE-Python loads and EDF+ viewers show."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from jaxtyping import Float

from hms.labels import CLASSES
from hms.recording.times import stored_s
from hms.timeline.events import ROUNDING_S, events
from hms.timeline.timeline import Timeline

_NOTHING = "no prediction"


def write_fif(path: Path, timeline: Timeline) -> None:
    """Write the events in the time of `mne.io.read_raw(recording)`, for `raw.set_annotations`.

    MNE joins what a discontinuous EDF file holds, so an event that spans a gap is as long as what was recorded of it.
    """
    to_file = partial(stored_s, stretches=timeline.stretches, sfreq_hz=timeline.sfreq_hz)
    _annotations(events(timeline), to_file).save(path)


def write_edf(path: Path, timeline: Timeline) -> None:
    """Write an EDF+ for any viewer: the probabilities of the nearest window as six signals at 1 Hz, and the events.

    It is in the time of the recording, gaps included; the time stamps of its records keep the fraction of a second at
    which it began. The signals are 0 where nothing was predicted, and an annotation says so.
    """
    import mne  # slow to import

    seconds = np.arange(int(np.ceil(timeline.duration_s)))
    row = np.searchsorted(timeline.edges_s[:-1], seconds, side="right") - 1
    begins_s, ends_s = timeline.own_s[row].T
    inside = (begins_s <= seconds) & (seconds < ends_s)
    probability = timeline.table.select(pl.col(CLASSES).fill_null(0.0)).to_numpy()[row] * inside[:, None]
    info = mne.create_info([*CLASSES], 1.0, "stim")  # without a unit; MNE before 1.13.2 gives all other types µV
    raw = mne.io.RawArray(probability.T, info, verbose="error")
    if timeline.start is not None and 1985 <= timeline.start.year <= 2084:  # the years that EDF can express
        raw.set_meas_date(timeline.start)
    both = pl.concat([events(timeline), _unpredicted(timeline)], how="diagonal").sort("onset_s", maintain_order=True)
    raw.set_annotations(_annotations(both, lambda time_s: time_s))
    mne.export.export_raw(path, raw, fmt="edf", physical_range=(0.0, 1.0), verbose="error")


def _annotations(
    table: pl.DataFrame, to_file: Callable[[Float[np.ndarray, " time"]], Float[np.ndarray, " time"]]
) -> Any:
    """Annotations from the first sample on, whatever start time the file gives."""
    import mne

    begins_s = table["onset_s"].to_numpy()
    onsets_s = to_file(begins_s)
    durations_s = to_file(begins_s + table["duration_s"].to_numpy()) - onsets_s
    return mne.Annotations(onsets_s, durations_s, table["label"].to_list())


def _unpredicted(timeline: Timeline) -> pl.DataFrame:
    """Stretches without a prediction, as events are given."""
    known_s = timeline.predicted_s
    begins_s, ends_s = np.append(0.0, known_s[:, 1]), np.append(known_s[:, 0], timeline.duration_s)
    apart = ends_s - begins_s > ROUNDING_S
    stretches = {"onset_s": begins_s[apart], "duration_s": (ends_s - begins_s)[apart]}
    return pl.DataFrame(stretches).with_columns(label=pl.lit(_NOTHING))
