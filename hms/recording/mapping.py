"""The option `channels`: what a user says that channels measure."""

from collections.abc import Mapping
from itertools import permutations
from typing import Any

from hms.electrodes import SCALP
from hms.errors import UserError, did_you_mean
from hms.recording.channel_names import EKG, RENAMED, Lead, is_of_10_10, lead_meant, lead_of, measured


def by_name(channels: Any) -> dict[str, Any] | None:
    """The option `channels` as a dict of its own, by names that are text: to Hydra and in Python, 1 is a number.

    Raises UserError if it is no mapping, or has a name twice.
    """
    if not isinstance(channels, Mapping | None):
        raise UserError(f"channels: want a dict such as {{'EEG 1': 'Fp1'}}, got {channels!r}")
    if channels is None:
        return None
    found: dict[str, Any] = {}
    for key, text in channels.items():
        if (name := str(key)) in found:
            raise UserError(f"channels: want each name once, got '{name}' twice")
        found[name] = text
    return found


def mapped_leads(channels: Any) -> dict[str, Lead]:
    """What the option `channels` says that channels of a file measure, by their names.

    Raises UserError as `by_name`, for what is neither an electrode nor a pair of them, and for two channels that
    measure the same.
    """
    found: dict[str, Lead] = {}
    for name, text in (by_name(channels) or {}).items():
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
