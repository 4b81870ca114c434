"""What else experts call the classes, in tables and annotations: 'LPDs', 'ESz', 'GRDA+F', 'seizure onset', 'LRDA?'.

To guess would be to label: 'LRDA?' is a doubt, and 'seizure onset' marks a moment.
Source of abbreviations: Hirsch et al. 2021, the terminology of the American Clinical Neurophysiology Society.
"""

import re
from difflib import get_close_matches
from itertools import chain

from hms.errors import did_you_mean
from hms.labels import CLASSES, CONSENSUS_NAMES

_PATTERNS = ("lpd", "gpd", "lrda", "grda")
_WORDS = {
    **{name + plural: [name] for name in _PATTERNS for plural in ("", "s")},
    **{"pled": ["lpd"], "pleds": ["lpd"], "gped": ["gpd"], "gpeds": ["gpd"]},  # the terms of before 2012
    **{word: ["seizure"] for word in ("sz", "szs", "seiz", "esz", "eszs", "ecsz", "ecszs", "ictal")},
    **{word: ["seizure"] for word in ("ecse", "ncse", "ncses", "epilepticus")},
    "iic": ["lpd", "gpd", "lrda"],  # the ictal-interictal continuum: of PDs and lateralized RDA, if fast enough
}
"""The classes that a word may mean."""

_ALONE = {"other": ["other"], "others": ["other"], "ese": ["seizure"]}
"""The same of words that are common ones in a sentence, in Spanish the last."""

_LONG = re.compile(r"\b([lg])(?:ateral|eneral)i[sz]ed\s+(?:(periodic\s+discharge|pds?\b)|rhythmic\s+delta|rda\b)")
"""How the names begin that stand behind the abbreviations of patterns."""

_CONTINUUM = re.compile(r"\bictal[\W_]+interictal\b")
"""How the name begins that stands behind IIC."""

_INNER_CAPITAL = re.compile(r"(?<=[a-z])(?=[A-Z])")
"""Where a word begins within SeizureDetected."""

_ALIKE = 0.8
"""Of difflib: from here on, a word is one of many spellings of 'seizure', but neither 'closure' nor 'leisure'."""

_OTHERWISE = {
    *("no", "non", "not", "never", "without", "free", "denies", "absence", "absent", "o", "ro"),  # "r/o": rule out
    *("pre", "post", "inter", "peri", "before", "after", "end", "ends", "ended", "offset"),
}
"""With such a word, a text says that there is none, or none any more."""

_MOST_WORDS = 5
"""A longer text is a remark, not a name."""


def classes_meant(text: str) -> list[str]:
    """The classes, as `expert_consensus` spells them, one of which a text is or nearly is; [] if there is none."""
    words = _words_of(text)
    if len(words) > _MOST_WORDS or _OTHERWISE & {*words}:
        return []
    meant = [*chain(*(_WORDS.get(word, _seizure_misspelt(word)) for word in words))]
    meant += _ALONE.get(words[0], []) if len(words) == 1 else []
    return [spelling for name, spelling in zip(CLASSES, CONSENSUS_NAMES, strict=True) if name in meant]


def did_you_mean_class(text: str) -> str:
    """The end of a message about a text that should be a class; empty if it means none, or says that there is none."""
    if meant := classes_meant(text):
        return f"; did you mean {either([*map(repr, meant)])}?"
    return "" if _OTHERWISE & {*_words_of(text)} else did_you_mean(text, CONSENSUS_NAMES)


def either(names: list[str]) -> str:
    """One or several names in words: `LPD, GPD or LRDA`."""
    return " or ".join(filter(None, [", ".join(names[:-1]), names[-1]]))


def _words_of(text: str) -> list[str]:
    """The words of a text in lower case, abbreviations for the long names of patterns."""
    lower = _CONTINUUM.sub("iic", _INNER_CAPITAL.sub(" ", text).lower())
    short = _LONG.sub(lambda found: f"{found[1]}{'pd' if found[2] else 'rda'} ", lower)
    return re.findall(r"[^\W\d_]+", short)


def _seizure_misspelt(word: str) -> list[str]:
    return [] if word.startswith("non") else get_close_matches(word, ["seizure"], cutoff=_ALIKE)
