"""When a recording began, as the clock of the ward showed it: MNE-Python gives EGI's, MEF's and FIF's times in UTC."""

from contextlib import suppress
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path
from typing import Any


def start_time(path: Path, raw: Any) -> tuple[datetime | None, list[str]]:
    """When the first sample was recorded, in local time (called UTC, as MNE does), and a note on it.

    In UTC, with a note, if the file gives no offset from that.
    """
    if (acquired := raw.info["meas_date"]) is None:
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
