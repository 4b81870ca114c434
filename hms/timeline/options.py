"""Check the options of a timeline, which `hms.predict` and `hms.load(bundle).timeline` both take."""

import math
from numbers import Integral, Real
from typing import Any

from hms.errors import UserError, did_you_mean
from hms.recording.channels import MICRO, UNITS_UV, mapped_leads


def want_options(step_s: Any, threshold: Any, unit: Any, channels: Any, batch_size: Any) -> None:
    """Raise UserError, naming the option, for a wrong type, range or unit, and what is no electrode."""
    for key, value in (("batch_size", batch_size), ("step_s", step_s), ("threshold", threshold)):
        kind, name = (Integral, "whole number") if key == "batch_size" else (Real, "number")
        if not isinstance(value, kind):
            raise UserError(f"{key}: want a {name}, got {value!r}")
    for key, value in (("batch_size", batch_size), ("step_s", step_s)):
        if not 1 <= value < math.inf:
            raise UserError(f"{key}: want at least 1, got {value}")
    if not 0 < threshold <= 1:
        raise UserError(f"threshold: want more than 0, up to 1, got {threshold}")
    if unit is not None and unit not in [*UNITS_UV, *MICRO]:
        units = ", ".join(map(repr, UNITS_UV))
        raise UserError(f"unit: want {units} or null, got {unit!r}{did_you_mean(unit, UNITS_UV)}")
    mapped_leads(channels)
