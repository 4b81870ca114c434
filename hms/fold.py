"""One fold of a training: the stages that it goes through, what it predicts of its held-out patients, and its files."""

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

from hms import trainer
from hms.atomic import replacing
from hms.batch import Batch
from hms.checkpoint import save_model, write_checkpoint
from hms.config.build import build
from hms.console import say
from hms.errors import UserError
from hms.guard import LossGuard
from hms.inference import probabilities
from hms.live import SimulatedWindows
from hms.model import Model
from hms.module import Classifier
from hms.processes import Place, broadcast_state, gathered
from hms.resident import maybe_resident
from hms.runs import open_run
from hms.scores import Scores, predictions, score
from hms.store import Store
from hms.windows import OneRowPerEeg, Windows


def classifier(config: dict[str, Any], stage: dict[str, Any], model: Model) -> Classifier:
    """`model` as a stage of its training sees it: the stage has weighting, optimizer and schedule of its own."""
    augmentations = {name: build(node) for name, node in config["augmentation"].items()}
    weighting, optimizer, schedule = (build(stage[part]) for part in ("weighting", "optimizer", "schedule"))
    return Classifier(model, build(config["loss"]), augmentations, weighting, optimizer, schedule, config["seed"])


class Fold(NamedTuple):
    """One fold of a training and where it is kept."""

    config: dict[str, Any]
    model: Model
    store: Store
    run: Path
    learned_from: pl.DataFrame
    """Rows of the patients to learn from."""
    held_out: pl.DataFrame
    """Rows of all other patients."""
    place: Place
    """Which of the processes that train it this is; the first alone writes."""

    @property
    def stages(self) -> list[dict[str, Any]]:
        """What the training goes through; the last has its keys in train.yaml itself."""
        return [stage for stage in (self.config["pretrain"], self.config) if stage]

    @property
    def validation(self) -> pl.DataFrame:
        rows: pl.DataFrame = build(self.config["subset"]).validation(self.held_out)
        return rows

    def want_rows(self) -> None:
        """Raise UserError where there is nothing to learn from, or to validate on."""
        for stage in () if self.config["live"] else self.stages:
            self._want(self._rows(stage), "training")
        if self.config["fold"] != "all":
            self._want(self.validation, "validation")

    @property
    def told_of(self) -> pl.DataFrame:
        """Rows of the held-out patients that are predicted: to be scored on, and for another fold to learn from."""
        if self.held_out.is_empty():
            return self.held_out
        windows = [self.validation]
        if not self.config["live"]:
            windows += [build(stage["subset"]).training(self.held_out) for stage in self.stages]
        return self.held_out.filter(_among(pl.concat(windows)))

    @property
    def trained_s(self) -> float:
        """What the epochs of all stages took."""
        curves = [path for path in (self.run / "pretrain/metrics.csv", self.run / "metrics.csv") if path.is_file()]
        return sum(float(pl.read_csv(path)["seconds"].sum()) for path in curves)

    def finish(self, truth: pl.DataFrame | None) -> None:
        """Train, predict, and write all that a finished run has, its scores last.

        Their `seconds` are those of all epochs, an interrupted attempt's, too, and of what comes after them.
        """
        if self.place.rank == 0:
            begun = any(self.run.rglob("*.ckpt"))
            say(f"{self.run} {'goes on after its last whole epoch' if begun else 'begins'}")
            open_run(self.run, self.config, self.store.fingerprint)
        loggers = trainer.make_loggers(self.config["logger"], self.run, self.config)
        try:
            device, diverged = self.train(loggers)
            began_s = time.monotonic() - self.trained_s
            found = self.predict(device)
            if self.place.rank > 0:
                return
            save_model(self.run, self.model, self.config)
            parameters = sum(one.numel() for one in self.model.parameters())
            scores = self.write(found, truth)
            scores |= {"seconds": round(time.monotonic() - began_s, 1), "parameters": parameters}
            scores["diverged_epochs"] = diverged
            with replacing(self.run / "scores.json") as temporary:
                temporary.write_text(json.dumps(scores, indent=1, allow_nan=False))
            trainer.tell_scores(loggers, scores)
        finally:
            trainer.finish(loggers)

    def train(self, loggers: list[Logger]) -> tuple[torch.device, list[int]]:
        """Run the stages, going on where an earlier attempt was interrupted; the device it was done on, and the epochs
        of the last stage that diverged."""
        check = None
        if self.config["fold"] != "all":
            check = self._windows(self.validation).loader(self.config["batch_size"], place=self.place)
        if self.config["pretrain"]:
            self._pretrain(check, loggers)
        stage = classifier(self.config, self.config, self.model)
        learn = self._learning(self.config)
        guard = LossGuard(self.run / "not_finite.json")
        callbacks = [*(build(node) for node in self.config["averaging"].values()), guard]
        done = trainer.train(stage, self.config["trainer"], self.run, learn, check, callbacks, loggers)
        device: torch.device = done.strategy.root_device
        return device, guard.diverged

    def predict(self, device: torch.device) -> Float[np.ndarray, "row label"]:
        """What the model says of the rows `told_of`, each process of a part of them."""
        rank, world = self.place
        if world > 1:
            broadcast_state(self.model.to(device))
        rows = self.told_of
        first, end = (len(rows) * place // world for place in (rank, rank + 1))
        batch_size, flips = self.config["batch_size"], self.config["flips"]
        # Sizes that training never has would be compiled for once.
        with torch.compiler.set_stance("force_eager") if self.config["compile"] else nullcontext():
            own = probabilities([self.model], self.store, rows[first:end], batch_size, device, flips)
        return np.concatenate(gathered(own, self.place))

    def write(self, found: Float[np.ndarray, "row label"], truth: pl.DataFrame | None) -> Scores:
        """Write what was predicted: oof.parquet to score, teacher.parquet to learn from."""
        if self.held_out.is_empty():
            return {}
        fold = None if self.config["live"] else self.config["fold"]  # that learned from no fold of the corpus
        teacher = predictions(self.told_of, fold, found)
        oof = teacher.filter(_among(self.validation))
        for name, table in (("teacher", teacher), ("oof", oof)):
            with replacing(self.run / f"{name}.parquet") as temporary:
                table.write_parquet(temporary)
        return score(oof, truth)

    def _pretrain(self, check: DataLoader[Batch] | None, loggers: list[Logger]) -> None:
        """The first of two stages; its weights are kept until the second has ended."""
        stage, folder = self.config["pretrain"], self.run / "pretrain"
        weights = folder / "weights.ckpt"
        if not weights.is_file():
            folder.mkdir(parents=True, exist_ok=True)
            guard = LossGuard(folder / "not_finite.json")
            node = self.config["trainer"] | {"max_epochs": stage["epochs"]}
            learn, module = self._learning(stage), classifier(self.config, stage, self.model)
            curves = trainer.of_stage("pretrain", self.config["logger"], self.run, loggers)
            done = trainer.train(module, node, folder, learn, check, [guard], curves)
            if self.place.rank == 0:
                write_checkpoint(weights, self.model.state_dict())
            done.strategy.barrier()
        self.model.load_state_dict(torch.load(weights, map_location="cpu", weights_only=True))

    def _learning(self, stage: dict[str, Any]) -> DataLoader[Batch]:
        """Batches of one random window of each EEG per epoch, or of windows that are simulated as they are needed."""
        for node in self.config["live"].values():
            live: SimulatedWindows = build(node)
            seed, reads = self.config["seed"], self.model.reads_spectrogram
            return live.loader(self.config["batch_size"], seed, reads, self.place)
        rows = self._rows(stage)
        order = OneRowPerEeg(rows, self.config["seed"])
        node, resident = self.config["trainer"], build(self.config["data"]).resident
        near = maybe_resident(self._windows(rows), resident, node["accelerator"], node["devices"])
        return near.loader(self.config["batch_size"], order, self.place)

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
