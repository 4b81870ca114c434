"""The options of a timeline, which `hms.predict` and `hms.load(runs).timeline` both take."""

from collections.abc import Mapping
from numbers import Integral, Real
from typing import Any, NamedTuple

from hms.config.keys import want_in_range
from hms.errors import UserError, did_you_mean
from hms.recording.mapping import by_name, mapped_leads
from hms.recording.units import MICRO, UNITS_UV


class TimelineOptions(NamedTuple):
    """How a recording is read, divided into windows and searched for events."""

    step_s: float
    """Between the starts of windows."""
    threshold: float
    """Probability from which a class is an event."""
    unit: str | None
    """Of the recording's values, if its file states none or a wrong one."""
    channels: Mapping[Any, str] | None
    """Electrodes of channels whose names do not say."""
    batch_size: int

    def checked(self) -> "TimelineOptions":
        """These options, `channels` by names that are text (`hms.recording.mapping.by_name`).

        Raises UserError, naming the option, for a wrong type, range or unit, and what is no electrode.
        """
        for key in ("batch_size", "step_s", "threshold"):
            value = getattr(self, key)
            kind, name = (Integral, "whole number") if key == "batch_size" else (Real, "number")
            if not isinstance(value, kind):
                raise UserError(f"{key}: want a {name}, got {value!r}")
        want_in_range(self._asdict())
        if self.unit is not None and self.unit not in [*UNITS_UV, *MICRO]:
            units = ", ".join(map(repr, UNITS_UV))
            raise UserError(f"unit: want {units} or null, got {self.unit!r}{did_you_mean(self.unit, UNITS_UV)}")
        mapped_leads(self.channels)
        return self._replace(channels=by_name(self.channels))
