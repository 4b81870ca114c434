"""Say which annotations are no labels though their names look like it: 'LPDs', 'seizure onset', 'GRDA+F', 'LRDA?'.

To guess would be to label: 'LRDA?' is a doubt, and 'seizure onset' marks a moment.
"""

import re
from collections import Counter
from collections.abc import Iterable
from difflib import get_close_matches

from hms.collected.annotated import covered_s
from hms.labels import CLASSES, CONSENSUS_NAMES
from hms.recording.source import Annotation
from hms.system.console import counted

_PATTERNS = ("lpd", "gpd", "lrda", "grda")
_WORDS = {
    **{name + plural: name for name in _PATTERNS for plural in ("", "s")},
    **{"pled": "lpd", "pleds": "lpd", "gped": "gpd", "gpeds": "gpd"},  # the terms of before 2012
    **dict.fromkeys(("sz", "szs", "seiz"), "seizure"),
}
"""A class by a word that means it."""

_ALIKE = 0.8
"""Of difflib: from here on, a word is one of many spellings of 'seizure', but neither 'closure' nor 'leisure'."""

_OTHERWISE = {
    *("no", "non", "not", "never", "without", "free", "denies", "absence", "absent", "o", "ro"),  # "r/o": rule out
    *("pre", "post", "before", "after", "end", "ends", "ended", "offset"),
}
"""With such a word, a text says that there is none, or none any more."""

_SHORT = "too short"

_MOST_WORDS = 5
"""A longer text is a remark, not a name."""

_NAMED = 5
"""The most names that are told."""


def near_misses(annotations: Iterable[Annotation]) -> Counter[tuple[str, str]]:
    """How many annotations that do not vote have each name that looks like a class, and what is to be done about it."""
    found: Counter[tuple[str, str]] = Counter()
    for annotation in annotations:
        text, short = annotation.text, [] if any(covered_s(annotation)) else [_SHORT]
        is_name = text.lower() in CLASSES
        if not is_name and (name := _class_like(text)):
            found[text, "; ".join([f"write {CONSENSUS_NAMES[CLASSES.index(name)]}", *short])] += 1
        elif is_name and short:
            found[text, _SHORT] += 1
    return found


def hint(found: Counter[tuple[str, str]]) -> str:
    """A line about the ignored annotations, the most frequent names first; empty if there are none."""
    if not found:
        return ""
    most = found.most_common(_NAMED)
    each = [f"{count:,} {text!r} ({wish})" for (text, wish), count in most]
    more = f" and {counted(len(found) - _NAMED, 'more name')}" if len(found) > _NAMED else ""
    is_short = any(wish.endswith(_SHORT) for (_, wish), _ in most)
    short = f". {_SHORT.capitalize()}: covers half of none of the ten seconds 0 to 10, 10 to 20 ..." if is_short else ""
    return f"{counted(found.total(), 'annotation')} ignored, which looked like labels: {', '.join(each)}{more}{short}"


def _class_like(text: str) -> str | None:
    """The class that a text nearly names, None if it does not."""
    words = re.findall(r"[^\W\d_]+", text.lower())
    if len(words) > _MOST_WORDS or _OTHERWISE & {*words}:
        return None
    if words in (["other"], ["others"]):  # a common word, so only alone
        return "other"
    misspelt = (get_close_matches(word, ["seizure"], cutoff=_ALIKE) * (not word.startswith("non")) for word in words)
    named = [_WORDS.get(word) or (close[0] if close else None) for word, close in zip(words, misspelt, strict=True)]
    return next(filter(None, named), None)
