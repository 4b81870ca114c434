"""Say what to write for a time that is no number: '14,5' or '1,234', '00:01:30', '12:03', '2024-03-01 22:16:00'."""

import re
from contextlib import suppress
from datetime import datetime

_DECIMAL_COMMA = re.compile(r"[+-]?\d+,\d+")
_THOUSANDS = re.compile(r"[+-]?[1-9]\d{0,2}(,\d{3})+")

_CLOCK = re.compile(r"\d:\d\d")
_ELAPSED = re.compile(r"(?:(\d+) days?,? )?(\d+):([0-5]\d):([0-5]\d(?:[.,]\d+)?)")
"""Hours, minutes and seconds, after days as Python writes them; of two numbers, the first may be hours or minutes."""

_OF_DAY = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)(?::([0-5]\d(?:[.,]\d+)?))?")

_DAY_S = 86_400


def seconds_meant(value: str, start: datetime | None) -> str:
    """The end of a message about a value that is no number of seconds; empty if it does not look like a time.

    `start` is when the recording began, by which a time of day is a number of seconds, too.
    """
    if _DECIMAL_COMMA.fullmatch(value) or _THOUSANDS.fullmatch(value):
        decimal, whole = value.replace(",", "."), value.replace(",", "")
        meant = [decimal] * (value.count(",") == 1) + [whole] * bool(_THOUSANDS.fullmatch(value))
        return f"; write {' or '.join(meant)}"
    if not _CLOCK.search(value):
        return ""
    near = "; write seconds from the beginning of the recording"
    if found := _ELAPSED.fullmatch(value):
        days, hours, minutes = (int(part or 0) for part in found.groups()[:3])
        seconds = 60 * (60 * (24 * days + hours) + minutes) + _decimal(found[4])
        near += f", {_number(seconds)} if this is the time since then"
    return near if start is None else near + _of_clock(value, start)


def _of_clock(value: str, start: datetime) -> str:
    """How many seconds after the start a time of day is, the next day's if it is before that, or a date with one."""
    if found := _OF_DAY.fullmatch(value):
        day_s = 3600 * int(found[1]) + 60 * int(found[2]) + _decimal(found[3] or "0")
        midnight = start.replace(hour=0, minute=0, second=0, microsecond=0)
        after_s = (day_s - (start - midnight).total_seconds()) % _DAY_S
        return f", {_number(after_s)} if it is the time of day (the recording starts at {start:%H:%M:%S})"
    if moment := _moment(value):
        if moment.tzinfo and start.tzinfo is None:
            return ""  # they cannot be compared
        after_s = (moment - (start if moment.tzinfo else start.replace(tzinfo=None))).total_seconds()
        when = f"the recording starts at {start:%Y-%m-%d %H:%M:%S}"
        return f", {_number(after_s)} for this moment ({when})" if after_s >= 0 else f" ({when}, after this moment)"
    return ""


def _moment(value: str) -> datetime | None:
    """A date with a time of day, in the order of ISO 8601 or with points."""
    for parse in (datetime.fromisoformat, lambda text: datetime.strptime(text, "%d.%m.%Y %H:%M:%S")):
        with suppress(ValueError):
            return parse(value)
    return None


def _decimal(text: str) -> float:
    return float(text.replace(",", "."))


def _number(seconds: float) -> str:
    return f"{round(seconds, 3):.12g}"
