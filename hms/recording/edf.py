"""What the header of an EDF or BDF file says, and when each of its records began.

MNE-Python reads the samples; it takes every file for continuous and gives all channels the highest rate among them.
Source: Kemp et al. 1992 (EDF), Kemp and Olivan 2003 (EDF+), edfplus.info.
"""

import math
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from hms.errors import DataError

_FIELDS = {"label": 16, "transducer": 80, "dimension": 8, "physical_min": 8, "physical_max": 8, "digital_min": 8,
           "digital_max": 8, "prefilter": 80, "samples": 8, "reserved": 32}  # fmt: skip
_LONGEST_S = 400 * 86_400
_ONSET_BYTES = 32  # of a record's first annotation, which says when the record began: `+12.5`


class Header(NamedTuple):
    """A channel is what the file calls a signal, annotations included."""

    labels: list[str]
    dimensions: list[str]
    """Physical units as written; empty where there is none."""
    samples: list[int]
    """Of each channel in a record."""
    record_s: float
    records: int
    """As many as the file holds, whatever its header says."""
    size: int
    """Bytes of the header."""
    sample_bytes: int
    """2 in EDF, 3 in BDF."""

    def sfreq_hz(self, channel: int) -> float:
        """Sampling rate of a channel."""
        return self.samples[channel] / self.record_s


def read_header(path: Path) -> Header:
    """Of an EDF, EDF+, BDF or BDF+ file. Raises DataError where it is none, or is cut off."""
    with path.open("rb") as file:
        first = file.read(256)
        version = first[:8]
        if not (version == b"\xffBIOSEMI" or version.strip(b" \0") == b"0"):
            raise DataError(f"{path}: no EDF or BDF file (it begins with {version.decode('latin-1')!r})")
        try:
            record_s, count = float(first[244:252]), int(first[252:256])
            fields = {name: [file.read(width).strip().decode("latin-1") for _ in range(count)]
                      for name, width in _FIELDS.items()}  # fmt: skip
            samples = [int(text.strip("\0")) for text in fields["samples"]]
        except ValueError:
            raise DataError(f"{path}: the header is cut off or damaged") from None
    size, sample_bytes = 256 * (count + 1), 3 if version[0] == 0xFF else 2
    of_record = sum(samples) * sample_bytes
    records = (path.stat().st_size - size) // of_record if of_record else 0
    if not 0 < record_s < math.inf or count < 1:
        raise DataError(f"{path}: the header is cut off or damaged")
    if records < 1:
        raise DataError(f"{path}: holds no samples (it ends in or after the header)")
    return Header(fields["label"], fields["dimension"], samples, record_s, records, size, sample_bytes)


def record_starts_s(path: Path, header: Header) -> Float[np.ndarray, " record"] | None:
    """When each record began, in s from the first; None where the file does not say (it is continuous then).

    Raises DataError where a record begins before the one before it has ended.
    """
    stamps = [i for i, label in enumerate(header.labels) if label in ("EDF Annotations", "BDF Annotations")]
    if not stamps:
        return None
    before = sum(header.samples[: stamps[0]]) * header.sample_bytes
    width = min(_ONSET_BYTES, header.samples[stamps[0]] * header.sample_bytes)
    size = sum(header.samples) * header.sample_bytes
    held = np.memmap(path, np.uint8, "r", header.size, (header.records, size))[:, before : before + width]
    try:
        starts = np.array([float(bytes(one).partition(b"\x14")[0]) for one in np.array(held)])
    except ValueError:
        return None  # without time-keeping a file is continuous
    if not np.isfinite(starts).all() or np.ptp(starts) > _LONGEST_S:
        raise DataError(f"{path}: the times of its records are damaged: they reach over {np.ptp(starts):g} s")
    early = np.flatnonzero(np.diff(starts) < header.record_s - 1e-3)
    if len(early):
        record = int(early[0])
        raise DataError(
            f"{path}: record {record + 2} begins at {starts[record + 1]:g} s, before record {record + 1} has ended "
            f"({starts[record] + header.record_s:g} s); the records are not in order"
        )
    return starts - starts[0]
