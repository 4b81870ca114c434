"""What decides a trained model: the part of its config that does, and what its training reads beside the corpus.

What only costs memory or time is left out, and so are paths: the corpus counts by its fingerprint, files of pretrained
weights and a teacher's labels by what is in them.
"""

import hashlib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from hms.errors import DataError
from hms.pretrained import weights_file

_NO_MATTER = ("fold", "seed", "name", "runs", "stores", "on_bad", "data", "live", "logger", "show", "compile")
_NO_MATTER_TRAINER = ("accelerator", "devices", "num_nodes", "strategy")
_TEACHER = "hms.augmentation.teacher_labels.TeacherLabels"


def settings(config: dict[str, Any]) -> dict[str, Any]:
    """The part of a config that decides what a trained model is; looks at no file."""
    counts = {key: value for key, value in config.items() if key not in _NO_MATTER}
    if live := config.get("live"):
        counts["live"] = {name: {k: v for k, v in node.items() if k != "workers"} for name, node in live.items()}
    trainer = {k: v for k, v in config["trainer"].items() if k not in _NO_MATTER_TRAINER}
    if trainer.get("sync_batchnorm"):  # as in one process; without it, each process has statistics of its own rows
        del trainer["sync_batchnorm"]
    decisive: dict[str, Any] = _decisive(counts | {"trainer": trainer})
    return decisive


def files_read(config: dict[str, Any]) -> dict[str, str]:
    """Digests of what a training reads beside its corpus: `weights` of its networks, the labels of its `teacher`.

    Without the entry of what it does not read. Raises UserError for weights that are not there.
    """
    found: dict[str, list[Path]] = {}
    for node in _nodes([config["model"], config["augmentation"]]):
        match node:
            case {"pretrained": True, "weights": str(weights), "name": str(name)}:
                found.setdefault("weights", []).append(weights_file(weights, name))
            case {"_target_": target, "runs": [*runs]} if target == _TEACHER:
                found.setdefault("teacher", []).extend(file for run in runs for file in teacher_files(Path(run)))
    return {what: _joined(map(_digest_of, files)) for what, files in found.items()}


def teacher_files(run: Path) -> list[Path]:
    """What the folds of a run predicted for a student to learn from."""
    return sorted(run.glob("fold*_seed*/teacher.parquet"))


def _decisive(value: Any) -> Any:
    """A copy without what computes the same with less memory, and with no more of a path than a run's name."""
    if isinstance(value, list):
        return [_decisive(part) for part in value]
    if not isinstance(value, dict):
        return value
    kept = {key: _decisive(part) for key, part in value.items() if key != "grad_checkpointing"}
    if {"pretrained", "weights"} <= kept.keys():
        kept["weights"] = None
    if kept.get("_target_") == _TEACHER:
        kept["runs"] = [Path(run).name for run in kept["runs"]]
    return kept


def _nodes(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
    for part in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _nodes(part)


def _joined(digests: Iterator[str]) -> str:
    return hashlib.blake2b(" ".join(sorted({*digests})).encode(), digest_size=8).hexdigest()


def _digest_of(file: Path) -> str:
    try:
        about = file.stat()
        return _digest(file, about.st_size, about.st_mtime_ns)
    except OSError as error:
        raise DataError(f"{file}: cannot be read ({error.strerror})") from None


@cache
def _digest(file: Path, size: int, modified_ns: int) -> str:
    """Of a file's content; the jobs of a sweep read it once, as long as it stays as it is."""
    with file.open("rb") as held:
        return hashlib.file_digest(held, lambda: hashlib.blake2b(digest_size=16)).hexdigest()
