"""Options of ensembles and predictions, as types; in a module of their own, so that `--help` imports no library."""

from typing import Literal, TypedDict

Mixing = Literal["linear", "geometric", "greedy"]
"""Weighted mean, weighted geometric mean, or weighted mean with weights from greedy selection."""

Calibrate = Literal["none", "temperature", "bias", "temperature_bias"]
"""Which parts of a calibration are fitted; the others change nothing."""

Weigh = Literal["equal", "votes"]
"""Whether a row counts once in a fit, or once per vote."""

Precision = Literal["32-true", "16-mixed", "bf16-mixed"]
"""Precision of inference, by Lightning's names: float32, or float16 or bfloat16 wherever that is enough."""


class PerClass(TypedDict, total=False):
    """A number for some of the classes: their shares, or factors on their odds."""

    seizure: float
    lpd: float
    gpd: float
    lrda: float
    grda: float
    other: float


PREDICTOR_KEYS = ("ensemble", "temperature", "odds", "adapt")
"""Keys of conf/predictors.yaml on how several runs predict together, which `read_predictors` takes."""
