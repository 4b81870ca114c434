"""What can be chosen of an ensemble; apart from the code that does it, so that `--help` waits for no library."""

from typing import Literal

Mixing = Literal["linear", "geometric", "greedy"]
"""The weighted mean, the weighted geometric mean, or a weighted mean whose weights are found by greedy selection."""

Calibrate = Literal["none", "temperature", "bias", "temperature_bias"]
"""What of a calibration is fitted; the rest stays as it changes nothing."""

Weigh = Literal["equal", "votes"]
"""Whether a row counts once in a fit, or as often as it has votes."""
