"""What determines a trained model: the relevant part of its config, and what its training reads besides the corpus.

Settings that affect only memory or time are left out, and so are paths: the corpus counts by its fingerprint, and
files of folds, of pretrained weights, of a teacher's labels or of what a training starts from by their content.
"""

import hashlib
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

from hms.config.type_check import leaves
from hms.errors import DataError, UserError
from hms.network.pretrained import weights_file
from hms.run_folders import (
    FoldName,
    RunName,
    finished_folds,
    folds_with,
    is_member,
    model_file,
    teacher_files,
    to_predict_by,
)

_IRRELEVANT_KEYS = (
    *("fold", "seed", "name", "runs", "stores", "on_bad", "data"),
    *("folds_from", "start_from", "logger", "show", "compile", "choices"),
)
_IRRELEVANT_TRAINER_KEYS = (
    *("accelerator", "devices", "num_nodes", "strategy"),
    *("profiler", "log_every_n_steps", "enable_progress_bar", "enable_model_summary"),
    *("detect_anomaly", "inference_mode"),
)
_PRECISION_OF = {"32": "32-true", "16": "16-mixed", "bf16": "bf16-mixed"}
"""What Lightning's aliases stand for."""

TEACHER = "hms.augmentation.teacher_labels.TeacherLabels"
"""As text: to import the class takes seconds, and a mistake in a config should not wait for it."""


def settings(config: dict[str, Any]) -> dict[str, Any]:
    """The part of a config that determines the trained model, without looking at any file."""
    kept = {key: value for key, value in config.items() if key not in (*_IRRELEVANT_KEYS, "trainer")}
    if live := kept.get("live"):
        kept["live"] = {name: {k: v for k, v in node.items() if k != "workers"} for name, node in live.items()}
    if factors := {place: factor for place, factor in leaves(kept.pop("lr_scale", {})) if factor != 1}:
        kept["lr_scale"] = factors
    trainer = {k: v for k, v in config["trainer"].items() if k not in _IRRELEVANT_TRAINER_KEYS}
    if precision := trainer.get("precision"):
        trainer["precision"] = _PRECISION_OF.get(str(precision), precision)
    if clip := trainer.get("gradient_clip_val"):
        trainer["gradient_clip_val"] = float(clip)
    if trainer.get("sync_batchnorm"):  # the same as in one process
        del trainer["sync_batchnorm"]
    elif "sync_batchnorm" in trainer:  # each process has statistics of its own rows
        trainer |= {k: config["trainer"].get(k, 1) for k in ("devices", "num_nodes")}
    relevant: dict[str, Any] = _relevant(kept)
    for stage in (relevant, relevant.get("pretrain", {})):
        stage.get("optimizer", {}).pop("fused", None)  # only saves time
    return relevant | {"trainer": trainer}  # to Lightning, 1 is one batch and 1.0 is all


def files_read(config: dict[str, Any]) -> dict[str, str]:
    """Digests of what a training reads besides its corpus: a table of folds, `folds_from`, pretrained `weights`, the
    labels of its `teacher`, and the weights that it starts from, `start_from`, which replace pretrained ones.

    There is no entry for what is not read. Raises UserError if a file does not exist.
    """
    read = {}
    if table := config.get("folds_from"):
        read["folds_from"] = _joined([_digest_of(Path(table))])
    if starts := start_folds(config):
        read["start_from"] = _joined(_digest_of(model_file(start)) for start in starts)
    wanting = [] if starts else nodes(config["model"])
    pretrained = [node for node in wanting if node.get("pretrained") is True and "weights" in node]
    files = [weights_file(node["weights"], node.get("name")) if node["weights"] else None for node in pretrained]
    if any(files):  # which network starts from which matters, and which from the hub
        read["weights"] = _joined(_digest_of(file) if file else "hub" for file in files)
    if runs := teachers(config):
        labels = {_digest_of(file) for run in runs for file in teacher_files(Path(run))}
        read["teacher"] = _joined(sorted(labels))
    return read


def with_same_settings(runs: list[Path]) -> list[list[Path]]:
    """Group the runs that share a hash, and so all settings and inputs, under different names; only groups of several.

    Of folds, given by their own folders, those of the same fold and seed belong together.
    """
    groups: dict[tuple[str, FoldName | None], list[Path]] = {}
    for run in runs:
        folder = run.resolve()
        fold = FoldName.parse(folder.name)
        if name := RunName.parse(folder.parent.name if fold else folder.name):
            groups.setdefault((name.digest, fold), []).append(run)
    return [group for group in groups.values() if len(group) > 1]


def teachers(config: dict[str, Any]) -> list[str]:
    """The runs that teach the run of a config; it is a student if there are any."""
    augmentations = nodes(config.get("augmentation", {}))
    return [run for node in augmentations if node.get("_target_") == TEACHER for run in node["runs"]]


def start_folds(config: dict[str, Any]) -> list[Path]:
    """The folders of the folds, or the weights in a bundle, that the training of a config may start from; [] if none.

    Of a run they are those that it predicts by. Raises UserError if what `start_from` names has none.
    """
    if not (start := config.get("start_from")):
        return []
    from hms.runs.bundle import bundle_config, is_bundle, member_path  # Polars is slow to import

    path = Path(start)
    if is_bundle(path):
        return [member_path(path, name) for name in bundle_config(path)["members"]]
    finished = [path] if is_member(path) and path.is_file() else finished_folds(path)
    if not finished:
        wish = "start_from: want a run, a finished fold of one, a bundle or the weights in one"
        why = " (no finished fold)" if folds_with(path, "config.yaml") else "" if path.exists() else " (no such file)"
        raise UserError(f"{wish}, got '{path}'{why}")
    return to_predict_by(finished)


def nodes(value: Any) -> Iterator[dict[str, Any]]:
    """Yield all mappings in a config, at any depth."""
    if isinstance(value, dict):
        yield value
    for part in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from nodes(part)


def _relevant(value: Any) -> Any:
    """Copy a value without what only saves memory, and without paths; whole numbers are ints, however written."""
    if isinstance(value, list):
        return [_relevant(part) for part in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if not isinstance(value, dict):
        return value
    kept = {key: _relevant(part) for key, part in value.items() if key != "grad_checkpointing"}
    if {"pretrained", "weights"} <= kept.keys():
        kept["weights"] = None
    if kept.get("_target_") == TEACHER:
        del kept["runs"]
    return kept


def _joined(digests: Iterable[str]) -> str:
    return hashlib.blake2b(" ".join(digests).encode(), digest_size=8).hexdigest()


def _digest_of(file: Path) -> str:
    try:
        status = file.stat()
        return _digest(file, status.st_size, status.st_mtime_ns)
    except OSError as error:
        raise DataError(f"{file}: cannot be read ({error.strerror})") from None


@cache
def _digest(file: Path, size: int, modified_ns: int) -> str:
    """The digest of a file's content; the jobs of a sweep compute it once, unless the file changes."""
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, lambda: hashlib.blake2b(digest_size=16)).hexdigest()
