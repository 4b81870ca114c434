"""Find the recordings that the names in a table mean, which may have been written on another machine."""

import ntpath
from collections.abc import Iterable, Sequence
from os.path import abspath, commonpath, isdir
from pathlib import Path, PurePath, PureWindowsPath

import polars as pl

from hms.data.tables import at_line
from hms.errors import did_you_mean
from hms.system.console import say

_Parts = tuple[str, ...]
"""The folders of a path, then its last name."""

_Known = dict[str, list[tuple[Path, _Parts]]]
"""Recordings by the names of their files in lower case, with and without an ending: those of a hospital are many."""


def with_paths(rows: pl.DataFrame, paths: Sequence[Path], of_all: bool) -> tuple[pl.DataFrame, list[str]]:
    """Rows with the `path` of the recording that each names, null where none is meant; a line for each name at fault.

    A name is a file's, with or without its ending, after as many of its folders as the writer likes, or a path on
    another machine, see `_folder_elsewhere`. One that no recording has is a fault if the rows are `of_all` recordings.
    """
    known = _Known()
    for path in paths:
        for file in {path.name.lower(), path.stem.lower()}:
            known.setdefault(file, []).append((path, Path(abspath(path)).parts))
    named = rows.filter(pl.col("recording").is_not_null()).unique("recording", keep="first", maintain_order=True)
    here = Path(commonpath([Path(abspath(path)).parent for path in paths])).parts
    elsewhere = _folder_elsewhere(named["recording"])
    if elsewhere:
        folder = str(elsewhere) if elsewhere.drive else elsewhere.as_posix()
        say(f"no folder '{folder}' here, so paths in it mean recordings by what follows it")
    found: dict[str, str | None] = {}
    problems = []
    for name, line in named.select("recording", "line").iter_rows():
        its = _meant(name, known, here, elsewhere)
        found[name] = str(its[0]) if len(its) == 1 else None
        if len(its) > 1 or (of_all and not its):
            problems.append(at_line(line, "recording", _wish(name, its, paths)))
    meant = pl.col("recording").replace_strict(found, default=None, return_dtype=pl.String)
    return rows.with_columns(path=meant), problems


def _folder_elsewhere(names: Iterable[str]) -> PureWindowsPath | None:
    """The folder that holds all paths among the names, if they were written on another machine; None if not.

    What follows it is a name as any other. To take less of each path would be unsafe: of p3/night.edf, which is not
    here, the votes would be given to p1/night.edf. So no path is one of another machine if a folder of any is here.
    """
    folders = [PureWindowsPath(name).parent for name in names if PureWindowsPath(name).root]
    if not folders or any(isdir(folder.as_posix()) for folder in folders):
        return None
    try:
        shared = PureWindowsPath(ntpath.commonpath(folders))
    except ValueError:  # of several drives
        return None
    return shared if shared.drive or len(shared.parts) > 1 else None


def _meant(name: str, known: _Known, here: _Parts, elsewhere: PureWindowsPath | None) -> list[Path]:
    """The recordings that a name may mean: as it is written, or else with backslashes between its folders.

    Of a path on another machine the folder that all share may be a patient's, so it is tried with that; a file that
    lies in it, and in no other folder, means one in the folder that all recordings share, `here`.
    """
    ways = [PurePath(name).parts, _parts(name)]
    if elsewhere and PureWindowsPath(name).is_relative_to(elsewhere):
        short = PureWindowsPath(name).relative_to(elsewhere).parts
        ways.append((elsewhere.name, *short))
        ways.append(short if len(short) > 1 else (*here, *short))
    for parts in ways:
        like = known.get(parts[-1].lower(), []) if parts else []
        if meant := [path for path, ours in like if _is_end_of(parts, ours)]:
            exactly = [path for path in meant if path.name == parts[-1]]  # not x.EDF if there is x.edf as well
            return exactly or meant
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
    last = PureWindowsPath(name)
    near = did_you_mean(last.name, [path.name for path in paths] if last.suffix else [path.stem for path in paths])
    of = f"one of {len(paths)} recordings" if len(paths) > 1 else f"'{paths[0].stem}'"
    return f"want {of}, got {name!r}{near}"
