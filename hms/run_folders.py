"""The folders of runs and of the folds in them, such as quick-6e9676ef/fold0_seed3: their names, and what is finished.

A fold is given by its folder or, in a bundle, by its file of weights. Whoever renames one makes a fold of unknown name.
"""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Literal, NamedTuple

from hms.errors import UserError

WEIGHTS = ".safetensors"
"""The ending of a fold's weights in a bundle."""

_RUN = re.compile(r"(.+)-([0-9a-f]{8})")
_FOLD = re.compile(r"fold(all|0|[1-9][0-9]*)_seed(0|[1-9][0-9]*)")


class RunName(NamedTuple):
    """What a user calls a run, and a hash of all that determines its result, 8 hexadecimal digits."""

    name: str
    digest: str

    def __str__(self) -> str:
        return f"{self.name}-{self.digest}"

    @classmethod
    def parse(cls, text: str) -> "RunName | None":
        """The name and hash that `text` gives; None if it is no such name."""
        found = _RUN.fullmatch(text)
        return found and cls(found[1], found[2])


class FoldName(NamedTuple):
    """What the trainings of a run differ in; their folders, and the weights in a bundle, are named after it."""

    fold: int | Literal["all"]
    """Whose patients are held out; "all" learns from every patient."""
    seed: int

    def __str__(self) -> str:
        return f"fold{self.fold}_seed{self.seed}"

    @classmethod
    def parse(cls, text: str) -> "FoldName | None":
        """The fold and seed that `text` names; None if it is no such name, as that of a renamed folder."""
        found = _FOLD.fullmatch(text)
        return found and cls("all" if found[1] == "all" else int(found[1]), int(found[2]))

    @classmethod
    def of(cls, fold: Path) -> "FoldName | None":
        """The name of a fold; None if it was renamed."""
        return cls.parse(fold.stem if is_member(fold) else fold.name)


def is_member(fold: Path) -> bool:
    """Whether a fold is given by its weights in a bundle, of which it is a member, rather than by its folder."""
    return fold.suffix == WEIGHTS


def model_file(fold: Path) -> Path:
    """The file of a fold's model."""
    return fold if is_member(fold) else fold / "model.ckpt"


def is_finished(fold: Path) -> bool:
    """Whether a fold's training has ended and everything has been written."""
    return (fold / "scores.json").is_file()


def is_evaluation(folder: Path) -> bool:
    """Whether `hms.evaluate` wrote its scores there, and it is no run as well."""
    return (folder / "evaluation.json").is_file() and not finished_folds(folder)


def number_of(fold: Path) -> int | Literal["all"] | None:
    """Whose patients a fold holds out, as in its name; None if it was renamed."""
    name = FoldName.of(fold)
    return name and name.fold


def by_name(folds: Iterable[Path]) -> dict[FoldName, Path]:
    """Folds by their names, without renamed ones."""
    return {name: fold for fold in folds if (name := FoldName.of(fold))}


def grid(folds: Iterable[Path], numbers: Iterable[int]) -> list[FoldName]:
    """The names of the folds of these numbers, for each seed that one of the folds has other than fold=all."""
    seeds = sorted({name.seed for name in by_name(folds) if name.fold != "all"})
    return [FoldName(number, seed) for seed in seeds for number in numbers]


def folds_with(run: Path, file: str) -> list[Path]:
    """The folders, sorted by name, of the folds in a run's folder that hold `file`, such as scores.json."""
    return sorted(path.parent for path in run.glob(f"fold*_seed*/{file}") if FoldName.parse(path.parent.name))


def finished_folds(run: Path) -> list[Path]:
    """All finished folds of a run, or a fold's own folder; empty if there are none."""
    return [run] if is_finished(run) else folds_with(run, "scores.json")


def teacher_files(run: Path) -> list[Path]:
    """The files of what the folds of a run predicted for a student to learn from."""
    return [fold / "teacher.parquet" for fold in folds_with(run, "teacher.parquet")]


def want_teachers(runs: list[str], place: str) -> None:
    """Raise UserError, which begins with the key's `place`, unless there are runs and a student can learn from each."""
    without = [run for run in runs if not teacher_files(Path(run))]
    if without or not runs:
        wish = "want folders of runs, not patterns or folds, with finished folds"
        raise UserError(f"{place}: {wish}, got {', '.join(without) or 'none'}")


def to_predict_by(folds: list[Path]) -> list[Path]:
    """Those of a run's finished folds that it predicts by: a cross-validation, or without any fold=all."""
    return [fold for fold in folds if number_of(fold) != "all"] or folds


class Counts(NamedTuple):
    """How many different folds and seeds some trainings have."""

    folds: int
    seeds: int


def counts_of(folds: Iterable[Path]) -> Counts:
    """The counts of some folds; renamed ones count as one more."""
    names = [FoldName.of(fold) for fold in folds]
    return Counts(len({name and name.fold for name in names}), len({name and name.seed for name in names}))
