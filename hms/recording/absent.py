"""Refuse names in the option `channels` that none of the recordings has.

A folder may hold files of several devices: each uses what it has of the mapping, and notes what it lacks. A name that
no file has is a slip of the pen.
"""

from collections.abc import Collection, Iterable
from contextlib import suppress
from pathlib import Path

from hms.errors import DataError, UserError, did_you_mean
from hms.recording.formats import labels_of
from hms.recording.meanings import listed


def want_channels(paths: Collection[Path], names: Iterable[str]) -> None:
    """Raise UserError for one of the `names` in `channels` that no recording has which can be opened, if any can.

    Recordings are opened only until all names have been found.
    """
    sought, labels = dict.fromkeys(names), dict[str, None]()
    for path in paths:
        if not sought:
            return
        with suppress(DataError):  # reported when its timeline is made
            labels |= dict.fromkeys(labels_of(path))
        sought = {name: None for name in sought if name not in labels}
    if labels:
        _refuse(sought, labels, paths)


def want_labels(path: Path, labels: Collection[str], names: Iterable[str]) -> None:
    """Raise UserError for one of the `names` in `channels` that is none of the labels of the recording at `path`."""
    _refuse([name for name in names if name not in labels], labels, [path])


def _refuse(absent: Collection[str], labels: Collection[str], paths: Collection[Path]) -> None:
    for name in absent:
        who, has = (f"{next(iter(paths))}: ", "file, ") if len(paths) == 1 else ("", f"{len(paths)} recordings, ")
        near = did_you_mean(name, labels) or f" ({'it has' if who else 'they have'} {listed([*labels])})"
        raise UserError(f"{who}channels: want a channel of the {has}got '{name}'{near}")
