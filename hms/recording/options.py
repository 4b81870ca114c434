"""The options by which every command reads recordings."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from hms.errors import UserError, did_you_mean
from hms.recording.mapping import by_name, mapped_leads
from hms.recording.units import MICRO, UNITS_UV


class ReadingOptions(NamedTuple):
    """What a user says about recordings that their files do not."""

    unit: str | None
    """Of the values, if a file states none or a wrong one."""
    channels: Mapping[Any, str] | None
    """Electrodes of channels whose names do not say."""

    def checked(self) -> "ReadingOptions":
        """These options, `channels` by names that are text (`hms.recording.mapping.by_name`).

        Raises UserError, naming the option, for what is no unit and what is no electrode.
        """
        if self.unit is not None and self.unit not in [*UNITS_UV, *MICRO]:
            units = ", ".join(map(repr, UNITS_UV))
            raise UserError(f"unit: want {units} or null, got {self.unit!r}{did_you_mean(self.unit, UNITS_UV)}")
        mapped_leads(self.channels)
        return self._replace(channels=by_name(self.channels))
