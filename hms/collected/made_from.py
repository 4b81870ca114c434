"""What a corpus was made from, as its `collected.json` says, so that another one is not taken for it."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars as pl

from hms.collected.own_terms import Terms
from hms.collected.usable import OnBad
from hms.collected.votes import added_up
from hms.errors import DataError, UserError, with_lines
from hms.recording.options import ReadingOptions
from hms.system.console import counted, say
from hms.system.reading import read_json

FORMAT = 2
"""Raise it whenever the same recordings and labels would give different bytes."""

_ABOUT = "collected.json"

_LOOKED_AT = 2**20
"""Bytes at the beginning of a recording by which another one of its name and size is told from it."""


def made_from(labels: Path | None, placed: pl.DataFrame, reading: ReadingOptions, terms: Terms) -> dict[str, Any]:
    """What determines the bytes of a corpus: hashes of the table, the patients, and the recordings, and keys."""
    paths = [Path(path) for path in placed["path"].unique()]
    votes = added_up(placed)
    hashes = {
        "labels": labels.read_bytes() if labels else votes.drop("path", "patient").write_csv().encode(),
        "patients": votes.select("recording", "patient").unique(maintain_order=True).write_csv().encode(),
        "recordings": repr(sorted(map(_look, paths))).encode(),
    }
    return {
        "format": FORMAT,
        **{name: hashlib.blake2b(content, digest_size=8).hexdigest() for name, content in hashes.items()},
        "unit": reading.unit,
        "channels": reading.channels,
        "terms": terms.by_text or None,  # an earlier corpus lacks it
    }


def _look(path: Path) -> tuple[str, int, str]:
    """The name, the size and a hash of the beginning of a recording, which tell it from others without reading it."""
    if not path.is_file():  # a folder, or what is missing
        return path.name, 0, ""
    with path.open("rb") as file:
        return path.name, path.stat().st_size, hashlib.blake2b(file.read(_LOOKED_AT), digest_size=8).hexdigest()


def is_there(out: Path, made: Mapping[str, Any], on_bad: OnBad) -> bool:
    """Whether the corpus is there that is made from `made`. Raises UserError if the folder holds anything else.

    Raises DataError if recordings were left out of it, which `on_bad="raise"` does not allow.
    """
    if (out / _ABOUT).is_file():
        held = read_json(out / _ABOUT, "format")
        if not (other := [key for key, value in made.items() if held.get(key) != value]):
            if bad := held["left_out"]:
                lacks = (
                    f"{out}: lacks {len(bad)} of {counted(held['recordings_labelled'], 'recording')}, which could not"
                )
                told = with_lines(f"{lacks} be used; to collect them again, delete it:", bad.values())
                if on_bad == "raise":
                    raise DataError(told)
                say(told)
            return True
        if "format" in other:  # an earlier one may lack keys
            other = ["format"]
        contents = f"a corpus that was collected with other {' and '.join(other)}"
    elif not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return False
    else:
        contents = "what was not collected"
    raise UserError(f"out: want a new folder, got '{out}', which holds {contents}; delete it or choose another")


def write_about(folder: Path, made: Mapping[str, Any], placed: pl.DataFrame, bad: Mapping[str, str]) -> None:
    """Note in the folder of a corpus what it was made from, and why which labelled recordings were left out of it."""
    names = dict(added_up(placed).select("path", "recording").iter_rows())
    left_out = {name: bad[path].replace(path, name) for path, name in names.items() if path in bad}
    about = {**made, "recordings_labelled": len(names), "left_out": left_out}
    (folder / _ABOUT).write_text(json.dumps(about, indent=1))
