"""Check the records of an EDF or BDF file against its header, and find out when each of them began.

MNE-Python reads the samples, but takes every file to be continuous and to hold as many records as fit into it.
"""

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int, UInt8

from hms.errors import DataError
from hms.recording.edf import Header

_ANNOTATIONS = ("EDF Annotations", "BDF Annotations")
_LONGEST_S = 400 * 86_400
_ONSET_BYTES = 32  # of a record's first annotation, its time stamp: `+12.5`
_CHECKED = 2_000_000  # samples
_SMOOTH = 2.0
"""A signal shows where records end if its distant samples differ this many times as much as neighbouring ones. From a
record to the next it then changes no more than from sample to sample; if records are taken to be longer or shorter than
they are, it jumps as between distant samples, or to another channel."""


def record_starts_s(path: Path, header: Header) -> Float[np.ndarray, " record"] | None:
    """When each record began, in s from the first; None if the file does not say, and is therefore continuous.

    Raises DataError if a record begins before the previous one has ended, or if it is doubtful that the file holds the
    records that its header declares.
    """
    starts_s = _starts_s(path, header)
    is_whole = header.records == header.declared and not header.spare
    if starts_s is None and not is_whole and not _is_smooth(path, header):
        raise DataError(
            f"{path}: want {header.declared} record(s) of {_record_bytes(header)} bytes, as its header says, got "
            f"{header.records} and {header.spare} bytes more; the signals are not continuous from one to the next"
        )
    return None if starts_s is None else starts_s - starts_s[0]


def _starts_s(path: Path, header: Header) -> Float[np.ndarray, " record"] | None:
    stamps = [i for i, signal in enumerate(header.signals) if signal.label in _ANNOTATIONS]
    if not stamps:
        if header.kind.endswith("+D"):
            raise DataError(
                f"{path}: want a channel '{_ANNOTATIONS[0]}' in a discontinuous file ({header.kind}), got none"
            )
        return None
    begin, end = _ends(header)[stamps[0] :][:2] * header.sample_bytes
    stored = np.array(_records(path, header)[:, begin : min(end, begin + _ONSET_BYTES)])
    if not stored.any():
        return None  # a file without time stamps is continuous
    try:
        starts = np.array([float(bytes(text).partition(b"\x14")[0]) for text in stored])
    except ValueError:
        if not header.kind.endswith("+D"):
            return None
        raise DataError(f"{path}: not every record says when it began: its header or a record is damaged") from None
    if not np.isfinite(starts).all() or np.ptp(starts) > _LONGEST_S:
        raise DataError(f"{path}: the times of its records are damaged: they span {np.ptp(starts):g} s")
    steps_s = np.diff(starts)
    early = np.flatnonzero(steps_s < header.record_s - 1e-3)
    if len(early):
        record = int(early[0])
        raise DataError(
            f"{path}: record {record + 2} begins at {starts[record + 1]:g} s, before record {record + 1} has ended "
            f"({starts[record] + header.record_s:g} s); the records are not in order"
        )
    usual_s = float(np.median(steps_s)) if len(steps_s) else header.record_s
    if header.kind.endswith("+C") and usual_s > header.record_s + 1e-3:
        raise DataError(
            f"{path}: header: duration of a record: want {usual_s:g} s, after which the next begins in a continuous "
            f"file ({header.kind}), got {header.record_s:g} s"
        )
    return starts


def _is_smooth(path: Path, header: Header) -> bool:
    """Whether most signals run on smoothly across the first records, judged by the upper 16 bits of their samples.

    Only signals that change little from sample to sample can show this; without one, the header is believed if it
    declares no number of records and no bytes are left over.
    """
    plausible = header.declared < 1 and not header.spare
    if header.records == 1:
        return plausible
    *inner, size = _ends(header)[1:].tolist()
    stored = np.array(_records(path, header)[: max(2, _CHECKED // size)]).reshape(-1, size, header.sample_bytes)
    values = np.ascontiguousarray(stored[:, :, -2:]).view("<i2")[:, :, 0].astype(float)
    parts = np.split(values, inner, axis=1)
    smooth = []
    for part, signal in zip(parts, header.signals, strict=True):
        if signal.samples > 1 and signal.label not in _ANNOTATIONS:
            step = max(np.median(np.abs(np.diff(part))), 1.0)
            distant = np.median(np.abs(part.ravel() - np.roll(part.ravel(), part.size // 2)))
            if distant > _SMOOTH * step:
                jump = np.median(np.abs(part[1:, 0] - part[:-1, -1]))
                smooth.append(jump**2 < step * distant)
    return bool(np.mean(smooth) > 0.5) if smooth else plausible


def annotation_bytes(path: Path, header: Header) -> Iterator[UInt8[np.ndarray, "record byte"]]:
    """What each annotation channel of an EDF+ or BDF+ file holds, record by record."""
    for signal, (begin, end) in zip(header.signals, pairwise(_ends(header) * header.sample_bytes), strict=True):
        if signal.label in _ANNOTATIONS:
            yield _records(path, header)[:, begin:end]


def _ends(header: Header) -> Int[np.ndarray, " end"]:
    """Where in a record each signal begins, and where the last one ends, in samples."""
    return np.cumsum([0, *(signal.samples for signal in header.signals)])


def _record_bytes(header: Header) -> int:
    return int(_ends(header)[-1]) * header.sample_bytes


def _records(path: Path, header: Header) -> np.ndarray:
    return np.memmap(path, np.uint8, "r", header.size, (header.records, _record_bytes(header)))
