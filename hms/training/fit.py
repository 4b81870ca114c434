"""Train one fold of a run and predict its held-out patients.

`hms.training` in the order of events: `fold` chooses the rows, `feed` serves them as batches, `stages` trains on them
with `trainer` and `module`, `measure_norms` measures batch norms, and `held_out` predicts and scores.
"""

import json
import math
import time
from contextlib import ExitStack, nullcontext
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl
import torch
from lightning import Trainer

from hms.config.build import build
from hms.config.check import plain, want_valid
from hms.data.corpus import CompetitionFolder, Folder
from hms.data.identity import fingerprint, identify
from hms.data.store import prepare_store
from hms.model import Model
from hms.run_folders import is_finished
from hms.runs.checkpoint import save_model
from hms.runs.folder import fold_folder
from hms.runs.leakage import write_learned_from
from hms.runs.provenance import open_fold, warn_of_changes
from hms.runs.settings import teachers
from hms.runs.start import announce, record, start_of_fold, want_unseen
from hms.runs.teacher import want_same_corpus
from hms.runs.trained import Trained
from hms.scoring.scores import read_truth
from hms.system.atomic import locked, write_text
from hms.system.console import and_more, counted, say
from hms.system.processes import ALONE, Process, first_decides, run_in_processes
from hms.training import trainer
from hms.training.feed import Feed, feed_of
from hms.training.fold import FoldRows, rows_of_fold
from hms.training.held_out import predict, summarise, write_predictions
from hms.training.keys import Train
from hms.training.loggers import log_scores, open_loggers
from hms.training.measure_norms import BATCHES, measure_norms
from hms.training.metrics_csv import seconds_of_epochs
from hms.training.parts import model_and_trainer
from hms.training.rules import mistakes_in_values
from hms.training.stages import start_of_stages, train_stages
from hms.training.without_effect import without_effect


class _Job(NamedTuple):
    """A fold to train, and all that it takes."""

    config: dict[str, Any]
    fold: Path
    model: Model
    probe: Trainer
    start: Trained | None
    rows: FoldRows
    feed: Feed
    truth: pl.DataFrame | None


def fit(config: dict[str, Any]) -> float:
    """Train the fold that `config` (resolved train.yaml) describes, unless it is already trained.

    Returns its out-of-fold KL in nats, or NaN for `fold=all`, which holds no patients out. Locks the fold against other
    commands; if it takes several processes that nobody has started yet, this one starts them and keeps the lock.
    Raises ConfigError with a line for each mistake in `config`, as the command does.
    """
    config = plain(config)
    want_valid(config, "train", Train, mistakes_in_values)
    if (done := _finished_fold(config)) is not None:
        return _result(done, read_truth(build(config["data"]).root))
    job = _job(config)
    to_start = trainer.processes_to_start(job.probe)
    with ExitStack() as locks:
        if _needs_training(job, ALONE if to_start else job.feed.process, locks):
            if to_start:
                return run_in_processes(_fit_locked, config, to_start)
            _finish(job)
    return _result_of(job)


def _fit_locked(config: dict[str, Any]) -> float:
    """`fit` in one of the processes that it has started, while it holds the lock."""
    job = _job(config)
    _finish(job)
    return _result_of(job)


def _finished_fold(config: dict[str, Any]) -> Path | None:
    """The fold, if it is finished and needs a single process; finding out needs neither weights nor a store."""
    folder = build(config["data"])
    alone = all(config["trainer"].get(key, 1) == 1 for key in ("devices", "num_nodes"))
    if not alone or not (folder.root / "train.csv").is_file():
        return None
    folder.make()  # or refuse what is there, if it is another corpus
    corpus = fingerprint(folder.root)
    fold = fold_folder(config, corpus)
    return fold if is_finished(fold) and _is_trained(fold, config, corpus) else None


def _is_trained(fold: Path, config: dict[str, Any], corpus: str) -> bool:
    """Whether the fold is finished, which is printed. Warns of whatever has changed since it was trained."""
    warn_of_changes(fold, config, corpus)
    _warn_of_newer_files(fold.parent, build(config["data"]))
    if finished := is_finished(fold):
        say(f"{fold} is already trained: nothing to do")
    return finished


def _warn_of_newer_files(run: Path, folder: Folder) -> None:
    """Warn if files of a corpus, which is not simulated, are newer than a fold of the run that has begun."""
    begun = [*run.glob("*/provenance.json")]
    if begun and isinstance(folder, CompetitionFolder):
        identity = identify(folder.root)
        if older := sorted(path.parent.name for path in begun if identity.changed_since(path)):
            newer = f"{folder.root} has files newer than {run / older[0]}{and_more(len(older) - 1, 'fold')}"
            say(f"{newer}: if their content changed, train under another name")


def _job(config: dict[str, Any]) -> _Job:
    model, probe = model_and_trainer(config)  # first, so that mistakes surface before a corpus is read
    folder = build(config["data"])
    store = prepare_store(folder, Path(config["stores"]), config["on_bad"])
    truth = read_truth(folder.root)
    fold = fold_folder(config, store.fingerprint)
    rows = rows_of_fold(config, store.rows)  # before a folder is created for it
    want_same_corpus(teachers(config), store.rows["label_id"])
    if start := start_of_fold(config):
        want_unseen(start, config, rows.predicted, store.rows, store.fingerprint)
    process = Process(probe.global_rank, probe.world_size)
    feed = feed_of(config, store, model.reads_spectrogram, process, probe.strategy.root_device)
    return _Job(config=config, fold=fold, model=model, probe=probe, start=start, rows=rows, feed=feed, truth=truth)


def _result_of(job: _Job) -> float:
    """The result of a job in its first process, NaN in the others."""
    return math.nan if job.feed.process.rank > 0 else _result(job.fold, job.truth)


def _result(fold: Path, truth: pl.DataFrame | None) -> float:
    """Remove what is left of the training, print the scores, and return the KL."""
    for state in (fold / name for name in ("last.ckpt", "pretrain/last.ckpt", "pretrain/result.ckpt")):
        if state.exists():  # left if the process was killed just after it finished the fold
            state.unlink(missing_ok=True)
    return summarise(fold, truth)


def _needs_training(job: _Job, process: Process, locks: ExitStack) -> bool:
    """Whether the fold is still to be trained; if so, no other command can train it until `locks` is closed.

    Of processes that train together, the first takes the lock for all.
    """
    fold = job.fold

    def decide() -> bool:
        if _is_trained(fold, job.config, job.feed.store.fingerprint):
            return False
        fold.parent.mkdir(parents=True, exist_ok=True)
        locks.enter_context(locked(fold, f"training {fold}"))
        return not is_finished(fold)

    if process != ALONE:
        job.probe.strategy.setup_environment()
    return first_decides(decide, process)


def _finish(job: _Job) -> None:
    """Train, predict, and write all files of a finished fold, its scores last; only the first process writes any.

    `seconds` in the scores covers all epochs, including those of interrupted attempts, and everything after them.
    """
    config, fold, model, feed = job.config, job.fold, job.model, job.feed
    if feed.process.rank == 0:
        resumed, beginning = start_of_stages(config, fold)
        say(f"{fold} {beginning}")
        for line in without_effect(config, model.reads_spectrogram):
            say(line)
        if never := job.rows.never_held_out:
            say(f"{config['folds_from']} gives {counted(never, 'patient')} no fold: learned from in every fold")
        if job.start and not resumed:
            announce(job.start, config)
        corpus = feed.store.fingerprint
        open_fold(fold, config, corpus, record(job.start, corpus) if job.start else None)
    with open_loggers(config["logger"], fold, config) as loggers:
        diverged = train_stages(config, model, job.rows, feed, fold, loggers)
        trained_at_s = time.monotonic()
        # Batch sizes that training never uses would each be compiled just once.
        with torch.compiler.set_stance("force_eager") if config["compile"] else nullcontext():
            if config["measure_norms"] and feed.process.rank == 0:  # whose model `predict` gives to all
                measure_norms(model, feed.some(job.rows.training[-1], BATCHES), feed.device)
            predicted = predict(model, job.rows.predicted, feed, config["flips"])
        if feed.process.rank > 0:
            return
        save_model(fold, model, config["model"])
        everybody, is_student = feed.store.rows, bool(teachers(config))
        write_learned_from(fold, job.rows.training, everybody, feed.store.fingerprint, job.start, is_student)
        scores = write_predictions(fold, job.rows, predicted, job.truth)
        scores["seconds"] = round(seconds_of_epochs(fold) + time.monotonic() - trained_at_s, 1)
        scores["parameters"] = sum(parameter.numel() for parameter in model.parameters())
        scores |= diverged
        write_text(fold / "scores.json", json.dumps(scores, indent=1, allow_nan=False))
        log_scores(loggers, scores)
