"""What a user should know about a timeline, one sentence each, on the page, in the JSON and on the console."""

from collections.abc import Iterator

from hms.recording.duration import duration_text
from hms.timeline.events import status_epilepticus
from hms.timeline.timeline import Timeline, predicted_minutes, step_s
from hms.timing import CENTRE_S


def notes(timeline: Timeline) -> Iterator[str]:
    """Yield what a user should know about the predictions."""
    table, duration_s = timeline.table, timeline.duration_s
    if duration_s < 50:
        yield (
            f"The recording lasts {duration_text(duration_s)} and a window 50 s, "
            "so every window is padded with missing samples."
        )
    else:
        yield "Windows within 20 s of either end of the recording reach beyond it and are padded with missing samples."
    if lost := table["other"].null_count():
        yield f"Windows without a prediction, because they lie in gaps: {lost:,} of {len(table):,}."
    if (apart_s := step_s(timeline)) > CENTRE_S:
        yield f"Windows are {apart_s:g} s apart and each predicts {CENTRE_S} s; the time between has no prediction."
    if (minutes := predicted_minutes(timeline).sum()) < (duration_s - CENTRE_S / 2) / 60:
        covered = f"{duration_text(60 * minutes)} of {duration_text(duration_s)}"
        yield f"Predictions cover {covered}; percentages refer to that time."
    if where := [one.why for one in status_epilepticus(timeline)]:
        yield (
            "If the model's seizure events were confirmed, they would meet the criterion of electrographic status "
            f"epilepticus (10 min without a break, or a fifth of any 60 min): {'; '.join(where)}. Review the EEG."
        )
