"""Find the recordings that a name, a folder or a pattern stands for, and name the results of each."""

import glob
import re
from collections import Counter
from collections.abc import Collection, Iterable
from contextlib import suppress
from os.path import abspath, commonpath
from pathlib import Path

from hms.errors import UserError
from hms.system.console import counted, say

ENDINGS = (
    *(".edf", ".bdf", ".gdf", ".vhdr", ".ahdr", ".fif", ".fif.gz", ".set", ".cnt", ".mff", ".mefd", ".lay", ".eeg"),
    *(".nxe", ".nedf", ".cdt", ".parquet"),
)
"""Which files of a folder count as recordings. A file given by name is opened whatever its ending."""

_PART = re.compile(r"(-\d+)\.fif$|_split-(\d+)")  # in the name of a file that may continue another


def recording_files(words: str | list[str], taken: Collection[str] = ()) -> dict[str, Path]:
    """Find the recordings that one or several names, folders or patterns stand for, each under a unique name.

    The name is a file's stem; if others share that, or it is `taken`, its whole name; and if others share that, too,
    its path from the folder of all, such as `anna/day 1/eeg`. Some disks take A and a for the same letter. Raises
    UserError as `recording_paths` does.
    """
    found = recording_paths(words)
    folder = Path(commonpath([abspath(path.parent) for path in found]))
    names = {path: _names(path, Path(abspath(path)).relative_to(folder)) for path in found}
    counts = Counter(name for possible in names.values() for name in {*map(str.casefold, possible)})
    free = {name for name, count in counts.items() if count == 1}.difference(taken)
    return {
        next((name for name in possible if name.casefold() in free), possible[-1]): path
        for path, possible in names.items()
    }


def _names(path: Path, inside: Path) -> list[str]:
    """What a recording may be called, the shortest first; `inside` is its path from the folder of all."""
    return [path.stem, path.name, inside.with_name(path.stem).as_posix(), inside.as_posix()]


def recording_paths(words: str | list[str]) -> list[Path]:
    """Find the recordings that one or several names, folders or patterns stand for, each once.

    A missing file is kept: opening it raises the error. Raises UserError if nothing is found.
    """
    found: dict[str, Path] = {}
    for word in [words] if isinstance(words, str) else words:
        for path in _meant(word):
            found.setdefault(abspath(path), path)
    if not found:
        raise UserError("recording: want at least one, got none")
    for path in found.values():
        if any("\ud800" <= letter <= "\udfff" for letter in str(path)):  # how Python holds bytes that are not UTF-8
            raise UserError(f"recording: want files whose names are UTF-8, got {str(path)!r}")
    return [*found.values()]


def are_recordings(word: str) -> bool:
    """Whether a word names a file, or a folder or a pattern of recordings, by their endings: a run is none of these."""
    path = Path(word)
    inside = path.iterdir() if path.is_dir() else [path]
    return any(_ending(one) not in (None, ".parquet") for one in inside)  # a fold holds tables


def _meant(word: str) -> list[Path]:
    path = Path(word)
    if path.is_dir() and not _ending(path):
        inside, pattern = _recordings(path.iterdir()), f"{glob.escape(word.rstrip('/'))}/**/*"
        below = len(_matching(pattern)) - len(inside)
        hint = f"; '{pattern}' finds those in its folders" if below else ""
        if inside and below:
            say(f"{word}: {counted(below, 'recording')} in its folders left out{hint} as well")
    elif glob.has_magic(word) and not path.exists():
        inside, hint = _matching(word), ""
    else:
        return [path]
    if not inside:
        raise UserError(f"recording: want EDF, BDF, BrainVision, FIF or other recordings, got none in '{word}'{hint}")
    return inside


def _matching(pattern: str) -> list[Path]:
    """The recordings that match a pattern, whose ending, such as .edf, may be in any case: of two recorders on a ward,
    one may write .EDF."""
    if ending := _ending(Path(pattern)):
        any_case = "".join(f"[{letter}{letter.upper()}]" if letter != "." else "." for letter in ending)
        pattern = f"{pattern[: -len(ending)]}{any_case}"
    return _recordings(map(Path, glob.glob(pattern, recursive=True)))


def _recordings(paths: Iterable[Path]) -> list[Path]:
    """Those that look like recordings and are not the results of one, sorted; of a recording in several files, such as
    BrainVision's or a long FIF, the file that names the others."""
    known = [path for path in paths if _ending(path) and not path.name.startswith(".")]
    known = [path for path in known if not _is_result(path)]
    known = [path for path in known if path.suffix.lower() != ".eeg" or not path.with_suffix(".vhdr").exists()]
    return sorted(path for path in known if not _is_later_part(path))


def _ending(path: Path) -> str | None:
    """The one of `ENDINGS` that a name has, in any case."""
    return next((ending for ending in ENDINGS if path.name.lower().endswith(ending)), None)


def _is_later_part(path: Path) -> bool:
    """Whether this FIF file continues a recording: `x-1.fif` that of `x.fif`, or `x_split-02` that of `x_split-01`.

    Reading the first file reads them all, so a later part would be predicted twice.
    """
    if path.suffix != ".fif" or not (found := _PART.search(path.name)):
        return False
    begin, end = found.span(1) if found[1] else found.span(2)
    first = path.with_name(path.name[:begin] + ("" if found[1] else "01") + path.name[end:])
    if first == path or not first.exists():
        return False
    import mne  # slow to import

    with suppress(Exception):  # MNE's readers raise all kinds of errors; opening the file will report this one
        parts = mne.io.read_raw_fif(first, preload=False, verbose="error").filenames
        return path.name in [Path(part).name for part in parts]
    return False


def _is_result(path: Path) -> bool:
    """Whether this is annotations, by MNE's convention or next to their timeline, or the table of one."""
    timeline = path.with_name(f"{path.stem.removesuffix('-annot')}.json")
    is_annotation = path.stem.endswith("-annot") and (path.suffix == ".fif" or timeline.exists())
    return is_annotation or (path.suffix == ".parquet" and timeline.exists())
