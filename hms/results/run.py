"""The out-of-fold scores of a run, read from the folders of its folds."""

from pathlib import Path
from typing import Any

from hms.errors import DataError
from hms.results.entry import Entry, Training
from hms.run_folders import FoldName, grid, model_file
from hms.runs.folder import folds_with_held_out
from hms.runs.provenance import corpus_of, files_of
from hms.runs.scores import score_folds
from hms.runs.settings import settings, teachers
from hms.runs.trained import Trained
from hms.system.reading import read_json


def read_run(path: Path) -> Entry:
    """Read the finished folds of a run that have held-out patients. Raises DataError if it has none."""
    run = Trained(path, folds := folds_with_held_out(path))
    if not folds:
        raise DataError(f"{path}: no fold has held-out patients, so there is nothing to compare")
    config = run.config_of(folds[0])
    keys = ("kl", "rows", "seconds", "parameters")
    scores = {_number_and_seed(fold): read_json(fold / "scores.json", *keys) for fold in folds}
    numbers, seeds = (sorted({*values}) for values in zip(*scores, strict=True))
    missing = sorted(name for name in grid(folds, numbers) if name not in scores)
    common = {*numbers} - {number for number, _ in missing}
    overall, rows = score_folds(folds)
    checkpoint, corpus = model_file(folds[0]), corpus_of(folds[0])
    training = Training(
        settings=settings(config) | {"choices": run.choices_of(folds[0])},
        learned_from={
            "corpus": f"{Path(config['data']['root']).name}-{corpus[:4]}",
            **(files := files_of(folds[0])),
            "folds_from": _and_digest([Path(config.get("folds_from") or "").name], files.get("folds_from")),
            "teacher": _and_digest([Path(teacher).name for teacher in teachers(config)], files.get("teacher")),
            "start_from": _and_digest(_start(run, folds[0]), files.get("start_from")),
        },
        is_student=run.is_student,
        numbers=numbers,
        seeds=seeds,
        missing=[*map(str, missing)],
        kl_by_seed=[_pooled([scores[number, seed] for number in common]) for seed in seeds if common],
        kl_by_fold=[score["kl"] for score in scores.values()],
        minutes=sum(score["seconds"] for score in scores.values()) / 60,
        parameters=next(iter(scores.values()))["parameters"],
        megabytes=checkpoint.stat().st_size / 1e6 if checkpoint.is_file() else None,
    )
    losses = rows.select("label_id", "patient_id", "kl")
    return Entry(path, overall["kl"], overall.get("gap_closed"), corpus, losses, training=training)


def _start(run: Trained, fold: Path) -> list[str]:
    """The run whose weights a fold began with; none if it began with random ones."""
    start = run.start_of(fold)
    return [start["run"].partition("/")[0]] if start else []


def _and_digest(names: list[str], digest: str | None) -> str | None:
    """The names of what a run learned from, and the beginning of its digest; None if there is none."""
    return f"{','.join(names)}-{digest[:4]}" if names and digest else None


def _number_and_seed(fold: Path) -> tuple[int, int]:
    name = FoldName.of(fold)
    if name is None or name.fold == "all":
        raise DataError(f"{fold}: want a fold's folder under its own name, such as {FoldName(0, 0)}")
    return name.fold, name.seed


def _pooled(scores: list[dict[str, Any]]) -> float:
    """KL over the rows of several folds."""
    total: float = sum(score["kl"] * score["rows"] for score in scores)
    return total / sum(score["rows"] for score in scores)
