"""One fold of a training: its stages, its predictions for the held-out patients, and its files."""

import json
import time
from contextlib import nullcontext
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import polars as pl
import torch
from jaxtyping import Float
from lightning.pytorch.loggers import Logger
from torch.utils.data import DataLoader

from hms.batch import Batch
from hms.config.build import build
from hms.data.resident import maybe_resident
from hms.data.store import Store
from hms.data.windows import OneRowPerEeg, Windows
from hms.errors import UserError
from hms.live import SimulatedWindows
from hms.model import Model
from hms.prediction.inference import probabilities
from hms.runs.checkpoint import save_model, write_checkpoint
from hms.runs.provenance import open_run
from hms.scoring.scores import Scores, predictions, score
from hms.system.atomic import replacing
from hms.system.console import say
from hms.system.processes import Place, broadcast_state, gathered
from hms.training import trainer
from hms.training.guard import LossGuard
from hms.training.module import Classifier


def classifier(config: dict[str, Any], stage: dict[str, Any], model: Model) -> Classifier:
    """Wrap `model` for a stage of its training, which has its own weighting, optimizer and schedule."""
    augmentations = {name: build(node) for name, node in config["augmentation"].items()}
    weighting, optimizer, schedule = (build(stage[part]) for part in ("weighting", "optimizer", "schedule"))
    return Classifier(model, build(config["loss"]), augmentations, weighting, optimizer, schedule, config["seed"])


class Fold(NamedTuple):
    """One fold of a training, and the folder in which it is kept."""

    config: dict[str, Any]
    model: Model
    store: Store
    run: Path
    learned_from: pl.DataFrame
    """Rows of the patients to learn from."""
    held_out: pl.DataFrame
    """Rows of all other patients."""
    place: Place
    """This process among those that train the fold together; only the first of them writes files."""

    @property
    def stages(self) -> list[dict[str, Any]]:
        """The settings of each stage; those of the last are top-level keys of train.yaml."""
        return [stage for stage in (self.config["pretrain"], self.config) if stage]

    @property
    def validation(self) -> pl.DataFrame:
        """Rows of the held-out patients on which the fold is validated and scored."""
        rows: pl.DataFrame = build(self.config["subset"]).validation(self.held_out)
        return rows

    def want_rows(self) -> None:
        """Raise UserError if no row is left to train or to validate on."""
        for stage in () if self.config["live"] else self.stages:
            self._want(self._rows(stage), "training")
        if self.config["fold"] != "all":
            self._want(self.validation, "validation")

    @property
    def rows_to_predict(self) -> pl.DataFrame:
        """Rows of the held-out patients to predict: those to score, and those that another fold may learn from."""
        if self.held_out.is_empty():
            return self.held_out
        windows = [self.validation]
        if not self.config["live"]:
            windows += [build(stage["subset"]).training(self.held_out) for stage in self.stages]
        return self.held_out.filter(_among(pl.concat(windows)))

    @property
    def trained_s(self) -> float:
        """The seconds that the epochs of all stages have taken."""
        curves = [path for path in (self.run / "pretrain/metrics.csv", self.run / "metrics.csv") if path.is_file()]
        return sum(float(pl.read_csv(path)["seconds"].sum()) for path in curves)

    def finish(self, truth: pl.DataFrame | None) -> None:
        """Train, predict, and write all files of a finished run, its scores last.

        `seconds` in the scores covers all epochs, including those of interrupted attempts, and everything after them.
        """
        if self.place.rank == 0:
            resumed = any(self.run.rglob("*.ckpt"))
            say(f"{self.run} {'resumes after its last complete epoch' if resumed else 'starts'}")
            open_run(self.run, self.config, self.store.fingerprint)
        loggers = trainer.make_loggers(self.config["logger"], self.run, self.config)
        try:
            device, diverged = self.train(loggers)
            start_s = time.monotonic() - self.trained_s
            predicted = self.predict(device)
            if self.place.rank > 0:
                return
            save_model(self.run, self.model, self.config)
            parameters = sum(one.numel() for one in self.model.parameters())
            scores = self.write(predicted, truth)
            scores |= {"seconds": round(time.monotonic() - start_s, 1), "parameters": parameters}
            scores["diverged_epochs"] = diverged
            with replacing(self.run / "scores.json") as temporary:
                temporary.write_text(json.dumps(scores, indent=1, allow_nan=False))
            trainer.log_scores(loggers, scores)
        finally:
            trainer.finish_loggers(loggers)

    def train(self, loggers: list[Logger]) -> tuple[torch.device, list[int]]:
        """Run the stages, resuming an interrupted attempt; return the device and the last stage's diverged epochs."""
        validation = None
        if self.config["fold"] != "all":
            validation = self._windows(self.validation).loader(self.config["batch_size"], place=self.place)
        if self.config["pretrain"]:
            self._pretrain(validation, loggers)
        module = classifier(self.config, self.config, self.model)
        training = self._training_batches(self.config)
        guard = LossGuard(self.run / "not_finite.json")
        callbacks = [*(build(node) for node in self.config["averaging"].values()), guard]
        fitted = trainer.train(module, self.config["trainer"], self.run, training, validation, callbacks, loggers)
        device: torch.device = fitted.strategy.root_device
        return device, guard.diverged

    def predict(self, device: torch.device) -> Float[np.ndarray, "row label"]:
        """Return probabilities for `rows_to_predict`; each process predicts its share, and all receive the whole."""
        rank, world = self.place
        if world > 1:
            broadcast_state(self.model.to(device))
        rows = self.rows_to_predict
        first, end = (len(rows) * place // world for place in (rank, rank + 1))
        batch_size, flips = self.config["batch_size"], self.config["flips"]
        # Batch sizes that training never uses would each be compiled just once.
        with torch.compiler.set_stance("force_eager") if self.config["compile"] else nullcontext():
            own = probabilities([self.model], self.store, rows[first:end], batch_size, device, flips)
        return np.concatenate(gathered(own, self.place))

    def write(self, predicted: Float[np.ndarray, "row label"], truth: pl.DataFrame | None) -> Scores:
        """Write the predictions, to teacher.parquet to learn from and oof.parquet to score; return the scores."""
        if self.held_out.is_empty():
            return {}
        fold = None if self.config["live"] else self.config["fold"]  # live training learns from no fold of the corpus
        teacher = predictions(self.rows_to_predict, fold, predicted)
        oof = teacher.filter(_among(self.validation))
        for name, table in (("teacher", teacher), ("oof", oof)):
            with replacing(self.run / f"{name}.parquet") as temporary:
                table.write_parquet(temporary)
        return score(oof, truth)

    def _pretrain(self, validation: DataLoader[Batch] | None, loggers: list[Logger]) -> None:
        """Run the first of two stages; its weights are kept until the second has ended."""
        stage, folder = self.config["pretrain"], self.run / "pretrain"
        weights = folder / "weights.ckpt"
        if not weights.is_file():
            folder.mkdir(parents=True, exist_ok=True)
            guard = LossGuard(folder / "not_finite.json")
            node = self.config["trainer"] | {"max_epochs": stage["epochs"]}
            training, module = self._training_batches(stage), classifier(self.config, stage, self.model)
            curves = trainer.loggers_of_stage("pretrain", self.config["logger"], self.run, loggers)
            fitted = trainer.train(module, node, folder, training, validation, [guard], curves)
            if self.place.rank == 0:
                write_checkpoint(weights, self.model.state_dict())
            fitted.strategy.barrier()
        self.model.load_state_dict(torch.load(weights, map_location="cpu", weights_only=True))

    def _training_batches(self, stage: dict[str, Any]) -> DataLoader[Batch]:
        """Return batches of one random window of each EEG per epoch, or of windows simulated on demand."""
        for node in self.config["live"].values():
            live: SimulatedWindows = build(node)
            seed, reads = self.config["seed"], self.model.reads_spectrogram
            return live.loader(self.config["batch_size"], seed, reads, self.place)
        rows = self._rows(stage)
        order = OneRowPerEeg(rows, self.config["seed"])
        node, resident = self.config["trainer"], build(self.config["data"]).resident
        windows = maybe_resident(self._windows(rows), resident, node["accelerator"], node["devices"])
        return windows.loader(self.config["batch_size"], order, self.place)

    def _rows(self, stage: dict[str, Any]) -> pl.DataFrame:
        rows: pl.DataFrame = build(stage["subset"]).training(self.learned_from)
        return rows

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
