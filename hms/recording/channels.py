"""Which channels of a file are read, and the unit of their values."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from itertools import permutations
from typing import NamedTuple

from hms.electrodes import SCALP
from hms.errors import DataError, UserError, did_you_mean
from hms.recording.labels import EKG, RENAMED, Lead, lead_meant, lead_of, without_numbers

UNITS_UV = {"nV": 1e-3, "uV": 1.0, "mV": 1e3, "V": 1e6}
"""How many µV each unit is."""

_SPELLINGS = {"nv": "nV", "uv": "uV", "µv": "uV", "μv": "uV", "\x83\xcav": "uV", "mv": "mV", "v": "V"}


_MOST_NAMES = 32  # in a message


class Channel(NamedTuple):
    """A channel to read: its place among those of the file, its label, and what it measures."""

    place: int
    label: str
    lead: Lead


def mapped_leads(channels: Mapping[str, str] | None) -> dict[str, Lead]:
    """What the option `channels` says that channels of a file measure, by their names.

    Raises UserError for what is neither an electrode nor a pair of them, and for two channels that measure the same.
    """
    found: dict[str, Lead] = {}
    for name, text in (channels or {}).items():
        if (lead := lead_meant(text)) is None:
            known = [*SCALP, *RENAMED, EKG.anode, *("-".join(pair) for pair in permutations(SCALP, 2))]
            wish = "want an electrode of the 10-20 system, EKG, or a pair such as Fp1-F7 or Fp1-A1"
            raise UserError(f"channels.{name}: {wish}, got '{text}'{did_you_mean(text, known)}")
        for other, before in found.items():
            if frozenset(before) == frozenset(lead):
                raise UserError(f"channels: want one channel for each electrode, got '{other}' and '{name}' for {text}")
        found[name] = lead
    return found


def want_names(mapped: Mapping[str, Lead], labels: Sequence[str]) -> None:
    """Raise DataError (without the file's name) if channels are mapped that are not among a file's `labels`."""
    known = [*labels, *without_numbers([*labels])]
    for name in mapped:
        if name not in known:
            near = did_you_mean(name, known) or f" (it has {listed(labels)})"
            raise DataError(f"channels: want a channel of the file, got '{name}'{near}")


def leads_of(labels: Sequence[str], mapped: Mapping[str, Lead]) -> list[Lead | None]:
    """What the channels of a file measure: as `mapped` says, or else by their names, unless a mapped one measures that.

    None for a channel without a meaning.
    """
    taken = {_measured(lead) for lead in mapped.values()}
    found: list[Lead | None] = []
    for label, text in zip(labels, without_numbers([*labels]), strict=True):
        lead = mapped.get(label) or mapped.get(text)
        if lead is None and (lead := lead_of(text)) and _measured(lead) in taken:
            lead = None
        found.append(lead)
    return found


def listed(names: Sequence[str]) -> str:
    """Names for a message, the first of very many."""
    return ", ".join(names[:_MOST_NAMES]) + (" ..." if len(names) > _MOST_NAMES else "")


def by_hand(names: Sequence[str]) -> str:
    """The end of a message about channels whose names say nothing: how to say what they measure."""
    return f"; channels={{{names[0]}: Fp1, ...}} says what they measure" if names else ""


def channels_to_read(
    labels: Sequence[str], mapped: Mapping[str, Lead], bads: Collection[str]
) -> tuple[list[Channel], list[str]]:
    """The channels that say something about the electrodes, and notes on them; `labels` are unique, as MNE makes them.

    Of several channels that measure the same, the first is read. Channels that the file marks as bad are not.
    """
    leads = [
        (i, text, lead)
        for i, (text, lead) in enumerate(zip(without_numbers([*labels]), leads_of(labels, mapped), strict=True))
    ]
    known = [Channel(i, text, lead) for i, text, lead in leads if lead is not None and labels[i] not in bads]
    first: dict[frozenset[str], Channel] = {}
    for one in known:
        first.setdefault(frozenset(one.lead), one)
    count = Counter(name for one in first.values() for name in one.lead)
    read = [one for one in first.values() if one.lead == EKG or one.lead.anode in SCALP or count[one.lead.anode] > 1]
    notes = [
        f"'{one.label}' occurs more than once: the first is read."
        for one in read
        if one.lead != EKG and sum(frozenset(other.lead) == frozenset(one.lead) for other in known) > 1
    ]
    if marked := [text for i, text, lead in leads if labels[i] in bads and lead and lead.anode in SCALP]:
        notes.append(f"Marked as bad in the file, so not read: {', '.join(marked)}.")
    return read, notes


def _measured(lead: Lead) -> frozenset[str]:
    """The electrodes of a lead; without its reference, as a channel is mapped to an electrode whatever that is."""
    return frozenset({*lead} & {*SCALP} or lead)


def unit_of(dimension: str) -> str | None:
    """The unit (a key of `UNITS_UV`) that a file's physical dimension stands for; None if it is not a voltage."""
    return _SPELLINGS.get(dimension.strip(" \0").lower())
