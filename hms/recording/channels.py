"""Which channels of a file are read, and how many µV their numbers are."""

from collections import Counter
from collections.abc import Collection, Sequence
from typing import NamedTuple

from hms.electrodes import SCALP
from hms.recording.labels import EKG, Lead, lead_of, without_numbers

UNITS_UV = {"nV": 1e-3, "uV": 1.0, "mV": 1e3, "V": 1e6}
"""µV in a unit."""

_SPELLINGS = {"nv": "nV", "uv": "uV", "µv": "uV", "μv": "uV", "\x83\xcav": "uV", "mv": "mV", "v": "V"}


class Channel(NamedTuple):
    """A channel that is read: its place in the file, and what it measures."""

    place: int
    label: str
    lead: Lead


def chosen(labels: Sequence[str], bads: Collection[str] = ()) -> tuple[list[Channel], list[str]]:
    """The channels that tell something of the electrodes, and what to know of them; `labels` are unique, as of MNE.

    Of two channels with one meaning the first is read, and none that the file marks as bad.
    """
    told = without_numbers([*labels])
    means = [(i, text, lead_of(text)) for i, text in enumerate(told)]
    found = [Channel(i, text, lead) for i, text, lead in means if lead is not None and labels[i] not in bads]
    first: dict[frozenset[str], Channel] = {}
    for one in found:
        first.setdefault(frozenset(one.lead), one)
    count = Counter(name for one in first.values() for name in one.lead)
    read = [one for one in first.values() if one.lead == EKG or one.lead.anode in SCALP or count[one.lead.anode] > 1]
    notes = [
        f"'{one.label}' is there more than once: the first is read."
        for one in read
        if one.lead != EKG and sum(frozenset(other.lead) == frozenset(one.lead) for other in found) > 1
    ]
    if marked := [text for i, text, lead in means if labels[i] in bads and lead and lead.anode in SCALP]:
        notes.append(f"Marked as bad in the file, so not read: {', '.join(marked)}.")
    return read, notes


def unit_of(dimension: str) -> str | None:
    """The unit (a key of `UNITS_UV`) that a file means by a physical dimension, None for none that is a voltage."""
    return _SPELLINGS.get(dimension.strip(" \0").lower())
