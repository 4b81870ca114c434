"""Say which annotations are no labels though their names look like it: 'LPDs', 'seizure onset', 'GRDA+F', 'LRDA?'."""

from collections import Counter
from collections.abc import Iterable

from hms.collected.annotated import covered_s
from hms.collected.terms import classes_meant, either
from hms.labels import CLASSES
from hms.recording.source import Annotation
from hms.system.console import counted, some

_SHORT = "too short"

_NAMED = 5
"""The most names that are told."""


def near_misses(annotations: Iterable[Annotation]) -> Counter[tuple[str, str]]:
    """How many annotations that do not vote have each name that looks like a class, and what is to be done about it."""
    found: Counter[tuple[str, str]] = Counter()
    for annotation in annotations:
        text, short = annotation.text, [] if any(covered_s(annotation)) else [_SHORT]
        is_name = text.lower() in CLASSES
        if not is_name and (meant := classes_meant(text)):
            found[text, "; ".join([f"write {either(meant)}", *short])] += 1
        elif is_name and short:
            found[text, _SHORT] += 1
    return found


def hint(found: Counter[tuple[str, str]]) -> str:
    """A line about the ignored annotations, the most frequent names first; empty if there are none."""
    if not found:
        return ""
    each = [f"{count:,} {text!r} ({wish})" for (text, wish), count in found.most_common()]
    is_short = any(wish.endswith(_SHORT) for (_, wish), _ in found.most_common(_NAMED))
    means = "covers less than half of every ten seconds (0 to 10, 10 to 20 ...)"
    short = f". {_SHORT.capitalize()}: {means}." if is_short else ""
    ignored = f"{counted(found.total(), 'annotation')} ignored, which looked like labels"
    return f"{ignored}: {some(each, _NAMED, 'name')}{short}"
