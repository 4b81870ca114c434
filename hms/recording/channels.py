"""Which channels of a file are read, and the unit of their values."""

from collections import Counter
from collections.abc import Collection, Sequence
from typing import NamedTuple

from hms.electrodes import SCALP
from hms.recording.labels import EKG, Lead, lead_of, without_numbers

UNITS_UV = {"nV": 1e-3, "uV": 1.0, "mV": 1e3, "V": 1e6}
"""How many µV each unit is."""

_SPELLINGS = {"nv": "nV", "uv": "uV", "µv": "uV", "μv": "uV", "\x83\xcav": "uV", "mv": "mV", "v": "V"}


class Channel(NamedTuple):
    """A channel to read: its place among those of the file, its label, and what it measures."""

    place: int
    label: str
    lead: Lead


def channels_to_read(labels: Sequence[str], bads: Collection[str] = ()) -> tuple[list[Channel], list[str]]:
    """The channels that say something about the electrodes, and notes on them; `labels` are unique, as MNE makes them.

    Of several channels that measure the same, the first is read. Channels that the file marks as bad are not.
    """
    leads = [(i, text, lead_of(text)) for i, text in enumerate(without_numbers([*labels]))]
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


def unit_of(dimension: str) -> str | None:
    """The unit (a key of `UNITS_UV`) that a file's physical dimension stands for; None if it is not a voltage."""
    return _SPELLINGS.get(dimension.strip(" \0").lower())
