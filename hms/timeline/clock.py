"""Moments of a recording as people write them: times of day, with the date in a recording of over 24 h."""

from datetime import datetime, timedelta

from hms.timeline.timeline import DAY_S, Timeline


def clock(seconds: float, timeline: Timeline) -> str:
    """A moment of the recording as a time of day, with the date if it lasts over 24 h; as `length` without a start."""
    if timeline.start is None:
        return length(seconds)
    moment = timeline.start + timedelta(seconds=seconds)
    return f"{date(moment)} {moment:%H:%M:%S}" if timeline.duration_s > DAY_S else f"{moment:%H:%M:%S}"


def date(moment: datetime) -> str:
    """Day and month, such as `09 Mar`."""
    return f"{moment:%d %b}"


def length(seconds: float) -> str:
    """A duration as hours:minutes:seconds."""
    minutes, second = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{second:02}"
