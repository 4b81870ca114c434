"""A bundle: a folder that hands trained models over. Nothing in it runs when it is read.

    README.md                  the model card
    config.json                format, plain config of the model, names of its members, what they learned from
    fold0_seed0.safetensors    weights of a member; the mean of the members is the prediction
    model.onnx                 all of it from µV to probabilities, where that was asked for
    SHA256SUMS                 of the files above, as `sha256sum --check` reads them

The hashes show that a copy is whole, not who wrote it. What a config may build is up to `hms.checkpoint`.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hms.atomic import locked, scratch_folder
from hms.errors import DataError, UserError, first_line

FORMAT = 1
"""To be raised whenever older versions would misread a bundle."""

CARD, CONFIG, ONNX, SUMS = "README.md", "config.json", "model.onnx", "SHA256SUMS"

_WEIGHTS = ".safetensors"
_LINE = r"([0-9a-f]{64})  ([^/\n]+)\n"


def is_bundle(path: Path) -> bool:
    """Whether a folder was a bundle at least, whole or not."""
    return (path / CONFIG).is_file() or (path / SUMS).is_file()


def member_path(folder: Path, name: str) -> Path:
    """Where the weights of a member are."""
    return folder / f"{name}{_WEIGHTS}"


def is_member(path: Path) -> bool:
    """Whether a path is that of a member of a bundle, and not of a fold."""
    return path.suffix == _WEIGHTS


def read_bundle(folder: Path) -> dict[str, Any]:
    """What config.json says of a bundle: `model`, `members`, `corpora`, ...

    Raises DataError unless every file is there as it was written, and for a bundle that a newer version wrote.
    """
    _want_whole(folder)
    return _config(folder)


def members(folder: Path) -> list[Path]:
    """The members' files, in their order. Raises DataError as `read_bundle` does."""
    return [member_path(folder, name) for name in read_bundle(folder)["members"]]


def model_node(member: Path) -> Any:
    """The config of a member's model, which nobody has looked at. Raises DataError unless both are as written."""
    _want_whole(member.parent, [CONFIG, member.name])
    return _config(member.parent)["model"]


def want_free(folder: Path) -> None:
    """Raise UserError for a folder of other files than those of a bundle, which would be gone."""
    held = (
        {path.name for path in folder.iterdir()} if folder.is_dir() else {*([folder.name] if folder.exists() else [])}
    )
    listed = _sums(folder).keys() if (folder / SUMS).is_file() else ()
    if others := held - {SUMS, *listed}:
        raise UserError(f"out: want a new folder, or a bundle to replace, got '{folder}', which holds '{min(others)}'")


@contextmanager
def new_bundle(folder: Path, config: dict[str, Any]) -> Iterator[Path]:
    """Give a folder to write the other files to; it becomes `folder` when the block ends well."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with locked(folder, f"another process writes {folder}: waiting for it"), scratch_folder(folder) as scratch:
        want_free(folder)
        new = scratch / "new"
        new.mkdir()
        (new / CONFIG).write_text(json.dumps({"format": FORMAT, **config}, indent=1) + "\n")
        yield new
        for path in new.iterdir():
            path.chmod((new / CONFIG).stat().st_mode)  # safetensors makes files that nobody else may read
        (new / SUMS).write_text(_as_text({path.name: _sum(path) for path in new.iterdir()}))
        if folder.exists():
            folder.rename(scratch / "old")
        new.rename(folder)


def _want_whole(folder: Path, names: Iterable[str] = ()) -> None:
    """Raise DataError unless the folder has the files of SHA256SUMS and no others, and `names`, or all, as written."""
    listed = _sums(folder)
    there = {path.name for path in folder.iterdir() if path.is_file() and not path.name.startswith(".")} - {SUMS}
    for held, words in ((listed.keys() - there, "lacks"), (there - listed.keys(), "has a file that is not its own,")):
        if held:
            raise DataError(f"{folder}: {words} '{min(held)}' ({SUMS} tells what belongs to it)")
    for name in names or listed:
        if _sum(folder / name) != listed.get(name):
            raise DataError(f"{folder / name}: not as it was written ({SUMS} tells another hash): copy it again")


def _config(folder: Path) -> dict[str, Any]:
    path = folder / CONFIG
    try:
        held = json.loads(path.read_text())
        newer = held["format"] > FORMAT
        files = {f"{name}{_WEIGHTS}" for name in held["members"]}
        frozenset(held["corpora"]), held["model"]
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path}: not the config of a bundle ({first_line(error)})") from None
    if newer:
        raise DataError(f"{path}: want format {FORMAT} or older, got {held['format']}: a newer version of hms reads it")
    if files != (weights := {name for name in _sums(folder) if name.endswith(_WEIGHTS)}) or not files:
        raise DataError(f"{path}: want its members to be {', '.join(sorted(weights))}, got {', '.join(sorted(files))}")
    return held


def _sums(folder: Path) -> dict[str, str]:
    path = folder / SUMS
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise DataError(f"{path}: no such file; hms.export writes it with the others of a bundle") from None
    except ValueError as error:
        raise DataError(f"{path}: not a list of hashes ({first_line(error)})") from None
    sums = {name: digest for digest, name in re.findall(_LINE, text)}
    if _as_text(sums) != text or CONFIG not in sums:
        raise DataError(f"{path}: want a line for each file, its SHA-256, two spaces and its name; got something else")
    return sums


def _as_text(sums: dict[str, str]) -> str:
    return "".join(f"{sums[name]}  {name}\n" for name in sorted(sums))


def _sum(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
