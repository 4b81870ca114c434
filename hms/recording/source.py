"""The EEG channels of one file, in µV, from any format that MNE-Python reads; samples are read on demand.

Time that was not recorded (the gaps of a discontinuous EDF+, the pauses of a FIF file) is NaN.
"""

import warnings
from collections.abc import Callable
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from hms.electrodes import ELECTRODES, SCALP, SFREQ_HZ
from hms.errors import DataError, first_line
from hms.files import read_eeg
from hms.recording.channels import UNITS_UV, Channel, channels_to_read, unit_of
from hms.recording.duration import duration_text
from hms.recording.edf import Header, read_header, want_range
from hms.recording.labels import EKG, Lead, lead_of
from hms.recording.records import record_starts_s

_VOLTS = {"uV": 1e-6, "mV": 1e-3, "V": 1.0}
_SCALED_BY_MNE = {"uV": "uV", "µV": "uV", "μV": "uV", "\x83\xcaV": "uV", "mV": "mV"}
"""Dimensions of an EDF file that MNE converts to volts; it takes values of any other to be volts."""

_SLOWEST_HZ, _FASTEST_HZ = 50, 20_000
"""Rates of EEG recorders; the slowest still covers the delta to beta bands."""

_LARGEST_UV = 1e9
"""Values beyond a kilovolt do not come from a body: they are damaged."""

_IRRELEVANT = ("not unique", "filters", "cutoff", "naming conventions")
"""Words of MNE's warnings about what is not used here, or noted in our own words."""


class Span(NamedTuple):
    """Samples without a gap: their place in time, their place among the stored samples, and their number."""

    at: int
    stored_at: int
    length: int


class Source(NamedTuple):
    """An open file: its channels, each of them the difference given by its lead."""

    leads: list[Lead]
    sfreq_hz: float
    spans: list[Span]
    start: datetime | None
    notes: list[str]
    """What a user should know about the file, one sentence each."""
    read: Callable[[int, int], Float[np.ndarray, "channel time"]]
    """`read(first, last)` returns samples `first` up to `last` in µV, both within the recording."""

    @property
    def samples(self) -> int:
        """Number of samples from the first to the last, gaps included."""
        return self.spans[-1].at + self.spans[-1].length


def open_source(path: Path, unit: str | None) -> Source:
    """Open the channels of the file at `path`; `unit` overrides the one that the file gives (None: as it says).

    Raises DataError if the file is not a recording or holds no EEG.
    """
    if not path.exists():
        raise DataError(f"{path}: no such file")
    if path.suffix == ".parquet":
        eeg = read_eeg(path, in_uv=unit is None).T.astype(float) * (1.0 if unit is None else UNITS_UV[unit])
        leads = [EKG if name == EKG.anode else Lead(name, "") for name in ELECTRODES]
        return Source(leads, SFREQ_HZ, [Span(0, 0, eeg.shape[1])], None, [], lambda first, last: eeg[:, first:last])
    try:
        header = read_header(path) if path.suffix.lower() in (".edf", ".bdf") else None
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({first_line(error)})") from None
    raw, notes = _open(path, header)
    channels, label_notes = channels_to_read(raw.ch_names, raw.info["bads"])
    if not channels:
        raise DataError(_no_eeg(path, header.labels if header else raw.ch_names))
    to_uv, unit_notes = _to_uv(path, header, raw, channels, unit)
    if not _SLOWEST_HZ <= raw.info["sfreq"] <= _FASTEST_HZ:
        raise DataError(
            f"{path}: want a sampling rate of {_SLOWEST_HZ} to {_FASTEST_HZ:,} Hz, got {raw.info['sfreq']:g} Hz"
        )
    spans, gap_notes = _spans(path, header, raw)

    def read(first: int, last: int) -> Float[np.ndarray, "channel time"]:
        values = np.full((len(channels), last - first), np.nan)
        for span in spans:
            begin, end = max(first, span.at), min(last, span.at + span.length)
            if begin < end:
                shift = span.stored_at - span.at
                values[:, begin - first : end - first] = _samples(path, raw, channels, begin + shift, end + shift)
        with np.errstate(over="ignore"):
            values *= to_uv[:, None]
        values[~(np.abs(values) < _LARGEST_UV)] = np.nan
        return values

    notes += [*label_notes, *unit_notes, *gap_notes]
    return Source([one.lead for one in channels], float(raw.info["sfreq"]), spans, raw.info["meas_date"], notes, read)


def _open(path: Path, header: Header | None) -> tuple[Any, list[str]]:
    """Open a file with MNE-Python; return its `Raw` object and its relevant warnings.

    Of EDF and BDF, only relevant channels are opened: MNE would resample all channels to the highest rate among them.
    """
    import mne  # slow to import

    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            if header is None:
                raw = mne.io.read_raw(path, preload=False, verbose="warning")
            else:
                reader = mne.io.read_raw_bdf if header.sample_bytes == 3 else mne.io.read_raw_edf
                labels = _labels_to_open(path, header)
                raw = reader(path, include=labels, preload=False, encoding="latin1", verbose="warning")
    except DataError:
        raise
    except Exception as error:  # MNE's readers raise all kinds
        raise DataError(f"{path}: cannot be read ({first_line(error)})") from None
    lines = [first_line(one.message) for one in caught if isinstance(one.message, RuntimeWarning)]
    return raw, [line for line in lines if not any(word in line for word in _IRRELEVANT)]


def _labels_to_open(path: Path, header: Header) -> list[str]:
    """Labels of the channels whose label has a meaning; off the scalp, only of those at the scalp's rate."""
    leads = {i: lead for i, label in enumerate(header.labels) if (lead := lead_of(label))}
    rates = {header.sfreq_hz(i) for i, lead in leads.items() if not {*lead}.isdisjoint(SCALP)}
    if not rates:
        raise DataError(_no_eeg(path, header.labels))
    if len(rates) > 1:
        rates_hz = " and ".join(f"{rate:g}" for rate in sorted(rates))
        raise DataError(f"{path}: want one sampling rate for all electrodes, got {rates_hz} Hz")
    # By label, because to MNE a label means all channels that have it.
    others = {header.labels[i] for i in leads if header.sfreq_hz(i) not in rates}
    opened = [i for i in leads if header.labels[i] not in others]
    for i in opened:
        want_range(path, header, i)
    return [header.labels[i] for i in opened]


def _samples(path: Path, raw: Any, channels: list[Channel], first: int, last: int) -> Float[np.ndarray, "channel time"]:
    try:
        with np.errstate(all="ignore"):  # values that overflow become missing
            return raw.get_data([one.place for one in channels], first, last, verbose="error")
    except Exception as error:  # MNE's readers raise all kinds
        raise DataError(f"{path}: cannot be read to its end ({first_line(error)})") from None


def _to_uv(
    path: Path, header: Header | None, raw: Any, channels: list[Channel], unit: str | None
) -> tuple[Float[np.ndarray, " channel"], list[str]]:
    """Factors that convert MNE's values to µV, and notes on unknown units."""
    if header is None:
        if unit is None:
            return np.full(len(channels), 1e6), []
        default = "V" if ".fif" in path.suffixes else "uV"  # the unit of files that do not give one
        claims = [unit_of(raw._orig_units.get(raw.ch_names[one.place], "")) or default for one in channels]
        return np.array([1e6 * UNITS_UV[unit] / UNITS_UV[claim] for claim in claims]), []
    opened = {*_labels_to_open(path, header)}
    dimensions = [text for label, text in zip(header.labels, header.dimensions, strict=True) if label in opened]
    factors, unknown = [], []
    for one in channels:
        as_stored = 1 / _VOLTS[_SCALED_BY_MNE.get(dimensions[one.place], "V")]
        known = unit or unit_of(dimensions[one.place])
        factors.append(as_stored * UNITS_UV[known or "uV"])
        if known is None and one.lead != EKG:
            unknown.append(one.label)
    if not unknown:
        return np.array(factors), []
    names = ", ".join(unknown[:3]) + (" ..." if len(unknown) > 3 else "")
    return np.array(factors), [f"The file gives no unit of voltage for {names}: its values are taken to be µV."]


def _spans(path: Path, header: Header | None, raw: Any) -> tuple[list[Span], list[str]]:
    """The stretches that were recorded: by the record times of an EDF+ file, or between the pauses that MNE noted."""
    rate, count = float(raw.info["sfreq"]), int(raw.n_times)
    starts_s = None if header is None else record_starts_s(path, header)
    if header is not None and starts_s is not None:
        size = round(header.record_s * rate)
        firsts = [0, *(np.flatnonzero(np.diff(starts_s) > header.record_s + 1 / rate) + 1).tolist(), header.records]
        spans = [Span(round(starts_s[a] * rate), a * size, (b - a) * size) for a, b in pairwise(firsts)]
    else:
        pauses = [one for one in raw.annotations if one["description"].upper() == "BAD_ACQ_SKIP"]
        begins = [0, *(round((one["onset"] - raw.first_time + one["duration"]) * rate) for one in pauses)]
        ends = [*(round((one["onset"] - raw.first_time) * rate) for one in pauses), count]
        spans = [Span(a, a, b - a) for a, b in zip(begins, ends, strict=True) if b > a]
    missing_s = (spans[-1].at + spans[-1].length - sum(span.length for span in spans)) / rate
    gaps = "1 gap" if len(spans) == 2 else f"{len(spans) - 1} gaps"
    return spans, [f"The recording has {gaps}, {duration_text(missing_s)} in all."] if missing_s else []


def _no_eeg(path: Path, labels: list[str]) -> str:
    names = ", ".join(labels[:6]) + (" ..." if len(labels) > 6 else "")
    return f"{path}: no EEG: none of its {len(labels)} channels is named after a 10-20 electrode ({names})"
