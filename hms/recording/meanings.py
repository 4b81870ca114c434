"""What the channels of a file measure: by their names, or by the option `channels`."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from hms.electrodes import SCALP
from hms.recording.channel_names import Lead, depth_contacts, lead_of, measured, without_numbers
from hms.system.console import some

_DEPTH = "Numbered as on depth electrodes or grids"
_MOST_NAMES = 32  # in a message


class Meanings(NamedTuple):
    """What the channels of a file measure, by their names or by the option `channels`."""

    leads: dict[str, Lead | None]
    """By label, unique and as a user types it; None if it says nothing about an electrode, or that one is mapped."""
    mapped: dict[str, Lead]
    """What `channels` says; an electrode without a reference has that of most other channels of the file."""
    displaced: list[str]
    """Labels of channels that are not read, because another is mapped to what they measure."""
    unrecognised: list[str]
    """Labels without a meaning."""
    in_depth: list[str]
    """Labels that are taken for contacts of depth electrodes, so without a meaning (`depth_contacts`)."""
    absent: list[str]
    """Names that `channels` maps, but that the file lacks."""

    @property
    def unread(self) -> str:
        """The end of a message about a file with too few electrodes: its channels without a meaning, and what to do."""
        unknown = f"; not recognised: {listed(self.unrecognised)}" if self.unrecognised else ""
        depth = f"; {_DEPTH[0].lower()}{_DEPTH[1:]}: {listed(self.in_depth)}" if self.in_depth else ""
        return unknown + depth + _by_hand(self.in_depth or self.unrecognised)

    @property
    def no_eeg(self) -> str:
        """A message about a file in which no channel measures an electrode of the scalp."""
        if self.in_depth:
            return f"no EEG of the scalp{self.unread}"
        labels = [*self.leads]
        names = f"none of its {len(labels)} channels is named after a 10-20 electrode ({listed(labels)})"
        return f"no EEG: {names}{_by_hand(labels)}"

    def notes(self) -> list[str]:
        """What `channels` has changed, and what is not read although its name could be an electrode's."""
        notes = []
        if self.in_depth:
            notes.append(f"{_DEPTH}, so not read: {listed(self.in_depth)}; channels= says which are on the scalp.")
        if self.mapped:
            said = (f"{label} is {lead.text}" for label, lead in self.mapped.items())
            notes.append(f"By channels=: {', '.join(said)}.")
        if self.displaced:
            notes.append(f"Not read, because channels= maps another to it: {', '.join(self.displaced)}.")
        if self.absent:
            notes.append(f"Mapped by channels=, but not in this file: {listed(self.absent)}.")
        return notes


def meanings_of(labels: Sequence[str], mapped: Mapping[str, Lead]) -> Meanings:
    """What the channels of a file measure: as `mapped` says, or else by their names.

    A mapped channel displaces a named one that measures the same. Names in `mapped` that are not among the unique
    `labels` are ignored here (`hms.recording.recording.want_channels` refuses those that no file has).
    """
    texts = without_numbers([*labels])
    named = {label: lead_of(text) for label, text in zip(labels, texts, strict=True) if label not in mapped}
    in_depth = depth_contacts(named)
    known = {label: lead for label, lead in named.items() if lead and label not in in_depth}
    references = Counter(lead.cathode for lead in known.values() if lead.anode in SCALP and lead.cathode not in SCALP)
    shared = max(references, key=references.__getitem__, default="")
    full = {
        label: lead._replace(cathode=shared) if lead.anode in SCALP and not lead.cathode else lead
        for label, lead in mapped.items()
        if label in labels
    }
    taken = {measured(lead) for lead in full.values()}
    displaced = [label for label, lead in known.items() if measured(lead) in taken]
    leads = {label: full.get(label) or (None if label in displaced else known.get(label)) for label in labels}
    unknown = [
        label
        for label, text in zip(labels, texts, strict=True)
        if label not in {*full, *known, *in_depth} and not text.endswith(" Annotations")
    ]
    absent = [label for label in mapped if label not in full]
    return Meanings(
        leads=leads,
        mapped=full,
        displaced=displaced,
        unrecognised=unknown,
        in_depth=in_depth,
        absent=absent,
    )


def listed(names: Sequence[str]) -> str:
    """Names for a message, the first of very many."""
    return some(names, _MOST_NAMES)


def _by_hand(names: Sequence[str]) -> str:
    """The end of a message about channels whose names say nothing: how to say what they measure."""
    return f"; channels={{{names[0]}: Fp1, ...}} says what they measure" if names else ""
