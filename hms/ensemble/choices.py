"""Options of ensembles, as types; in a module of their own, so that `--help` imports no library."""

from typing import Literal, TypedDict

Mixing = Literal["linear", "geometric", "greedy"]
"""Weighted mean, weighted geometric mean, or weighted mean with weights from greedy selection."""

Calibrate = Literal["none", "temperature", "bias", "temperature_bias"]
"""Which parts of a calibration are fitted; the others change nothing."""

Weigh = Literal["equal", "votes"]
"""Whether a row counts once in a fit, or once per vote."""


class PerClass(TypedDict, total=False):
    """A number for some of the classes: their shares, or factors on their odds."""

    seizure: float
    lpd: float
    gpd: float
    lrda: float
    grda: float
    other: float
