"""Which channels of a file are read."""

from collections import Counter
from collections.abc import Collection, Sequence
from typing import NamedTuple

from hms.electrodes import SCALP
from hms.recording.channel_names import EKG, Lead, without_numbers


class Channel(NamedTuple):
    """A channel to read: its place among those of the file, its label, and what it measures."""

    place: int
    label: str
    lead: Lead


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
