"""Ranges of the numbers that constructors take.

Each function raises ValueError for the first option that is out of range, or NaN: `want_above_0(width_s=width_s)` says
"width_s: want more than 0, got -1".
"""


def want_at_least(least: float, /, **options: float) -> None:
    """Each option is `least` or more."""
    for name, value in options.items():
        if not value >= least:
            raise ValueError(f"{name}: want at least {least}, got {value}")


def want_above_0(**options: float) -> None:
    """Each option is more than 0."""
    for name, value in options.items():
        if not value > 0:
            raise ValueError(f"{name}: want more than 0, got {value}")


def want_probability(**options: float) -> None:
    """Each option is within 0 to 1."""
    for name, value in options.items():
        if not 0 <= value <= 1:
            raise ValueError(f"{name}: want a probability, got {value}")
