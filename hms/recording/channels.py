"""Which channels of a file are read, and the unit of their values."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from itertools import permutations
from typing import Any, NamedTuple

from hms.electrodes import SCALP
from hms.errors import UserError, did_you_mean
from hms.recording.labels import EKG, RENAMED, Lead, is_of_10_10, lead_meant, lead_of, without_numbers

UNITS_UV = {"nV": 1e-3, "uV": 1.0, "mV": 1e3, "V": 1e6}
"""How many µV each unit is."""

_SPELLINGS = {"nv": "nV", "uv": "uV", "µv": "uV", "μv": "uV", "\x83\xcav": "uV", "mv": "mV", "v": "V"}


MICRO = {"µV": "uV", "μV": "uV"}
"""Units as they are written where the keyboard has the letter: the sign for micro, and the Greek letter."""

_MOST_NAMES = 32  # in a message


class Channel(NamedTuple):
    """A channel to read: its place among those of the file, its label, and what it measures."""

    place: int
    label: str
    lead: Lead


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


def numbered(labels: Sequence[str]) -> list[str]:
    """The labels of an EDF file, made unique as MNE does: those that occur more than once get numbers (X-0, X-1)."""
    count, seen = Counter(labels), Counter[str]()
    found = []
    for label in labels:
        found.append(f"{label}-{seen[label]}" if count[label] > 1 else label)
        seen[label] += 1
    return found


def listed(names: Sequence[str]) -> str:
    """Names for a message, the first of very many."""
    return ", ".join(names[:_MOST_NAMES]) + (" ..." if len(names) > _MOST_NAMES else "")


def by_hand(names: Sequence[str]) -> str:
    """The end of a message about channels whose names say nothing: how to say what they measure."""
    return f"; channels={{{names[0]}: Fp1, ...}} says what they measure" if names else ""


def if_reference(flat: Sequence[str], leads: Sequence[Lead]) -> str:
    """The end of a note on flat electrodes, of a file with these `leads`: what to do if the only one is the reference.

    A reference recorded against itself is flat, like a dead electrode, and the file does not say which it is. It is
    interpolated: on 13 EEGs of the competition, that costs a reference a third of the SD of its differences to others;
    to keep a dead electrode would cost all of it.
    """
    others = [lead for lead in leads if lead != EKG and lead.anode not in flat]
    if len(flat) != 1 or not others or any(lead.cathode for lead in others):
        return ""
    one = others[0].anode
    return (
        f" If it is the reference of the others, keep it by channels={{{one}: {one}-{flat[0]}, ...}} for each of them."
    )


def channels_to_read(
    labels: Sequence[str], leads: Sequence[Lead | None], bads: Collection[str]
) -> tuple[list[Channel], list[str]]:
    """The channels that say something about the electrodes, and notes on them; `labels` are unique.

    Of several channels that measure the same, the first is read. Channels that the file marks as bad are not.
    """
    channels = [Channel(i, label, lead) for i, (label, lead) in enumerate(zip(labels, leads, strict=True)) if lead]
    known = [channel for channel in channels if channel.label not in bads]
    first: dict[frozenset[str], Channel] = {}
    for channel in known:
        first.setdefault(frozenset(channel.lead), channel)
    count = Counter(name for channel in first.values() for name in channel.lead)
    read = [
        channel
        for channel in first.values()
        if channel.lead == EKG or channel.lead.anode in SCALP or count[channel.lead.anode] > 1
    ]
    texts = without_numbers([*labels])
    notes = [
        f"'{texts[channel.place]}' occurs more than once: the first is read."
        for channel in read
        if channel.lead != EKG and sum(frozenset(other.lead) == frozenset(channel.lead) for other in known) > 1
    ]
    if marked := [channel.label for channel in channels if channel.label in bads and channel.lead.anode in SCALP]:
        notes.append(f"Marked as bad in the file, so not read: {', '.join(marked)}.")
    return read, notes


def measured(lead: Lead) -> frozenset[str]:
    """The electrodes of the scalp in a lead, whatever its reference; all of a lead that has none, such as EKG."""
    return frozenset({*lead} & {*SCALP} or lead)


def unit_of(dimension: str) -> str | None:
    """The unit (a key of `UNITS_UV`) that a file's physical dimension stands for; None if it is not a voltage."""
    return _SPELLINGS.get(dimension.strip(" \0").lower())
