"""Names of the folders of runs and of the folds in them, such as quick-6e9676ef/fold0_seed3, written and read."""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Literal, NamedTuple

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


def folds_with(run: Path, file: str) -> list[Path]:
    """The folders, sorted by name, of the folds in a run's folder that hold `file`, such as scores.json."""
    return sorted(path.parent for path in run.glob(f"fold*_seed*/{file}") if FoldName.parse(path.parent.name))


class Counts(NamedTuple):
    """How many different folds and seeds some trainings have."""

    folds: int
    seeds: int


def counts_of(folds: Iterable[Path]) -> Counts:
    """The counts of some folds' folders, or of a bundle's files; renamed ones, of unknown fold, count as one more."""
    names = [FoldName.parse(fold.stem) for fold in folds]
    return Counts(len({name and name.fold for name in names}), len({name and name.seed for name in names}))
