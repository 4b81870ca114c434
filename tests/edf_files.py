"""Write EDF and BDF files to test readers, byte by byte, so that they can break the rules as real files do."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

_STAMP_BYTES = 60


def write_edf(
    path: Path,
    signals: np.ndarray | Sequence[np.ndarray],
    labels: Sequence[str],
    sfreq_hz: float = 256,
    unit: str | Sequence[str] = "uV",
    record_s: float = 1,
    starts_s: Sequence[float] | None = None,
    kind: str = "",
    annotated: Mapping[int, bytes] | None = None,
    prefilter: str | Sequence[str] = "",
) -> Path:
    """Write `signals` (channel time), in units of `unit`; `starts_s`, the start of each record, makes the file EDF+.

    `annotated` holds annotations as EDF+ stores them, by the record that holds them: onset, \\x15 and duration, \\x14,
    text, \\x14 and \\0.
    A `path` ending in .bdf gets 24 bits. Samples that do not fill a whole record are dropped.
    """
    bits, magic = (24, b"\xffBIOSEMI") if path.suffix == ".bdf" else (16, b"0       ")
    samples = round(record_s * sfreq_hz)
    units = [unit] * len(labels) if isinstance(unit, str) else list(unit)
    prefilters = [prefilter] * len(labels) if isinstance(prefilter, str) else list(prefilter)
    records = len(signals[0]) // samples
    whole = np.asarray(signals)[:, : records * samples]
    limit = np.array([float(f"{1.1 * max(np.abs(row).max(), 1e-9):.1e}") for row in whole])
    digital = np.rint(whole / limit[:, None] * (2 ** (bits - 1) - 1)).astype("<i4")
    names, sizes = list(labels), [samples] * len(labels)
    is_plus = starts_s is not None
    if is_plus:
        names.append("BDF Annotations" if bits == 24 else "EDF Annotations")
        units.append("")
        prefilters.append("")
        sizes.append(_STAMP_BYTES * 8 // bits)
    low, high = -(2 ** (bits - 1)), 2 ** (bits - 1) - 1
    ends = [*limit, *[1] * is_plus]
    fields = [
        (names, 16), ([""] * len(names), 80), (units, 8), ([f"{-end:.1e}" for end in ends], 8),
        ([f"{end:.1e}" for end in ends], 8), ([low + (i < len(labels)) for i in range(len(names))], 8),
        ([high] * len(names), 8), (prefilters, 80), (sizes, 8), ([""] * len(names), 32),
    ]  # fmt: skip
    top = [("X X X X", 80), ("Startdate X X X X", 80), ("05.03.24", 8), ("21.30.00", 8), (256 * (len(names) + 1), 8),
           (kind or ("EDF+C" if is_plus else ""), 44), (records, 8), (f"{record_s:g}", 8), (len(names), 4)]  # fmt: skip
    header = magic + b"".join(_field(value, width) for value, width in top)
    header += b"".join(_field(value, width) for values, width in fields for value in values)
    data = []
    for record in range(records):
        part = digital[:, record * samples : (record + 1) * samples]
        data.append(np.ascontiguousarray(part).view(np.uint8).reshape(*part.shape, 4)[..., : bits // 8].tobytes())
        if is_plus:
            size = sizes[-1] * bits // 8
            stamp = f"+{starts_s[record]:.10g}\x14\x14\0".encode() + (annotated or {}).get(record, b"")
            data.append(stamp.ljust(size, b"\0"))
    path.write_bytes(header + b"".join(data))
    return path


def _field(value: object, width: int) -> bytes:
    return str(value).encode("latin-1")[:width].ljust(width)
