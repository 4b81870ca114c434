"""A bundle: a folder for handing over trained models. Reading it runs no code from it.

    README.md                  the model card
    config.json                format, plain config of the model, names of its members, corpora they learned from
    fold0_seed0.safetensors    weights of a member; the prediction is the mean over the members
    model.onnx                 the whole way from µV to probabilities, if requested
    SHA256SUMS                 digests of the files above, as `sha256sum --check` reads them

The digests show that a copy is complete, not who wrote it. `hms.runs.checkpoint` restricts what a config may build.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hms.errors import DataError, UserError, first_line
from hms.run_folders import WEIGHTS
from hms.system.atomic import locked, scratch_folder

FORMAT = 1
"""Increase whenever older versions would misread a bundle."""

CARD, CONFIG, ONNX, SUMS = "README.md", "config.json", "model.onnx", "SHA256SUMS"

_LINE = r"([0-9a-f]{64})  ([^/\n]+)\n"


def is_bundle(path: Path) -> bool:
    """Whether a folder is a bundle, intact or not."""
    return (path / CONFIG).is_file() or (path / SUMS).is_file()


def member_path(folder: Path, name: str) -> Path:
    """The path of a member's weights."""
    return folder / f"{name}{WEIGHTS}"


def read_bundle(folder: Path) -> dict[str, Any]:
    """The content of a bundle's config.json: `model`, `members`, `corpora`, ...

    Raises DataError unless every file is present and unchanged, and for a bundle that a newer version wrote.
    """
    _want_intact(folder)
    return bundle_config(folder)


def members(folder: Path) -> list[Path]:
    """The members' files, in the order of config.json. Raises DataError as `read_bundle` does."""
    return [member_path(folder, name) for name in read_bundle(folder)["members"]]


def model_node(member: Path) -> Any:
    """The unchecked config of a member's model. Raises DataError unless both files are unchanged."""
    _want_intact(member.parent, [CONFIG, member.name])
    return bundle_config(member.parent)["model"]


def want_free(folder: Path) -> None:
    """Raise UserError if a folder has files other than those of a bundle, as they would be lost."""
    present = (
        {path.name for path in folder.iterdir()} if folder.is_dir() else {*([folder.name] if folder.exists() else [])}
    )
    listed = _digests(folder).keys() if (folder / SUMS).is_file() else ()
    if others := present - {SUMS, *listed}:
        raise UserError(f"out: want a new folder, or a bundle to replace, got '{folder}', which holds '{min(others)}'")


@contextmanager
def new_bundle(folder: Path, config: dict[str, Any]) -> Iterator[Path]:
    """Yield a scratch folder for the remaining files; it becomes `folder` when the block ends without an error."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with locked(folder, f"writing {folder}"), scratch_folder(folder) as scratch:
        want_free(folder)
        new = scratch / "new"
        new.mkdir()
        (new / CONFIG).write_text(json.dumps({"format": FORMAT, **config}, indent=1) + "\n")
        yield new
        for path in new.iterdir():
            path.chmod((new / CONFIG).stat().st_mode)  # safetensors creates files that only their owner may read
        (new / SUMS).write_text(_as_text({path.name: _digest(path) for path in new.iterdir()}))
        if folder.exists():
            folder.rename(scratch / "old")
        new.rename(folder)


def _want_intact(folder: Path, names: Iterable[str] = ()) -> None:
    """Raise DataError unless the folder has exactly the files of SHA256SUMS, and `names` (by default all) unchanged."""
    listed = _digests(folder)
    present = {path.name for path in folder.iterdir() if path.is_file() and not path.name.startswith(".")} - {SUMS}
    for wrong, words in ((listed.keys() - present, "lacks"), (present - listed.keys(), "has a foreign file,")):
        if wrong:
            raise DataError(f"{folder}: {words} '{min(wrong)}' ({SUMS} lists what belongs to it)")
    for name in names or listed:
        if _digest(folder / name) != listed.get(name):
            raise DataError(f"{folder / name}: not as it was written ({SUMS} lists another hash): copy it again")


def bundle_config(folder: Path) -> dict[str, Any]:
    """The content of a bundle's config.json, as `read_bundle`, without reading the files that it lists."""
    path = folder / CONFIG
    try:
        config: dict[str, Any] = json.loads(path.read_text())
        newer = config["format"] > FORMAT
        files = {f"{name}{WEIGHTS}" for name in config["members"]}
        frozenset(config["corpora"]), config["model"]
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path}: not the config of a bundle ({first_line(error)})") from None
    if newer:
        wish = f"want format {FORMAT} or older, got {config['format']}"
        raise DataError(f"{path}: {wish}: a newer version of hms reads it")
    if files != (weights := {name for name in _digests(folder) if name.endswith(WEIGHTS)}) or not files:
        raise DataError(f"{path}: want its members to be {', '.join(sorted(weights))}, got {', '.join(sorted(files))}")
    return config


def _digests(folder: Path) -> dict[str, str]:
    path = folder / SUMS
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise DataError(f"{path}: no such file; hms.export writes it with the rest of a bundle") from None
    except ValueError as error:
        raise DataError(f"{path}: not a list of hashes ({first_line(error)})") from None
    digests = {name: digest for digest, name in re.findall(_LINE, text)}
    if _as_text(digests) != text or CONFIG not in digests:
        raise DataError(f"{path}: want a line for each file, its SHA-256, two spaces and its name; got something else")
    return digests


def _as_text(digests: dict[str, str]) -> str:
    return "".join(f"{digests[name]}  {name}\n" for name in sorted(digests))


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
