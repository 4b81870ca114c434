"""Which files are meant: by a name, a folder or a pattern, and under which name each one's results go."""

import glob
import re
from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from hms.errors import UserError

SUFFIXES = {".edf", ".bdf", ".gdf", ".vhdr", ".fif", ".set", ".cnt", ".mff", ".lay", ".eeg", ".nxe", ".cdt", ".parquet"}
"""Of recordings in a folder. A file that is named is opened whatever it ends in."""

_FURTHER = re.compile(r"(-\d+)\.fif$|_split-(\d+)")  # in the name of a file that may go on where another ends


def recording_files(words: str | list[str]) -> dict[str, Path]:
    """The recordings that a name, a folder or a pattern, or each of several, stands for, by names that differ.

    A file goes by its stem, or by its whole name where two have one stem. A name without a file stands for itself:
    whoever opens it says what is wrong. Raises UserError where nothing is found, and for two files of one name.
    """
    found: dict[Path, None] = {}
    for word in [words] if isinstance(words, str) else words:
        path = Path(word)
        inside = [path]
        if _is_folder(path):
            inside = _recordings(path.iterdir())
        elif not path.exists() and glob.has_magic(word):
            inside = _recordings(map(Path, glob.glob(word, recursive=True)))
        if not inside:
            raise UserError(f"recording: want EDF, BDF, BrainVision, FIF or other recordings, got none in '{word}'")
        found |= dict.fromkeys(inside)
    if not found:
        raise UserError("recording: want at least one, got none")
    for path in found:
        if any("\ud800" <= letter <= "\udfff" for letter in str(path)):  # Python's for bytes that are no UTF-8
            raise UserError(f"recording: want files whose names are UTF-8, got {str(path)!r}")
    stems = Counter(path.stem for path in found)
    named = {path: path.stem if stems[path.stem] == 1 else path.name for path in found}
    if twice := sorted(name for name, count in Counter(named.values()).items() if count > 1):
        raise UserError(f"recording: want files whose names differ, got '{twice[0]}' twice; predict them one by one")
    return {name: path for path, name in named.items()}


def _is_folder(path: Path) -> bool:
    return path.is_dir() and path.suffix.lower() not in SUFFIXES


def _recordings(paths: Iterable[Path]) -> list[Path]:
    """Those that look like recordings and are no results of one, in order; of those that lie in several files, as
    BrainVision's and long FIF ones, the file that names the others."""
    known = [path for path in paths if path.suffix.lower() in SUFFIXES and not path.name.startswith(".")]
    known = [path for path in known if not _is_result(path)]
    known = [path for path in known if path.suffix.lower() != ".eeg" or not path.with_suffix(".vhdr").exists()]
    return sorted(path for path in known if not _is_further_part(path))


def _is_further_part(path: Path) -> bool:
    """Whether a FIF recording goes on in this file that began in `x.fif` (this is `x-1.fif`) or `x_split-01`.

    Who reads the first file reads them all, so that each further one would be predicted twice.
    """
    if path.suffix != ".fif" or not (found := _FURTHER.search(path.name)):
        return False
    begin, end = found.span(1) if found[1] else found.span(2)
    first = path.with_name(path.name[:begin] + ("" if found[1] else "01") + path.name[end:])
    if first == path or not first.exists():
        return False
    import mne  # takes long to import

    with suppress(Exception):  # whatever a reader of MNE stumbles over: who opens the file says so
        parts = mne.io.read_raw_fif(first, preload=False, verbose="error").filenames
        return path.name in [Path(one).name for one in parts]
    return False


def _is_result(path: Path) -> bool:
    return path.stem.endswith("-annot") or (path.suffix == ".parquet" and path.with_suffix(".json").exists())
