"""Units of voltage: as users and files write them, and as MNE-Python converts them."""

from hms.errors import UserError, did_you_mean

UNITS_UV = {"nV": 1e-3, "uV": 1.0, "mV": 1e3, "V": 1e6}
"""How many µV each unit is."""

_MICRO = {"µV": "uV", "μV": "uV"}
"""Units as they are written where the keyboard has the letter: the sign for micro, and the Greek letter."""

_IN_FILES = {unit: unit for unit in UNITS_UV} | _MICRO | {"\x83\xcaV": "uV"}  # the last: Shift JIS, read as Latin-1
_IN_UTF_8 = {text.encode().decode("latin-1"): unit for text, unit in _MICRO.items()}
_SPELLED_UV = {text.lower(): UNITS_UV[unit] for text, unit in (_IN_FILES | _IN_UTF_8).items()}
_SCALED_BY_MNE = {text: unit for text, unit in _IN_FILES.items() if unit in ("uV", "mV")}


def uv_named(unit: str) -> float:
    """How many µV the unit is that a user names. Raises UserError, naming the option `unit`, for what is none."""
    if unit not in [*UNITS_UV, *_MICRO]:
        units = ", ".join(map(repr, UNITS_UV))
        raise UserError(f"unit: want {units} or null, got {unit!r}{did_you_mean(unit, UNITS_UV)}")
    return UNITS_UV[_MICRO.get(unit, unit)]


def uv_of(dimension: str) -> float | None:
    """How many µV the unit is that a file's physical dimension stands for; None if it is not a voltage."""
    return _SPELLED_UV.get(dimension.strip(" \0").lower())


def stored_per_read(dimension: str) -> float:
    """The factor from what MNE-Python reads to what an EDF file with this physical dimension stores.

    MNE converts a few dimensions to volts, and takes values of any other to be volts.
    """
    return UNITS_UV["V"] / UNITS_UV[_SCALED_BY_MNE.get(dimension, "V")]
