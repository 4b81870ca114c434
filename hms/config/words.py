"""Single words of a command line: what is wrong with one, which are repeated, and which have no key."""

from hydra.core.override_parser.types import Override, OverrideType

from hms.config.options import Options

_REPLACING = (OverrideType.CHANGE, OverrideType.FORCE_ADD)


def not_readable(word: str) -> str:
    """Say what is wrong with a word that is no override."""
    key, _, value = word.partition("=")
    if not value:
        return f"{word}: want <key>=<value>"
    problem = f"{word}: not a value that Hydra can read"
    if value.startswith("{"):
        return f"{problem}; within braces, leave quotes out and put a backslash before each : , = ( ) of a name"
    if "'" in value:
        return problem
    return f"{problem}; quote a value that has spaces, =, brackets or letters beyond ASCII: \"{key}='{value}'\""


def gathered(words: list[str], key: str) -> list[str]:
    """Make those words that give no key the list `key`."""
    names = [word for word in words if "=" not in word]
    quoted = ",".join("'" + name.replace("'", r"\'") + "'" for name in names)
    return [*(word for word in words if "=" in word), *([f"{key}=[{quoted}]"] if names else [])]


def last_of_each(words: list[str], options: Options) -> tuple[list[str], list[str]]:
    """Leave out words whose key comes again, as Hydra would in silence; add a line for each that had another value."""

    def adds(override: Override) -> bool:
        """Whether a word adds an option to a group, rather than a value."""
        return bool(options.of(override.key_or_group))

    last: dict[str, str] = {}
    problems = []
    for word in words:
        override, key = options.parsed(word), word
        if override and (override.type in _REPLACING or (override.type is OverrideType.ADD and not adds(override))):
            key = override.get_key_element().lstrip("+")
        if last.get(key, word) != word:
            problems.append(f"{key}: given twice, {last[key]} and {word}; leave one out")
        last[key] = word
    return [*last.values()], problems
