"""Single words of a command line: how a text is written, what is wrong with one, which are repeated or have no key."""

import glob
import re
import shlex
from collections import Counter
from collections.abc import Collection, Iterator
from contextlib import suppress
from functools import cache
from os.path import expanduser, isdir, lexists

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override, OverrideType, Quote, QuotedString
from hydra.errors import HydraException

from hms.config.composer import Composer, chosen
from hms.errors import did_you_mean, nearest_word

_REPLACING = (OverrideType.CHANGE, OverrideType.FORCE_ADD)


def quoted(text: str) -> str:
    """A text as a value on a command line, or as one in a list: in quotes if Hydra would read it as anything else.

    One with a space is in quotes, too, so that its end can be seen.
    """
    if _is_plain(text) and not re.search(r"\s", text):
        return text
    return QuotedString(text, Quote.double if "'" in text else Quote.single).with_quotes()


def for_shell(key: str, text: str) -> str:
    """What to type for a key to have a text as its value: with quotes for Hydra and for a shell only if they need them.

    Hydra's are double, as a shell's are single.
    """
    value = text if _is_plain(text) else QuotedString(text, Quote.double).with_quotes()
    return shlex.quote(f"{key}={value}")


def _is_plain(text: str) -> bool:
    """Whether Hydra reads a text without quotes as just that."""
    with suppress(HydraException):
        return bool(text) and "\\" not in text and _parser().parse_override(f"key={text}").value() == text
    return False


@cache
def _parser() -> OverridesParser:
    return OverridesParser.create()


def not_readable(word: str, composer: Composer) -> str:
    """Say what is wrong with a word that is no override, and how to write it for a shell if quotes would help."""
    key, _, value = word.partition("=")
    if not value:
        return f"{word}: want <key>=<value>"
    problem = f"{word}: not a value that Hydra can read"
    if value.startswith("{"):
        return f"{problem}; within braces, leave quotes out and put a backslash before each : , = ( ) of a name"
    better = f"{key}={quoted(value)}"
    if composer.parsed(better) is None:  # because of its key
        return problem
    typed = f'"{better}"' if not set(better) & set('"$`\\!') else shlex.quote(better)
    return f"{problem}; quote a value that has spaces, quotes, =, brackets or letters beyond ASCII: {typed}"


def at_home(word: str) -> str:
    """A word with the user's home in place of each `~/` that begins a value, which no shell replaces behind `key=`."""
    return re.sub(r"(?<=[=,\[])~/", f"{expanduser('~')}/", word)


def gathered(words: list[str], key: str, keys: Collection[str]) -> list[str]:
    """Make those words that set none of a command's `keys` the list `key`: names without =, and paths with one."""
    names = [word for word in words if "=" not in word or _is_path(word, keys)]
    others = [word for word in words if word not in names]
    return [*others, *([f"{key}=[{','.join(map(quoted, names))}]"] if names else [])]


def _is_path(word: str, keys: Collection[str]) -> bool:
    """Whether a word with = names a path, such as `runs/lr=0.1`, rather than a value for a key."""
    place = word.partition("=")[0].lstrip("+~")
    if lexists(word) or glob.glob(word):
        return "/" in place or place.partition(".")[0] not in keys
    return "/" in place and re.split(r"[./@]", place)[0] not in (*keys, "hydra")


def last_of_each(words: list[str], composer: Composer) -> tuple[list[str], list[str]]:
    """Leave out words whose key comes again, as Hydra would in silence; add a line for each that had another value."""
    last: dict[str, str] = {}
    problems = []
    for word in words:
        override, key = composer.parsed(word), word
        adds_value = override and override.type is OverrideType.ADD and not composer.options(override.key_or_group)
        if override and (override.type in _REPLACING or adds_value):  # a word that adds an option replaces none
            key = override.get_key_element().lstrip("+")
        if last.get(key, word) != word:
            problems.append(f"{key}: given twice, {last[key]} and {word}; leave one out")
        last[key] = word
    return [*last.values()], [*problems, *_replaced(last, composer)]


def _replaced(words: dict[str, str], composer: Composer) -> Iterator[str]:
    """Yield a line for each value that Hydra would drop in silence because another word sets a key within it."""
    for key, word in words.items():
        override = composer.parsed(word)
        if (
            override
            and not override.is_delete()
            and not composer.options(key)
            and not isinstance(override.value(), dict)
        ):
            for within in (other for other in words if other.startswith(f"{key}.")):
                yield f"{word}: of no effect beside {words[within]}, which sets a key in it; leave one out"


def corrected(override: Override, composer: Composer) -> tuple[str | None, list[str]]:
    """The word of an override with the nearest option in place of each that does not exist, to check the rest.

    Returns None if no option is near, or none is chosen where that is impossible, and a line about each mistake.
    """
    word, group, value = override.input_line, override.key_or_group, override.value()
    offered, several = composer.options(group), group in composer.lists
    may_be_empty = composer.lists.get(group, False)
    none = f"want {group}=[] for none" if may_be_empty else f"want at least one of {', '.join(offered)}"
    if several and override.is_delete():
        return None, [f"{word}: {none}, or {group}=[...] with those that stay"]
    if not offered or override.is_delete() or (value == [] and may_be_empty):
        return word, []
    if value == [] or (may_be_empty and value in (None, "", "none", {})):
        return None, [f"{group}: {none}"]
    names = chosen(override)
    if repeated := [name for name, times in Counter(names).items() if times > 1]:
        return None, [f"{group}: want each option once, got {', '.join(repeated)} again"]
    is_list = isinstance(value, list)  # in which Hydra would make mine/a the key extractor.mine
    nearest = {
        name: nearest_word(name.strip("/"), offered)
        for name in names
        if not _is_option(f"{group}/{name}", composer) or (is_list and "/" in name)
    }
    if not nearest:
        return word, []
    wish = f"{group}: want one of {', '.join(offered)}, got"
    lines = [
        f"{wish} '{name}'{did_you_mean(name.strip('/'), offered) if near else _instead(group, name)}"
        for name, near in nearest.items()
    ]
    if None in nearest.values():
        return None, lines
    joined = ",".join(nearest.get(name) or name for name in names)
    return f"{override.get_key_element()}={f'[{joined}]' if is_list else joined}", lines


def _is_option(path: str, composer: Composer) -> bool:
    """Whether there is an option at this path: extractor/stft, or extractor/mine/a in a folder of the group."""
    folder, _, name = path.rpartition("/")
    return "//" not in path and name in composer.options(folder)


def _instead(group: str, name: str) -> str:
    """The end of a message about a folder that is given in place of an option; empty if there is none to suggest."""
    is_folder = group == "data" and ("/" in name or isdir(name))
    return f"; a folder is data=competition data.root={name}" if is_folder else ""
