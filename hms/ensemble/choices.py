"""What can be chosen of an ensemble or a prediction; apart from what does it, so that `--help` waits for no library."""

from typing import Literal, TypedDict

Mixing = Literal["linear", "geometric", "greedy"]
"""The weighted mean, the weighted geometric mean, or a weighted mean whose weights are found by greedy selection."""

Calibrate = Literal["none", "temperature", "bias", "temperature_bias"]
"""What of a calibration is fitted; the rest stays as it changes nothing."""

Weigh = Literal["equal", "votes"]
"""Whether a row counts once in a fit, or as often as it has votes."""

Precision = Literal["32-true", "16-mixed", "bf16-mixed"]
"""What models predict in, by Lightning's names: float32, or where it is enough float16 or bfloat16."""


class OfClasses(TypedDict, total=False):
    """A number for some of the classes: their shares, or by what their odds are multiplied."""

    seizure: float
    lpd: float
    gpd: float
    lrda: float
    grda: float
    other: float


TOGETHER = ("ensemble", "temperature", "odds", "adapt")
"""Keys of conf/predictors.yaml that decide what runs predict together; `hms.predictors.read_predictors` takes them."""
