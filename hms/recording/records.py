"""Whether the records of an EDF or BDF file are as its header says, and when each of them began.

MNE-Python reads the samples; it takes every file for continuous, and its records for as many as fit into the file.
"""

from pathlib import Path

import numpy as np
from jaxtyping import Float

from hms.errors import DataError
from hms.recording.edf import Header

_ANNOTATIONS = ("EDF Annotations", "BDF Annotations")
_LONGEST_S = 400 * 86_400
_ONSET_BYTES = 32  # of a record's first annotation, which says when the record began: `+12.5`
_LOOK = 2_000_000  # samples
_SMOOTH = 2.0
"""Times as far as neighbours do samples differ that are far apart, in a signal that can tell where records end. There
it goes on as from sample to sample; where records are taken for longer or shorter than they are, it jumps as between
samples far apart, or to another channel."""


def record_starts_s(path: Path, header: Header) -> Float[np.ndarray, " record"] | None:
    """When each record began, in s from the first; None where the file does not say (it is continuous then).

    Raises DataError where a record begins before the one before it has ended, and where what the file holds are not
    surely the records of which its header tells.
    """
    starts_s = _starts_s(path, header)
    is_whole = header.records == header.told and not header.spare
    if starts_s is None and not is_whole and not _goes_on(path, header):
        raise DataError(
            f"{path}: want {header.told} record(s) of {_of_record(header)} bytes, as its header says, got "
            f"{header.records} and {header.spare} bytes; and the signals do not go on from one to the next"
        )
    return None if starts_s is None else starts_s - starts_s[0]


def _starts_s(path: Path, header: Header) -> Float[np.ndarray, " record"] | None:
    stamps = [i for i, label in enumerate(header.labels) if label in _ANNOTATIONS]
    if not stamps:
        if header.kind.endswith("+D"):
            raise DataError(
                f"{path}: want a channel '{_ANNOTATIONS[0]}' in a discontinuous file ({header.kind}), got none"
            )
        return None
    before = sum(header.samples[: stamps[0]]) * header.sample_bytes
    width = min(_ONSET_BYTES, header.samples[stamps[0]] * header.sample_bytes)
    held = np.array(_records(path, header)[:, before : before + width])
    if not held.any():
        return None  # without time-keeping a file is continuous
    try:
        starts = np.array([float(bytes(one).partition(b"\x14")[0]) for one in held])
    except ValueError:
        if not header.kind.endswith("+D"):
            return None
        raise DataError(f"{path}: not every record says when it began: the header is damaged, or a record is") from None
    if not np.isfinite(starts).all() or np.ptp(starts) > _LONGEST_S:
        raise DataError(f"{path}: the times of its records are damaged: they reach over {np.ptp(starts):g} s")
    apart_s = np.diff(starts)
    early = np.flatnonzero(apart_s < header.record_s - 1e-3)
    if len(early):
        record = int(early[0])
        raise DataError(
            f"{path}: record {record + 2} begins at {starts[record + 1]:g} s, before record {record + 1} has ended "
            f"({starts[record] + header.record_s:g} s); the records are not in order"
        )
    usual_s = float(np.median(apart_s)) if len(apart_s) else header.record_s
    if header.kind.endswith("+C") and usual_s > header.record_s + 1e-3:
        raise DataError(
            f"{path}: header: duration of a record: want {usual_s:g} s, after which the next begins in a continuous "
            f"file ({header.kind}), got {header.record_s:g} s"
        )
    return starts


def _goes_on(path: Path, header: Header) -> bool:
    """Whether most signals do from one of the first records to the next, by the upper 16 bits of their samples.

    Only those can tell that change little from sample to sample; without one, what nothing speaks against is believed.
    """
    believed = header.told < 1 and not header.spare
    if header.records == 1:
        return believed
    look = max(2, _LOOK // sum(header.samples))
    found = np.array(_records(path, header)[:look]).reshape(-1, sum(header.samples), header.sample_bytes)
    values = np.ascontiguousarray(found[:, :, -2:]).view("<i2")[:, :, 0].astype(float)
    signals = np.split(values, np.cumsum(header.samples)[:-1], axis=1)
    goes_on = []
    for signal, label in zip(signals, header.labels, strict=True):
        if signal.shape[1] > 1 and label not in _ANNOTATIONS:
            step = max(np.median(np.abs(np.diff(signal))), 1.0)
            far_apart = np.median(np.abs(signal.ravel() - np.roll(signal.ravel(), signal.size // 2)))
            if far_apart > _SMOOTH * step:
                jump = np.median(np.abs(signal[1:, 0] - signal[:-1, -1]))
                goes_on.append(jump**2 < step * far_apart)
    return bool(np.mean(goes_on) > 0.5) if goes_on else believed


def _of_record(header: Header) -> int:
    return sum(header.samples) * header.sample_bytes


def _records(path: Path, header: Header) -> np.ndarray:
    return np.memmap(path, np.uint8, "r", header.size, (header.records, _of_record(header)))
