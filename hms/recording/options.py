"""The options by which every command reads recordings, the names of electrodes in them parsed."""

from collections.abc import Mapping
from itertools import permutations
from typing import Any

from hms.electrodes import SCALP
from hms.errors import UserError, did_you_mean
from hms.recording.channel_names import EKG, RENAMED, Lead, is_of_10_10, lead_meant, lead_of, measured
from hms.recording.units import uv_named


class ReadingOptions:
    """What a user says about recordings that their files do not.

    `unit` is that of the values, if a file states none or a wrong one; `channels` are the electrodes of channels whose
    names do not say, by these names. Raises UserError, naming the option, for what is no unit, no mapping and no
    electrode, for a name that occurs twice, and for two channels that measure the same.
    """

    def __init__(self, unit: str | None, channels: Any):
        self.unit = unit
        self.unit_uv = None if unit is None else uv_named(unit)
        """How many µV the unit is."""
        self.channels = None if channels is None else _by_text(channels)
        """As the user wrote them."""
        self.leads = _leads(self.channels or {})
        """What the channels measure, by their names."""


def _by_text(channels: Any) -> dict[str, Any]:
    """The option `channels` by names that are text: to Hydra and in Python, 1 is a number."""
    if not isinstance(channels, Mapping):
        raise UserError(f"channels: want a dict such as {{'EEG 1': 'Fp1'}}, got {channels!r}")
    found: dict[str, Any] = {}
    for key, text in channels.items():
        if (name := str(key)) in found:
            raise UserError(f"channels: want each name once, got '{name}' twice")
        found[name] = text
    return found


def _leads(channels: Mapping[str, Any]) -> dict[str, Lead]:
    found: dict[str, Lead] = {}
    for name, text in channels.items():
        if not isinstance(text, str) or (lead := lead_meant(text)) is None:
            wish = "want an electrode of the 10-20 system, EKG, or a pair such as Fp1-F7 or Fp1-A1"
            raise UserError(f"channels.{name}: {wish}, got {_unknown(text)}")
        for other, before in found.items():
            if measured(before) == measured(lead):
                raise UserError(f"channels: want one channel for each electrode, got '{other}' and '{name}' for {text}")
        found[name] = lead
    return found


def _unknown(text: object) -> str:
    """The end of a message: what the user gave, and a similar name or, for an electrode, that it is not of the 19."""
    known = [*SCALP, *RENAMED, EKG.anode, *("-".join(pair) for pair in permutations(SCALP, 2))]
    lead = lead_of(text) if isinstance(text, str) else None
    if others := [name for name in lead or () if is_of_10_10(name) and name not in SCALP]:
        return f"'{text}': {others[0]} is not one of the 19"
    return f"'{text}'{did_you_mean(text, known)}" if isinstance(text, str) else repr(text)
