"""What a user should know about a timeline, one sentence each, on the page, in the JSON and on the console."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from jaxtyping import Float

from hms.system.console import duration_text
from hms.timeline.status import CONTINUOUS_S, missed, reasons, status_epilepticus
from hms.timeline.timeline import Timeline
from hms.window_lengths import CENTRE_S, EEG_S


def notes(timeline: Timeline, recorded_s: Float[np.ndarray, " window"]) -> Iterator[str]:
    """Yield what a user should know about the predictions, from windows of which `recorded_s` were recorded."""
    table, duration_s = timeline.table, timeline.duration_s
    yield from of_models(timeline.origin)
    yield from _status(timeline)
    known = table["other"].is_not_null().to_numpy()
    poor_s = recorded_s[known & (recorded_s < EEG_S / 2)]
    if len(poor_s) == 1 == len(table):
        yield f"The only prediction is from {duration_text(poor_s[0])} of EEG, where a window has {EEG_S} s."
    elif len(poor_s):
        which = f"{len(poor_s):,} of {int(known.sum()):,} predictions are from less than half"
        yield f"{which} of a window's {EEG_S} s, the least from {duration_text(poor_s.min())} of EEG."
    if lost := int((~known).sum()):
        yield (
            "Windows without a prediction, because half of their central 10 s or more was not recorded, had no signal, "
            f"or is marked as bad: {lost:,} of {len(table):,}."
        )
    if (apart_s := timeline.step_s) > CENTRE_S:
        yield f"Windows are {apart_s:g} s apart and each predicts {CENTRE_S} s; the time between has no prediction."
        if duration_s >= CONTINUOUS_S:
            yield missed(apart_s)
    if (minutes := timeline.predicted_minutes.sum()) < (duration_s - CENTRE_S / 2) / 60:
        covered = f"{duration_text(60 * minutes)} of {duration_text(duration_s)}"
        yield f"Predictions cover {covered}; percentages refer to that time."


def of_models(origin: dict[str, Any]) -> Iterator[str]:
    """Yield what a user should know about the models, whatever they predict."""
    if simulated := [model["run"] for model in origin["models"] if model["simulated_eeg"]]:
        yield f"Trained on simulated EEG: {', '.join(simulated)}. On real recordings, expect far worse predictions."
    began = [model for model in origin["models"] if model["began_with_simulated_eeg"]]
    if later := [model["run"] for model in began if not model["simulated_eeg"]]:
        yield f"Trained on simulated EEG first, then on other EEG: {', '.join(later)}."


def _status(timeline: Timeline) -> Iterator[str]:
    if found := status_epilepticus(timeline):
        yield (
            "If the model's seizure events were confirmed, they would meet the criterion of electrographic status "
            f"epilepticus (10 continuous minutes, or 20 % of any 60 min): {reasons(found)}. Review the EEG."
        )
