"""The option `terms`: texts of annotations, or of the column `label` of a table, that stand for a class."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from hms.collected.names import composed
from hms.collected.terms import did_you_mean_class
from hms.errors import UserError, did_you_mean
from hms.labels import CLASSES, CONSENSUS_NAMES
from hms.system.console import some

_SPELLING = dict(zip(CLASSES, CONSENSUS_NAMES, strict=True))

_NAMED = 10
"""The most texts that are listed."""


class Terms:
    """Which class a text stands for: the one that it names, or the one that the user says it does.

    `given` maps texts to names of classes, or is None. Case and spaces around a text or a name do not count. Raises
    UserError with a line for each mistake in it.
    """

    def __init__(self, given: Any):
        if given is not None and not isinstance(given, Mapping):
            raise UserError(f"terms: want a dict such as {{'LPDs': 'LPD'}}, got {given!r}")
        self.written: dict[str, str] = {}
        """The names of classes, as `expert_consensus` spells them, by texts as the user wrote them."""
        self._classes = {name: name for name in CLASSES}
        problems = []
        for key, name in (given or {}).items():
            text, known = str(key).strip(), _plain(name) if isinstance(name, str) else ""
            if known not in CLASSES:
                near = did_you_mean_class(name) if isinstance(name, str) else ""
                problems.append(f"terms.{text}: want {', '.join(CONSENSUS_NAMES)}, got {name!r}{near}")
            elif _plain(text) in CLASSES and _plain(text) != known:
                problems.append(f"terms.{text}: want {_SPELLING[_plain(text)]}, whose name it is, got {name!r}")
            elif twin := next((other for other in self.written if _plain(other) == _plain(text)), None):
                problems.append(f"terms: want each text once, in any case, got {twin!r} and {text!r}")
            else:
                self.written[text] = _SPELLING[known]
                self._classes[_plain(text)] = known
        if problems:
            raise UserError("\n".join(problems))

    @property
    def by_text(self) -> dict[str, str]:
        """`written`, the same however the texts are spelled."""
        return {_plain(text): name for text, name in self.written.items()}

    def class_of(self, text: str) -> str | None:
        """The one of `CLASSES` that a text stands for, if any."""
        return self._classes.get(_plain(text))

    def absent(self, texts: Iterable[str], place: str) -> Iterator[str]:
        """A line for each text of the option that is none of those in a `place`: a slip of the pen."""
        there: dict[str, str] = {}
        for text in texts:
            there.setdefault(_plain(text), text)
        for text in self.written:
            if _plain(text) not in there:
                has = some([*map(repr, there.values())], _NAMED) or "nothing"
                near = did_you_mean(text, there.values()) or f" (there is {has})"
                yield f"terms: want a text of {place}, got {text!r}{near}"


def _plain(text: str) -> str:
    return composed(text).strip().casefold()
