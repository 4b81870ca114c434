"""What predicts: a run, one of its folds, or a bundle, each with its trained models, and what it says about them."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from hms.errors import DataError
from hms.runs.bundle import bundle_config, is_bundle
from hms.runs.folder import folds_to_predict_by
from hms.runs.provenance import corpus_of, is_simulated, provenance, read_config
from hms.runs.settings import teachers


@dataclass(frozen=True)
class Trained:
    """A run, a fold or a bundle, with the folds that it predicts by or is read from."""

    path: Path
    """As a command was given it."""
    folds: list[Path]
    """Folders of folds, or the weights in a bundle."""

    @property
    def folder(self) -> Path:
        """The folder that the folds lie in: the run's, or the bundle's."""
        return self.folds[0].parent

    @property
    def name(self) -> str:
        """The run's, with the fold's if it is one; of a bundle, that of what was exported."""
        *_, parent, name = self.path.resolve().parts
        if self.is_bundle:
            return str(bundle_config(self.path).get("run", name))
        return f"{parent}/{name}" if self.is_single_fold else name

    @property
    def is_single_fold(self) -> bool:
        """Whether it is one fold of a run, named by its own folder."""
        return self.path == self.folds[0]

    @property
    def is_bundle(self) -> bool:
        """Whether it is a bundle."""
        return is_bundle(self.path)

    @cached_property
    def config_of(self) -> Callable[[Path], dict[str, Any]]:
        """`read_config`, which is slow, but just once for each fold."""
        return cache(read_config)

    @property
    def config(self) -> dict[str, Any] | None:
        """That of the first fold; None in a bundle, and where only the files needed to predict are left."""
        return self.config_of(self.folds[0]) if (self.folds[0] / "config.yaml").is_file() else None

    def choices_of(self, fold: Path) -> dict[str, str]:
        """The options that a fold's config was composed of, by their groups; empty if it was not composed by Hydra."""
        return {**provenance(fold).get("choices", {})}

    def start_of(self, fold: Path) -> dict[str, Any]:
        """What a fold recorded of the trained weights that it began with (`hms.runs.start.record`); empty if none."""
        return {**provenance(fold).get("start", {})} if self.config_of(fold).get("start_from") else {}

    @property
    def corpora(self) -> set[str]:
        """The fingerprints of the corpora that its models ever learned from; none for those of `live` windows."""
        if self.is_bundle:
            return {*bundle_config(self.path)["corpora"]}
        return self.own_corpora | {corpus for fold in self.folds for corpus in self.start_of(fold).get("corpora", ())}

    @property
    def own_corpora(self) -> set[str]:
        """The same without those behind the weights that they started from, which a bundle does not tell apart."""
        if self.is_bundle:
            return self.corpora
        return {corpus_of(fold) for fold in self.folds if not self.config_of(fold).get("live")}

    @property
    def learned_from_simulation(self) -> bool | None:
        """Whether any of its models last learned from simulated EEG; None if it does not say."""
        try:
            if self.is_bundle:
                return bundle_config(self.path).get("simulated")
            return any(is_simulated(self.config_of(fold)) for fold in self.folds)
        except (DataError, KeyError):  # model.ckpt and scores.json are enough to predict
            return None

    @property
    def began_with_simulation(self) -> bool:
        """Whether any of its models began with weights that were learned from simulated EEG, as far as it says."""
        try:
            if self.is_bundle:
                return bool(bundle_config(self.path).get("began_with_simulation"))
            return any(self.start_of(fold).get("simulated") for fold in self.folds)
        except DataError:
            return False

    @property
    def is_student(self) -> bool:
        """Whether its models learned from a teacher, or began with weights that had, as far as it says."""
        if self.is_bundle:
            return bool(bundle_config(self.path).get("student"))
        return self.config is not None and bool(teachers(self.config) or self.start_of(self.folds[0]).get("student"))


def trained(path: Path) -> Trained:
    """What `path` names, with the folds that it predicts by. Raises DataError as `folds_to_predict_by` does."""
    return Trained(path, folds_to_predict_by(path))
