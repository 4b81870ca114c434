"""Read the header of an EDF or BDF file; a damaged header is refused, even if other readers would accept it.

Source: Kemp et al. 1992 (EDF), Kemp and Olivan 2003 (EDF+), edfplus.info.
"""

import math
import re
from pathlib import Path
from typing import NamedTuple

from hms.errors import DataError

_FIELDS = {"label": 16, "transducer": 80, "dimension": 8, "physical_min": 8, "physical_max": 8, "digital_min": 8,
           "digital_max": 8, "prefilter": 80, "samples": 8, "reserved": 32}  # fmt: skip
_NUMBER = re.compile(r"[+-]?(\d+[.,]?\d*|[.,]\d+)([eE][+-]?\d+)?", re.ASCII)


class ValueRange(NamedTuple):
    """The range of a signal's values, in its physical dimension and as stored."""

    physical_min: float
    physical_max: float
    digital_min: float
    digital_max: float


class Signal(NamedTuple):
    """What a header says about one channel, which EDF calls a signal."""

    label: str
    dimension: str
    """Physical unit as written, or empty."""
    range: ValueRange
    prefilter: str
    """Filters as written, or empty."""
    samples: int
    """Per record."""


class Header(NamedTuple):
    """The contents of a header."""

    signals: list[Signal]
    """All of them, annotation channels included."""
    record_s: float
    records: int
    """Complete records in the file."""
    declared: int
    """Number of records according to the header; below 1 if the header does not know it."""
    spare: int
    """Bytes after the last complete record."""
    kind: str
    """`EDF+C` or `BDF+C` if no time is missing between records, `EDF+D` or `BDF+D` if some is."""
    size: int
    """Bytes of the header."""
    sample_bytes: int
    """2 in EDF, 3 in BDF."""

    def sfreq_hz(self, signal: Signal) -> float:
        """Sampling rate of a signal."""
        return signal.samples / self.record_s


def read_header(path: Path) -> Header:
    """Read the header of an EDF, EDF+, BDF or BDF+ file.

    Raises DataError if the file is of another format, truncated or damaged.
    """
    with path.open("rb") as file:
        first = file.read(256)
        version = first[:8]
        if not (version == b"\xffBIOSEMI" or version.strip(b" \0") == b"0"):
            raise DataError(f"{path}: not an EDF or BDF file (it begins with {version.decode('latin-1')!r})")
        declared = _whole(path, "number of records", first[236:244], -1)
        count = _whole(path, "number of channels", first[252:256], 1)
        declared_size, size = _whole(path, "number of bytes", first[184:192], 0), 256 * (count + 1)
        if declared_size != size:
            raise DataError(f"{path}: header: want {size} bytes for {count} channel(s), got {declared_size}")
        fields = {name: [file.read(width) for _ in range(count)] for name, width in _FIELDS.items()}
    if not fields["reserved"][-1]:
        raise DataError(f"{path}: the header is truncated")
    record_s = _number(path, "duration of a record", first[244:252])
    if record_s <= 0:
        raise DataError(f"{path}: header: duration of a record: want more than 0 s, got {record_s:g}")
    signals = [_signal(path, dict(zip(fields, texts, strict=True))) for texts in zip(*fields.values(), strict=True)]
    sample_bytes = 3 if version[0] == 0xFF else 2
    data_bytes, record_bytes = path.stat().st_size - size, sum(signal.samples for signal in signals) * sample_bytes
    records, spare = divmod(data_bytes, record_bytes) if record_bytes else (0, data_bytes)
    if records < 1:
        raise DataError(f"{path}: holds no samples (it ends within or right after its header)")
    return Header(
        signals=signals,
        record_s=record_s,
        records=records,
        declared=declared,
        spare=spare,
        kind=first[192:197].decode("latin-1"),
        size=size,
        sample_bytes=sample_bytes,
    )


def _signal(path: Path, field: dict[str, bytes]) -> Signal:
    """A signal by what its fields hold."""
    label, dimension, prefilter = (
        field[name].strip().decode("latin-1") for name in ("label", "dimension", "prefilter")
    )
    ends = (_number(path, f"{name} of '{label}'", field[name]) for name in ValueRange._fields)
    samples = _whole(path, f"samples of '{label}'", field["samples"], 0)
    return Signal(label, dimension, ValueRange(*ends), prefilter, samples)


def want_range(path: Path, header: Header, signal: Signal) -> None:
    """Raise DataError if a signal's range does not determine its physical values."""
    place, given = f"{path}: header: '{signal.label}'", signal.range
    limit = 2 ** (8 * header.sample_bytes - 1)
    if not -limit <= given.digital_min < given.digital_max < limit:
        raise DataError(
            f"{place}: want digital_min below digital_max, from {-limit} to {limit - 1}, "
            f"got {given.digital_min:g} and {given.digital_max:g}"
        )
    if given.physical_min == given.physical_max:
        raise DataError(f"{place}: want physical_min and physical_max to differ, got {given.physical_min:g} for both")


def _number(path: Path, name: str, text: bytes) -> float:
    plain = text.decode("latin-1").strip(" \0")
    number = float(plain.replace(",", ".")) if _NUMBER.fullmatch(plain) else math.nan
    if not math.isfinite(number):
        raise DataError(f"{path}: header: {name}: want a number, got {plain!r}")
    return number


def _whole(path: Path, name: str, text: bytes, least: int) -> int:
    number = _number(path, name, text)
    if not number >= least or number % 1:
        raise DataError(f"{path}: header: {name}: want a whole number from {least}, got {number:g}")
    return int(number)
