"""The options of a timeline, which `hms.predict` and `hms.load(runs).timeline` both take."""

from numbers import Integral, Real
from typing import NamedTuple

from hms.config.keys import want_in_range
from hms.errors import UserError
from hms.recording.options import ReadingOptions


class TimelineOptions(NamedTuple):
    """How a recording is read, divided into windows and searched for events."""

    step_s: float
    """Between the starts of windows."""
    threshold: float
    """Probability from which a class is an event."""
    reading: ReadingOptions
    batch_size: int

    def checked(self) -> "TimelineOptions":
        """These options. Raises UserError, naming the option, for a wrong type or range."""
        for key in ("batch_size", "step_s", "threshold"):
            value = getattr(self, key)
            kind, name = (Integral, "whole number") if key == "batch_size" else (Real, "number")
            if not isinstance(value, kind):
                raise UserError(f"{key}: want a {name}, got {value!r}")
        want_in_range(self._asdict())
        return self
