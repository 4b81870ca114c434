"""The config keys of commands that read recordings; in a module of their own, so that `--help` imports no library."""

from collections.abc import Iterator
from typing import Any, Literal, TypedDict

from hms.errors import UserError


class Reading(TypedDict):
    """How recordings are read."""

    unit: Literal["nV", "uV", "µV", "μV", "mV", "V"] | None
    channels: dict[str, str] | None


def no_such_electrodes(config: dict[str, Any]) -> Iterator[str]:
    """Yield a line if `channels` says that a channel measures nothing known."""
    channels = config["channels"] or {}
    if channels and all(isinstance(text, str) for text in channels.values()):
        from hms.recording.options import ReadingOptions  # imports NumPy; other mistakes should not wait for it

        try:
            ReadingOptions(unit=None, channels=channels)
        except UserError as error:
            yield str(error)
