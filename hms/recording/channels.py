"""The channels of a file that measure something about an electrode, which of them are read, and their values in µV."""

from collections import Counter
from collections.abc import Collection, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from hms.electrodes import SCALP
from hms.recording.channel_names import EKG, Lead, without_numbers
from hms.recording.passband import Passband
from hms.system.console import some


class Channel(NamedTuple):
    """A channel of a file that MNE-Python has opened."""

    place: int
    """Among the channels that are opened."""
    label: str
    """Unique in the file."""
    lead: Lead
    """What it measures."""
    stored_per_read: float
    """The factor from what MNE-Python reads to what the file stores."""
    unit_uv: float | None
    """How many µV the unit is in which the file stores it; None if that is not known to be a voltage."""
    passband: Passband
    """Of the filters that it has passed."""


def channels_to_read(
    channels: Sequence[Channel], labels: Sequence[str], bads: Collection[str]
) -> tuple[list[Channel], list[str]]:
    """Those of the channels that say something about the electrodes, and notes on them; `labels` are all of the file.

    Of several channels that measure the same, the first is read. Channels that the file marks as bad are not.
    """
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
    texts = dict(zip(labels, without_numbers([*labels]), strict=True))
    notes = []
    for channel in read:
        same = [texts[other.label] for other in known if frozenset(other.lead) == frozenset(channel.lead)]
        if channel.lead != EKG and len(same) > 1:
            names = " and ".join(map(repr, dict.fromkeys(same)))
            what = "occurs more than once" if len({*same}) == 1 else "measure the same"
            notes.append(f"{names} {what}: the first is read.")
    if marked := [channel.label for channel in channels if channel.label in bads and channel.lead.anode in SCALP]:
        notes.append(f"Marked as bad in the file, so not read: {', '.join(marked)}.")
    return read, notes


def uv_per_read(channels: Sequence[Channel], unit_uv: float | None) -> tuple[Float[np.ndarray, " channel"], list[str]]:
    """The factors from what MNE-Python reads to µV, and a note on channels without a unit, if the user gives none."""
    factors = [channel.stored_per_read * (unit_uv or channel.unit_uv or 1.0) for channel in channels]
    unknown = [one.label for one in channels if not (unit_uv or one.unit_uv or one.lead == EKG)]
    names = some(unknown, 3, "channel")
    note = f"The file gives no unit of voltage for {names}: its values are taken to be µV."
    return np.array(factors), [note] if unknown else []
