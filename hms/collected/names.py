"""Names in tables: the same one in other letters, and the recordings that they mean."""

from collections.abc import Iterable, Sequence
from os.path import abspath
from pathlib import Path, PurePath, PureWindowsPath
from unicodedata import normalize

import polars as pl

from hms.data.tables import at_line
from hms.errors import did_you_mean

_Parts = tuple[str, ...]
"""The folders of a path, then its last name."""

_Known = dict[str, list[tuple[Path, _Parts]]]
"""Recordings by the names of their files in lower case, with and without an ending: those of a hospital are many."""


def composed(text: str) -> str:
    """A text in which ü is one letter: in files from a Mac it is two, u and a mark, and looks the same."""
    return normalize("NFC", text)


def alike(names: Iterable[str]) -> list[list[str]]:
    """Names that differ only in case or spaces from another, together with it; each group, and all groups, in order."""
    groups: dict[str, list[str]] = {}
    for name in sorted({*names}):
        groups.setdefault("".join(name.casefold().split()), []).append(name)
    return [group for group in groups.values() if len(group) > 1]


def with_paths(rows: pl.DataFrame, paths: Sequence[Path], of_all: bool) -> tuple[pl.DataFrame, list[str]]:
    """Rows with the `path` of the recording that each names, null where none is meant; a line for each name at fault.

    A name is a file's, with or without its ending, after as many of its folders as the writer likes. One that no
    recording has is a fault if the rows are `of_all` recordings.
    """
    known = _Known()
    for path in paths:
        whole = Path(composed(abspath(path)))
        for file in {whole.name.lower(), whole.stem.lower()}:
            known.setdefault(file, []).append((path, whole.parts))
    named = rows.filter(pl.col("recording").is_not_null()).unique("recording", keep="first", maintain_order=True)
    found: dict[str, str | None] = {}
    problems = []
    for name, line in named.select("recording", "line").iter_rows():
        its = _meant(composed(name), known)
        found[name] = str(its[0]) if len(its) == 1 else None
        if len(its) > 1 or (of_all and not its):
            problems.append(at_line(line, "recording", _wish(name, its, paths)))
    meant = pl.col("recording").replace_strict(found, default=None, return_dtype=pl.String)
    return rows.with_columns(path=meant), problems


def _meant(name: str, known: _Known) -> list[Path]:
    """The recordings that a name may mean: as it is written, or else with backslashes between its folders.

    Of a path on another machine, no part is a name: of p3/night.edf, which is not here, the votes would be given to
    p1/night.edf.
    """
    for parts in (PurePath(name).parts, _parts(name)):
        alike = known.get(parts[-1].lower(), []) if parts else []
        if meant := [(path, ours) for path, ours in alike if _is_end_of(parts, ours)]:
            exactly = [path for path, ours in meant if ours[-1] == parts[-1]]  # not x.EDF if there is x.edf as well
            return exactly or [path for path, _ in meant]
    return []


def _parts(name: str) -> _Parts:
    """Those of a path with slashes of either kind, from the last '..' on."""
    parts = PureWindowsPath(name).parts
    begin = max((number + 1 for number, part in enumerate(parts) if part == ".."), default=0)
    return parts[begin:]


def _is_end_of(name: _Parts, path: _Parts) -> bool:
    """Whether a path ends in a name, which may lack the ending or have it in another case."""
    folders, file = path[-len(name) : -1], PurePath(path[-1])
    asked = PurePath(name[-1])
    same_but_case = (asked.stem, asked.suffix.lower()) == (file.stem, file.suffix.lower())
    return folders == name[:-1] and (asked.name == file.stem or same_but_case)


def _wish(name: str, meant: list[Path], paths: Sequence[Path]) -> str:
    if meant:
        both = " and ".join(f"'{path}'" for path in meant[:2])
        return f"want one recording, got {name!r}, which is {both}: name it with its folder or ending"
    asked, near = PureWindowsPath(name), ""
    if asked.root:
        near = "; of a path on another machine, write the part from a folder on that is here"
    elif len(asked.parts) == 1:  # else the nearest might be another patient's
        near = did_you_mean(name, [path.name for path in paths] if asked.suffix else [path.stem for path in paths])
    of = f"one of {len(paths)} recordings" if len(paths) > 1 else f"'{paths[0].stem}'"
    return f"want {of}, got {name!r}{near}"
