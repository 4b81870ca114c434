"""Say what to write for a time that is no number: '14,5' or '1,234', '00:01:30', '12:03'."""

import re

_DECIMAL_COMMA = re.compile(r"[+-]?\d+,\d+")
_THOUSANDS = re.compile(r"[+-]?[1-9]\d{0,2}(,\d{3})+")

_CLOCK = re.compile(r"\d:\d\d")
_ELAPSED = re.compile(r"(?:(\d+) days?,? )?(\d+):([0-5]\d):([0-5]\d(?:[.,]\d+)?)")
"""Hours, minutes and seconds, after days as Python writes them; of two numbers, the first may be hours or minutes."""


def seconds_meant(value: str) -> str:
    """The end of a message about a value that is no number of seconds; empty if it does not look like a time."""
    if _DECIMAL_COMMA.fullmatch(value) or _THOUSANDS.fullmatch(value):
        decimal, whole = value.replace(",", "."), value.replace(",", "")
        meant = [decimal] * (value.count(",") == 1) + [whole] * bool(_THOUSANDS.fullmatch(value))
        return f"; write {' or '.join(meant)}"
    if not _CLOCK.search(value):
        return ""
    near = "; write seconds from the beginning of the recording"
    if found := _ELAPSED.fullmatch(value):
        days, hours, minutes = (int(part or 0) for part in found.groups()[:3])
        seconds = 60 * (60 * (24 * days + hours) + minutes) + float(found[4].replace(",", "."))
        near += f", {seconds:.12g} if this is the time since then"
    return near
