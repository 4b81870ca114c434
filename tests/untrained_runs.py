"""Runs of untrained models, and what lets them pass for trained ones: scores, predictions, a bundle's hashes."""

import hashlib
import json
from pathlib import Path

import numpy as np
import polars as pl
import torch
import yaml
from material import config, quick

from hms.config.build import build
from hms.labels import CLASSES, VOTE_COLUMNS
from hms.runs.bundle import SUMS
from hms.runs.checkpoint import save_model
from hms.runs.provenance import open_fold
from hms.scoring.scores import predictions

SMALL = ("extractor=[stft_short,spectrogram]", "extractor.spectrogram.attention_hidden=16")


def a_run(run: Path, folds: int, *words: str) -> Path:
    """A run of untrained models, each fold with its own weights."""
    node = quick(config(*words))["model"]
    for fold in range(folds):
        torch.manual_seed(fold + 10 * folds)
        into = run / f"fold{fold}_seed0"
        into.mkdir(parents=True)
        save_model(into, build(node), node)
        (into / "scores.json").write_text("{}")
    return run


def a_scored_run(run: Path, folds: int, *words: str) -> Path:
    """The same with configs, provenance, and predictions of each fold for 40 rows of four patients."""
    words = ("data.size=tiny", *(words or SMALL))
    for fold, into in enumerate(sorted(a_run(run, folds, *words).iterdir())):
        open_fold(into, quick(config(*words)) | {"fold": fold}, "0123456789abcdef")
        rows = range(40 * fold, 40 * fold + 40)
        votes = np.random.default_rng(fold).integers(0, 5, (40, 6)) + np.eye(6, dtype=int)[0]
        columns = {"label_id": rows, "eeg_id": rows, "patient_id": [row // 10 for row in rows], "fold": [fold] * 40}
        table = pl.DataFrame(columns).with_columns(pl.Series(n, votes[:, i]) for i, n in enumerate(VOTE_COLUMNS))
        table.with_columns(pl.lit(1 / 6).alias(name) for name in CLASSES).write_parquet(into / "oof.parquet")
        (into / "scores.json").write_text(json.dumps({"rows": 40, "kl": 1.0, "oracle": 0.25}))
    return run


def as_student(fold: Path, corpus: str = "0123456789abcdef") -> None:
    """Make a fold that of a student, trained on a corpus."""
    held = yaml.safe_load((fold / "config.yaml").read_text())
    taught = {"teacher_labels": {"_target_": "hms.augmentation.teacher_labels.TeacherLabels", "runs": ["runs/a"]}}
    (fold / "config.yaml").write_text(yaml.safe_dump(held | {"augmentation": taught}))
    about = json.loads((fold / "provenance.json").read_text())
    (fold / "provenance.json").write_text(json.dumps(about | {"corpus": corpus}))


def teacher(folder: Path, *folds: dict[int, list[float]]) -> str:
    """A run whose folds predicted these probabilities, given by label_id; returns its folder."""
    for fold, found in enumerate(folds):
        (folder / f"fold{fold}_seed0").mkdir(parents=True)
        ids = pl.DataFrame({"label_id": [*found]}).select("label_id", eeg_id="label_id", patient_id="label_id")
        rows = ids.with_columns(pl.lit(1).alias(name) for name in VOTE_COLUMNS)
        table = predictions(rows, fold, np.array([*found.values()]))
        table.write_parquet(folder / f"fold{fold}_seed0/teacher.parquet")
    return str(folder)


def sealed(bundle: Path) -> Path:
    """Renew the hashes of a bundle to match its files, as anyone who writes a bundle can."""
    files = sorted(path for path in bundle.iterdir() if path.name != SUMS)
    lines = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in files]
    (bundle / SUMS).write_text("".join(lines))
    return bundle
