"""When a recording began, as the clock of the ward showed it: MNE-Python gives EGI's, MEF's and FIF's times in UTC."""

from contextlib import suppress
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path
from typing import Any

_UNKNOWN = {datetime(year, 1, 1, tzinfo=UTC) for year in (1970, 1985, 2000)}
"""Written where the start was removed: nothing at all, EDF+'s placeholder, and that of MNE-Python's `anonymize`."""


def start_time(path: Path, raw: Any) -> tuple[datetime | None, list[str]]:
    """When the first sample was recorded, in local time (called UTC, as MNE does), and a note on it.

    In UTC, with a note, if a FIF file gives no offset from that; None if the file gives no start or a placeholder.
    """
    acquired = raw.info["meas_date"]
    if acquired is None or acquired.replace(microsecond=0) in _UNKNOWN:
        return None, []
    start = acquired + timedelta(seconds=raw.first_time)  # a cropped file does not begin with the acquisition
    if zone := _zone(raw.info["utc_offset"]):
        return start.astimezone(zone).replace(tzinfo=UTC), [f"Times of day are local ({zone}), as the file says."]
    return start, ["Times of day are in UTC, as FIF files are meant to have them."] if ".fif" in path.suffixes else []


def _zone(offset: str | None) -> tzinfo | None:
    """The time zone of an offset such as +0100 or +01:00; None if there is none."""
    with suppress(ValueError):
        return datetime.strptime(offset or "", "%z").tzinfo
    return None
