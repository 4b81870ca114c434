"""Say which annotations are no labels though their names look like it: 'LPDs', 'seizure onset', 'GRDA+F', 'LRDA?'."""

import re
import shlex
from collections import Counter
from collections.abc import Iterable, Mapping

from hms.collected.covered import TOO_LITTLE, covered_s
from hms.collected.own_terms import Terms
from hms.collected.terms import classes_meant, either
from hms.errors import with_lines
from hms.recording.source import Annotation
from hms.system.console import counted, some

_SHORT = "too short"

_NAMED = 5
"""The most names that are told."""

_NOT_TYPED = re.compile(r"[^\w /+.$%*@?|,:=()\[\]{}-]", re.ASCII)
"""What Hydra cannot read in a name within braces; a backslash would be one of its own."""

_ESCAPED, _WITH_BACKSLASH = re.compile(r"[,:=()\[\]{}]"), r"\\\g<0>"
"""What it reads there only after a backslash."""


def near_misses(annotations: Iterable[Annotation], terms: Terms) -> Counter[tuple[str, bool]]:
    """How many annotations that do not vote look like labels, by their name and by whether they are too short."""
    found: Counter[tuple[str, bool]] = Counter()
    for annotation in annotations:
        is_short = not covered_s(annotation.onset_s, annotation.duration_s)
        is_label = terms.class_of(annotation.text) is not None
        if is_short if is_label else classes_meant(annotation.text):
            found[annotation.text, is_short] += 1
    return found


def hint(found: Counter[tuple[str, bool]], terms: Terms) -> str:
    """A line about the ignored annotations, the most frequent names first; empty if there are none.

    Further lines say which `terms` would count those that are long enough.
    """
    if not found:
        return ""
    each = [
        f"{count:,} {text!r}{f' ({_SHORT})' if is_short else ''}" for (text, is_short), count in found.most_common()
    ]
    any_short = any(is_short for (_, is_short), _ in found.most_common(_NAMED))
    short = f". {_SHORT.capitalize()}: {TOO_LITTLE}." if any_short else ""
    ignored = f"{counted(found.total(), 'annotation')} ignored, which looked like labels"
    names = [text for (text, is_short), _ in found.most_common() if not is_short]
    return with_lines(f"{ignored}: {some(each, _NAMED, 'name')}{short}", _what_to_add(names, terms))


def _what_to_add(names: Iterable[str], terms: Terms) -> list[str]:
    """Lines that say which terms would make labels of annotations, and which a user has to decide upon."""
    meant = {text: classes_meant(text) for text in names}
    clear = {text: classes[0] for text, classes in meant.items() if len(classes) == 1}
    unclear = [f"{text!r} ({either(classes)})" for text, classes in meant.items() if len(classes) > 1]
    unread = [repr(text) for text in clear if _NOT_TYPED.search(text)]
    typed = {text: name for text, name in clear.items() if not _NOT_TYPED.search(text)}
    lines = [f"to count those that are labels, add {_typed(terms.written, typed)}"] if typed else []
    lines += [f"which class is meant is for you to say: {some(unclear, _NAMED, 'name')}"] if unclear else []
    return lines + ([f"only in Python can terms= map {some(unread, _NAMED, 'name')}"] if unread else [])


def _typed(written: Mapping[str, str], more: Mapping[str, str]) -> str:
    """The option `terms` with some more, each text once, as it is typed in a shell."""
    once: dict[str, str] = {}
    for text, name in (*written.items(), *more.items()):
        once.setdefault(text.casefold(), f"{_ESCAPED.sub(_WITH_BACKSLASH, text)}: {name}")
    return shlex.quote(f"terms={{{', '.join(once.values())}}}")
