"""Train one fold of one member and predict its held-out patients."""

import json
import time
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl
import torch
from lightning import seed_everything
from lightning.fabric.utilities.exceptions import MisconfigurationException
from torch.utils.data import DataLoader

from hms import trainer
from hms.batch import Batch
from hms.build import build
from hms.checkpoint import save_model
from hms.console import say
from hms.errors import UserError
from hms.files import first_line, replacing
from hms.folds import patient_folds
from hms.inference import probabilities
from hms.live import SimulatedWindows
from hms.model import Model
from hms.module import Classifier
from hms.resident import nearest
from hms.runs import is_finished, open_run, run_folder, say_what_changed, summarise
from hms.scores import Scores, predictions, read_truth, score
from hms.store import Store, prepared
from hms.windows import OneRowPerEeg, Windows


def fit(config: dict[str, Any]) -> float:
    """Train the fold that `config` (resolved train.yaml) describes, or find it trained.

    Gives its out-of-fold KL in nats, NaN for `fold=all`, which holds nobody out.
    """
    model = _model(config)  # first: a mistake should not wait for a corpus to be read
    folder = build(config["data"])
    store = prepared(folder, Path(config["stores"]), config["on_bad"])
    truth = read_truth(folder.root)
    run = run_folder(config, store.fingerprint)
    say_what_changed(run, config, store.fingerprint)
    if is_finished(run):
        say(f"{run} is trained already: nothing to do")
    else:
        began_s = time.monotonic()
        fold = _Fold(config, model, store, run, *_patients(config, store))
        device = fold.train()
        save_model(run, model, config)
        parameters = sum(one.numel() for one in model.parameters())
        taken = {"seconds": round(time.monotonic() - began_s, 1), "parameters": parameters}
        scores = fold.predict(device, truth) | taken
        with replacing(run / "scores.json") as temporary:
            temporary.write_text(json.dumps(scores, indent=1, allow_nan=False))
        for left in (run / "last.ckpt", run / "pretrain" / "weights.ckpt"):
            left.unlink(missing_ok=True)
    return summarise(run, truth)


def _model(config: dict[str, Any]) -> Model:
    for name, least in (("seed", 0), ("batch_size", 1), ("epochs", 1)):
        if not least <= config[name] < 2**32:
            raise UserError(f"{name}: want {least} or more (below 2^32), got {config[name]}")
    if config["fold"] != "all" and not 0 <= config["fold"] < config["folds"]:
        raise UserError(f"fold: want 0 to {config['folds'] - 1} (folds={config['folds']}) or all, got {config['fold']}")
    if config["live"] and config["pretrain"]:
        raise UserError("pretrain: want none with live, whose windows have no subset; got both")
    if config["live"] and "teacher_labels" in config["augmentation"]:
        raise UserError("augmentation: no teacher has seen the windows of live; leave teacher_labels out")
    seed_everything(config["seed"], verbose=False)
    model: Model = build(config["model"])
    try:  # all of these are built again for the run; here only to hear what they refuse
        for stage in filter(None, (config["pretrain"], config)):
            _classifier(config, stage, model).configure_optimizers()
        trainer.make(config["trainer"], callbacks=[build(node) for node in config["averaging"].values()])
    except (ValueError, TypeError, MisconfigurationException) as error:
        raise UserError(f"optimizer, schedule or trainer: {first_line(error)}") from None
    return model


def _classifier(config: dict[str, Any], stage: dict[str, Any], model: Model) -> Classifier:
    """`model` as a stage of its training sees it: the stage has weighting, optimizer and schedule of its own."""
    augmentations = {name: build(node) for name, node in config["augmentation"].items()}
    weighting, optimizer, schedule = (build(stage[part]) for part in ("weighting", "optimizer", "schedule"))
    return Classifier(model, build(config["loss"]), augmentations, weighting, optimizer, schedule, config["seed"])


def _patients(config: dict[str, Any], store: Store) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Rows of the patients to learn from, and of those held out."""
    if config["fold"] == "all":
        return store.rows, store.rows.clear()
    if config["live"]:  # nothing is learned from the corpus
        return store.rows.clear(), store.rows
    try:
        fold_of = patient_folds(store.rows, config["folds"])
    except ValueError as error:
        raise UserError(str(error)) from None
    rows = store.rows.join(fold_of, on="patient_id", maintain_order="left")
    held_out = pl.col("fold") == config["fold"]
    return rows.filter(~held_out), rows.filter(held_out)


class _Fold(NamedTuple):
    """One fold of a training and where it is kept."""

    config: dict[str, Any]
    model: Model
    store: Store
    run: Path
    learned_from: pl.DataFrame
    """Rows of the patients to learn from."""
    held_out: pl.DataFrame
    """Rows of all other patients."""

    @property
    def stages(self) -> list[dict[str, Any]]:
        """What the training goes through; the last has its keys in train.yaml itself."""
        return [stage for stage in (self.config["pretrain"], self.config) if stage]

    @property
    def validation(self) -> pl.DataFrame:
        rows: pl.DataFrame = build(self.config["subset"]).validation(self.held_out)
        return rows

    def train(self) -> torch.device:
        """Run the stages, going on where an earlier attempt was interrupted; the device it was done on."""
        learn = [self._learning(stage) for stage in self.stages]
        check = None
        if self.config["fold"] != "all":
            self._want(self.validation, "validation")
            check = self._windows(self.validation).loader(self.config["batch_size"])
        open_run(self.run, self.config, self.store.fingerprint)
        loggers = trainer.make_loggers(self.config["logger"], self.run, self.config)
        try:
            if self.config["pretrain"]:
                self._pretrain(learn[0], check)
            stage = _classifier(self.config, self.config, self.model)
            averaging = [build(node) for node in self.config["averaging"].values()]
            done = trainer.train(stage, self.config["trainer"], self.run, learn[-1], check, averaging, loggers)
        finally:
            trainer.finish(loggers)
        device: torch.device = done.strategy.root_device
        return device

    def predict(self, device: torch.device, truth: pl.DataFrame | None) -> Scores:
        """Write what the model says of the held-out patients: oof.parquet to score, teacher.parquet to learn from."""
        if self.held_out.is_empty():
            return {}
        windows = [self.validation]
        if not self.config["live"]:
            windows += [build(stage["subset"]).training(self.held_out) for stage in self.stages]
        rows = self.held_out.filter(_among(pl.concat(windows)))
        batch_size, flips = self.config["batch_size"], self.config["flips"]
        found = probabilities([self.model], self.store, rows, batch_size, device, flips)
        fold = None if self.config["live"] else self.config["fold"]  # that learned from no fold of the corpus
        teacher = predictions(rows, fold, found)
        oof = teacher.filter(_among(self.validation))
        for name, table in (("teacher", teacher), ("oof", oof)):
            with replacing(self.run / f"{name}.parquet") as temporary:
                table.write_parquet(temporary)
        return score(oof, truth)

    def _pretrain(self, learn: DataLoader[Batch], check: DataLoader[Batch] | None) -> None:
        """The first of two stages; its weights are kept until the second has ended."""
        stage, folder = self.config["pretrain"], self.run / "pretrain"
        weights = folder / "weights.ckpt"
        if not weights.is_file():
            folder.mkdir(exist_ok=True)
            node = self.config["trainer"] | {"max_epochs": stage["epochs"]}
            trainer.train(_classifier(self.config, stage, self.model), node, folder, learn, check, [], [])
            with replacing(weights) as temporary:
                torch.save(self.model.state_dict(), temporary)
            (folder / "last.ckpt").unlink()
        self.model.load_state_dict(torch.load(weights, map_location="cpu", weights_only=True))

    def _learning(self, stage: dict[str, Any]) -> DataLoader[Batch]:
        """Batches of one random window of each EEG per epoch, or of windows that are simulated as they are needed."""
        for node in self.config["live"].values():
            live: SimulatedWindows = build(node)
            return live.loader(self.config["batch_size"], self.config["seed"], self.model.reads_spectrogram)
        rows = build(stage["subset"]).training(self.learned_from)
        self._want(rows, "training")
        order = OneRowPerEeg(rows, self.config["seed"])
        trainer_node, resident = self.config["trainer"], self.config["data"].get("resident", "auto")
        near = nearest(self._windows(rows), resident, trainer_node["accelerator"], trainer_node["devices"])
        return near.loader(self.config["batch_size"], order)

    def _windows(self, rows: pl.DataFrame) -> Windows:
        return Windows(self.store, rows, self.model.reads_spectrogram)

    def _want(self, rows: pl.DataFrame, use: str) -> None:
        if rows.is_empty():
            raise UserError(
                f"subset: no row for {use} in fold {self.config['fold']} (of {len(self.store.rows)} rows in "
                f"{self.store.rows['patient_id'].n_unique()} patients); try subset=all_votes"
            )


def _among(rows: pl.DataFrame) -> pl.Expr:
    return pl.col("label_id").is_in(rows["label_id"].implode())
