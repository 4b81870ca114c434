"""What the header of an EDF or BDF file says; a header that is damaged is refused, whatever a reader would make of it.

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


class Range(NamedTuple):
    """The numbers that a channel may hold, in its physical dimension and as they are stored."""

    physical_min: float
    physical_max: float
    digital_min: float
    digital_max: float


class Header(NamedTuple):
    """A channel is what the file calls a signal, annotations included."""

    labels: list[str]
    dimensions: list[str]
    """Physical units as written; empty where there is none."""
    ranges: list[Range]
    samples: list[int]
    """Of each channel in a record."""
    record_s: float
    records: int
    """Whole ones that the file holds."""
    told: int
    """Records that the header tells of; below 1 where it does not know."""
    spare: int
    """Bytes after the last whole record."""
    kind: str
    """`EDF+C` or `BDF+C` where it says that no time is missing between records, `EDF+D` or `BDF+D` where some is."""
    size: int
    """Bytes of the header."""
    sample_bytes: int
    """2 in EDF, 3 in BDF."""

    def sfreq_hz(self, channel: int) -> float:
        """Sampling rate of a channel."""
        return self.samples[channel] / self.record_s


def read_header(path: Path) -> Header:
    """Of an EDF, EDF+, BDF or BDF+ file. Raises DataError where it is none, is cut off or damaged."""
    with path.open("rb") as file:
        first = file.read(256)
        version = first[:8]
        if not (version == b"\xffBIOSEMI" or version.strip(b" \0") == b"0"):
            raise DataError(f"{path}: no EDF or BDF file (it begins with {version.decode('latin-1')!r})")
        told = _whole(path, "number of records", first[236:244], -1)
        count = _whole(path, "number of channels", first[252:256], 1)
        said, size = _whole(path, "number of its bytes", first[184:192], 0), 256 * (count + 1)
        if said != size:
            raise DataError(f"{path}: header: want {size} bytes for {count} channel(s), got {said}")
        fields = {name: [file.read(width) for _ in range(count)] for name, width in _FIELDS.items()}
    if not fields["reserved"][-1]:
        raise DataError(f"{path}: the header is cut off")
    record_s = _number(path, "duration of a record", first[244:252])
    if record_s <= 0:
        raise DataError(f"{path}: header: duration of a record: want more than 0 s, got {record_s:g}")
    labels = [text.strip().decode("latin-1") for text in fields["label"]]
    whose = [f"of '{label}'" for label in labels]
    ranges = (
        [_number(path, f"{name} {one}", text) for one, text in zip(whose, fields[name], strict=True)]
        for name in Range._fields
    )
    samples = [_whole(path, f"samples {one}", text, 0) for one, text in zip(whose, fields["samples"], strict=True)]
    sample_bytes = 3 if version[0] == 0xFF else 2
    held, of_record = path.stat().st_size - size, sum(samples) * sample_bytes
    records, spare = divmod(held, of_record) if of_record else (0, held)
    if records < 1:
        raise DataError(f"{path}: holds no samples (it ends in or after the header)")
    return Header(
        labels,
        [text.strip().decode("latin-1") for text in fields["dimension"]],
        [Range(*one) for one in zip(*ranges, strict=True)],
        samples,
        record_s,
        records,
        told,
        spare,
        first[192:197].decode("latin-1"),
        size,
        sample_bytes,
    )


def want_range(path: Path, header: Header, channel: int) -> None:
    """Raise DataError for a channel whose range leaves open what its numbers mean."""
    place, found = f"{path}: header: '{header.labels[channel]}'", header.ranges[channel]
    limit = 2 ** (8 * header.sample_bytes - 1)
    if not -limit <= found.digital_min < found.digital_max < limit:
        raise DataError(
            f"{place}: want digital_min below digital_max, from {-limit} to {limit - 1}, "
            f"got {found.digital_min:g} and {found.digital_max:g}"
        )
    if found.physical_min == found.physical_max:
        raise DataError(f"{place}: want physical_min and physical_max to differ, got {found.physical_min:g} for both")


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
