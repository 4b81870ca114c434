"""What the label of a channel means: an electrode against a reference, a pair of electrodes, EKG, or nothing for us.

Clinics write the same electrode as `Fp1`, `FP1..`, `EEG Fp1-Ref`, `EEG FP1-LE` or `POL Fp1`, and a pair as `FP1-F7` or
`F7T3`. T7, T8, P7 and P8 are the newer names (10-10 system) of T3, T4, T5 and T6.
"""

import re
from collections import Counter
from typing import NamedTuple

from hms.electrodes import SCALP

RENAMED = {"T7": "T3", "T8": "T4", "P7": "T5", "P8": "T6"}

_KNOWN = {name.upper(): name for name in SCALP} | RENAMED
_OF_10_10 = r"(?:N|I|FP|AF|F|FT|FC|C|T|TP|CP|P|PO|O|A|M|PG|SP)(?:Z|\d{1,2})"
_PREFIX = re.compile(r"(?:(?:EEG|POL|SEEG|REF EEG)[\s:_-]+|EEG(?=[A-Z]))")
_BETWEEN = re.compile(r"\s*[-‐‑–—−_:]\s*|\s+")
_GLUED = re.compile(rf"({'|'.join(sorted(_KNOWN, key=len, reverse=True))})(.+)")
_NO_NAME = {"", "REF", "REFERENCE", "EEG", "G2", "NONE"}
"""References that say no more than that there is one: taken as one and the same."""


class Lead(NamedTuple):
    """What a channel measures: the potential of `anode` less that of `cathode`."""

    anode: str
    cathode: str
    """An electrode as well, or the name of a reference in capitals: LE, AVG, A1+A2; empty where it has none."""


EKG = Lead("EKG", "")


def lead_of(label: str) -> Lead | None:
    """The meaning of a label, or None where it names no electrode of the 10-10 system and no EKG."""
    text = re.sub(r"[\[(](?:[uµμm]?V|[uµμ]V)[\])]", "", label, flags=re.IGNORECASE).strip(" .[]'\"\0").upper()
    text = _PREFIX.sub("", text, count=1).strip(" .")
    if re.match(r"(?:ECG|EKG)", text):
        return EKG
    anode, cathode = ([*_BETWEEN.split(text, maxsplit=1), ""])[:2]
    if not cathode and (glued := _GLUED.fullmatch(anode)) and _is_reference(glued[2]):
        anode, cathode = glued.groups()
    if not re.fullmatch(_OF_10_10, anode.strip(".")):
        return None
    lead = Lead(_name(anode), _name(_PREFIX.sub("", cathode)))
    return None if lead.anode == lead.cathode else lead


def without_numbers(labels: list[str]) -> list[str]:
    """The labels as the file has them: MNE numbers those that stand there twice (`T8-P8-0`, `T8-P8-1`)."""
    bases = [re.sub(r"-\d+$", "", label) for label in labels]
    count = Counter(base for base, label in zip(bases, labels, strict=True) if base != label)
    return [base if base != label and count[base] > 1 else label for base, label in zip(bases, labels, strict=True)]


def _is_reference(text: str) -> bool:
    return text in _KNOWN or text in {"REF", "AVG", "AV", "AR", "LE", "A1", "A2", "M1", "M2"}


def _name(text: str) -> str:
    plain = re.sub(r"(?:^|-)\d+$", "", text.strip(" .'\""))  # a number that MNE, or another reader, put there
    return "" if plain in _NO_NAME else _KNOWN.get(plain, plain)
