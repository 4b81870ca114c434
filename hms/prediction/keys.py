"""The config keys of the commands that predict; in a module of their own, so that `--help` imports no library."""

from collections.abc import Iterator
from typing import Any, Literal, TypedDict

from hms.ensemble.choices import PerClass

Precision = Literal["32-true", "16-mixed", "bf16-mixed"]
"""Precision of inference, by Lightning's names: float32, or float16 or bfloat16 wherever that is enough."""


class Combination(TypedDict):
    """How several runs predict together: what `predictors_of` reads beside `runs`."""

    ensemble: str | None
    temperature: float | None
    odds: PerClass
    adapt: float
    fold: Literal["all"] | None


class Predicting(Combination):
    """The keys of conf/predictors.yaml; their values live there."""

    batch_size: int
    accelerator: str
    flips: bool
    precision: Precision


COMBINATION_KEYS = tuple(Combination.__annotations__)


def neither_or_both(config: dict[str, Any]) -> Iterator[str]:
    """Yield a line unless a config names either `runs` or an `ensemble`."""
    if (config["runs"] is None) == (config["ensemble"] is None):
        yield f"runs, ensemble: want one of the two, got {'neither' if config['runs'] is None else 'both'}"
