"""Parse the label of a channel: an electrode against a reference, a pair of electrodes, EKG, or something irrelevant.

Clinics write the same electrode as `Fp1`, `FP1..`, `EEG Fp1-Ref`, `EEG1 FP1/LE`, `1 Fp 1` or `POL Fp1`, and a pair as
`FP1-F7` or `F7T3`. T7, T8, P7 and P8 are the newer names (10-10 system) of T3, T4, T5 and T6.
"""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from hms.electrodes import SCALP

RENAMED = {"T7": "T3", "T8": "T4", "P7": "T5", "P8": "T6"}

_KNOWN = {name.upper(): name for name in SCALP} | RENAMED
_REGION = r"(?:N|I|FP|AF|F|FT|FC|C|T|TP|CP|P|PO|O|A|M|PG|SP)"
_OF_10_10 = rf"{_REGION}(?:Z|\d{{1,2}})"
_PREFIX = re.compile(r"(?:(?:(?:EEG|CH|CHAN)\s*\d*|POL|REF EEG)[\s:_-]+|EEG(?=[A-Z]))(?:\d+[\s.:]+)?|\d+[\s.:]+")
_EKG = re.compile(r"(?:(?:X|BIP|AUX)\s*\d*[\s:_-]+)?(?:ECG|EKG)")
_SPACED = re.compile(r"\b(FP|[FCPTOAM]) (Z|\d)\b")
_SEPARATOR = re.compile(r"\s*[-‐‑–—−_:/]\s*|\s+")
_BOTH_NAMES = re.compile(r"(\w+)\s*[/(]\s*(\w+)\)?(.*)")
_GLUED = re.compile(rf"({'|'.join(sorted(_KNOWN, key=len, reverse=True))})(.+)")
_UNNAMED = {"", "REF", "REFERENCE", "EEG", "G2", "NONE"}
"""References that do not say what they are: all are taken to be the same one."""

_ON_SCALP = {"F": range(1, 11), "C": range(1, 7), "P": range(1, 11), "O": (1, 2, 9, 10), "T": range(1, 11), "A": (1, 2)}
"""The numbers that a letter has on the scalp: of the 343 electrodes of the 10-5 system, and older T1-T6, A1, A2."""


class Lead(NamedTuple):
    """What a channel measures: the potential of `anode` minus that of `cathode`."""

    anode: str
    cathode: str
    """Another electrode, or the name of a reference in capitals (LE, AVG, A1+A2), empty if it has none."""

    @property
    def text(self) -> str:
        """As in a message: Fp1-F7, or Fp1 if it has no reference."""
        return "-".join(filter(None, self))


EKG = Lead("EKG", "")

_REFERENCES = {"REF", "AVG", "AV", "AR", "LE", "A1", "A2", "M1", "M2"}


def lead_of(label: str) -> Lead | None:
    """Parse a label; None if it names neither an electrode of the 10-10 system nor EKG."""
    text = re.sub(r"[\[(](?:[uµμm]?V|[uµμ]V)[\])]", "", label, flags=re.IGNORECASE).strip(" .[]'\"\0").upper()
    text = _SPACED.sub(r"\1\2", text)
    text = _without_prefix(text).strip(" .")
    if _EKG.match(text):
        return EKG
    if (both := _BOTH_NAMES.fullmatch(text)) and _is_renamed(both[1], both[2]):
        text = both[1] + both[3]
    anode, cathode = ([*_SEPARATOR.split(text, maxsplit=1), ""])[:2]
    if not cathode and (glued := _GLUED.fullmatch(anode)) and _is_reference(glued[2]):
        anode, cathode = glued.groups()
    if not re.fullmatch(_OF_10_10, anode.strip(".")) or cathode.startswith("SAT"):  # O2 is oxygen, too
        return None
    lead = Lead(_name(anode), _name(_without_prefix(cathode)))
    return None if lead.anode == lead.cathode else lead


def lead_meant(text: str) -> Lead | None:
    """Parse what a user calls a channel: EKG, a 10-20 electrode, or one against another or a usual reference.

    None for anything else: what `lead_of` takes for a reference of its own may be a slip of the pen.
    """
    lead = lead_of(text)
    if lead is None or lead == EKG:
        return lead
    known = {*SCALP, *_REFERENCES, ""}
    return lead if {lead.anode, *lead.cathode.split("+")} <= known and {*lead} & {*SCALP} else None


def is_of_10_10(name: str) -> bool:
    """Whether this is how an electrode of the 10-10 system is called, on the scalp or off it."""
    return re.fullmatch(rf"{_REGION}(?:Z|[1-9]|10)", name.upper()) is not None


def measured(lead: Lead) -> frozenset[str]:
    """The electrodes of the scalp in a lead, whatever its reference; all of a lead that has none, such as EKG."""
    return frozenset({*lead} & {*SCALP} or lead)


def depth_contacts(leads: Mapping[str, Lead | None]) -> list[str]:
    """The labels that do not name scalp electrodes but contacts of depth electrodes or grids, if a file holds any.

    These have a letter and count from 1, too (F1 ... F12). A file holds some if a letter has two numbers in a row that
    no scalp has, such as O3 and O4; then no F, C, P, O or T with a number is sure to be on the scalp.
    """
    names = {name for lead in leads.values() if lead for name in lead}
    beyond = [(letter, i) for letter, numbers in _ON_SCALP.items() for i in range(1, 99) if i not in numbers]
    found = {(letter, i) for letter, i in beyond if f"{letter}{i}" in names}
    if not any((letter, i + 1) in found for letter, i in found):
        return []
    return [label for label, lead in leads.items() if lead and any(re.fullmatch(r"[FCPOT]\d+", name) for name in lead)]


def numbered(labels: Sequence[str]) -> list[str]:
    """The labels of an EDF file, made unique as MNE does: those that occur more than once get numbers (X-0, X-1)."""
    count, seen = Counter(labels), Counter[str]()
    found = []
    for label in labels:
        found.append(f"{label}-{seen[label]}" if count[label] > 1 else label)
        seen[label] += 1
    return found


def without_numbers(labels: list[str]) -> list[str]:
    """The labels as written in the file: MNE numbers those that occur twice (`T8-P8-0`, `T8-P8-1`)."""
    bases = [re.sub(r"-\d+$", "", label) for label in labels]
    count = Counter(base for base, label in zip(bases, labels, strict=True) if base != label)
    return [base if base != label and count[base] > 1 else label for base, label in zip(bases, labels, strict=True)]


def _without_prefix(text: str) -> str:
    prefix = _PREFIX.match(text)
    return text[prefix.end() :] if prefix else text


def _is_renamed(one: str, other: str) -> bool:
    """Whether these are the older and the newer name of an electrode."""
    return RENAMED.get(one) == other or RENAMED.get(other) == one


def _is_reference(text: str) -> bool:
    return text in _KNOWN or text in _REFERENCES


def _name(text: str) -> str:
    plain = re.sub(r"(?:^|-)\d+$", "", text.strip(" .'\""))  # without the number that MNE or another reader added
    return "" if plain in _UNNAMED else _KNOWN.get(plain, plain)
