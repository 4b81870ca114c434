"""What the README and its guide tell a user to type."""

import re

from conftest import ROOT

PAGES = sorted(str(page.relative_to(ROOT)) for page in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
GUIDE = {page: (ROOT / page).read_text() for page in PAGES if page == "README.md" or page.startswith("docs/guide/")}
"""What tells a user what to do, by page; the other pages tell what was measured."""
OWN = GUIDE["docs/guide/add_your_own.md"]
"""The page that adds a backbone, an extractor and an augmentation."""


def blocks(text: str, language: str) -> list[str]:
    """What stands in the fenced blocks of a language."""
    return re.findall(rf"^```(?:{language})\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def prose(text: str) -> str:
    """A page without its fenced blocks."""
    return re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)


def shell_lines(text: str) -> list[str]:
    """Every line of the shell blocks, and every bit of inline code, without comments."""
    lines = [*"\n".join(blocks(text, "bash")).splitlines(), *re.findall(r"`([^`\n]+)`", prose(text))]
    return [line.partition(" #")[0].strip() for line in lines]


def commands() -> list[str]:
    """The commands of hms, less those with options that the reader has yet to add."""
    lines = {line for text in GUIDE.values() for line in shell_lines(text) if line.startswith("python -m hms.")}
    return sorted(line for line in lines if not adds(line))


def adds(line: str) -> bool:
    """Whether a command has an option that the reader has yet to add."""
    return any(re.search(rf"\b{name}\b", line) for name in re.findall(r"^# conf/\w+/(\w+)\.yaml", OWN, re.MULTILINE))
