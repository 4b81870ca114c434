"""The EEG channels of one file, in µV, in any format that MNE-Python reads; only what is asked for is read.

What is missing in time (the gaps of a discontinuous EDF+, the pauses of a FIF file) is NaN.
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
from hms.recording.channels import UNITS_UV, Channel, chosen, unit_of
from hms.recording.edf import Header, read_header, want_range
from hms.recording.labels import EKG, Lead, lead_of
from hms.recording.records import record_starts_s

_VOLTS = {"uV": 1e-6, "mV": 1e-3, "V": 1.0}
_OF_MNE = {"uV": "uV", "µV": "uV", "μV": "uV", "\x83\xcaV": "uV", "mV": "mV"}
"""Dimensions of an EDF file that MNE turns into volts; it takes every other number for volts as it is."""

_SLOWEST_HZ, _FASTEST_HZ = 50, 20_000
"""Of recorders of EEG; the slowest still has the delta to beta bands."""

_LARGEST_UV = 1e9
"""Beyond a kilovolt a number is no sample of a body, and damaged."""

_NO_MATTER = ("not unique", "filters", "cutoff", "naming conventions")
"""Words of warnings about what is not used here, or told otherwise."""


class Span(NamedTuple):
    """Samples without a gap: where in time, where among those that are stored, how many."""

    at: int
    stored_at: int
    length: int


class Source(NamedTuple):
    """Channels that can be read, each the difference that its lead says."""

    leads: list[Lead]
    sfreq_hz: float
    spans: list[Span]
    start: datetime | None
    notes: list[str]
    """What to know about the file, a sentence each."""
    read: Callable[[int, int], Float[np.ndarray, "channel time"]]
    """µV of the samples from the first up to the last of two numbers within the recording."""

    @property
    def samples(self) -> int:
        """From the first to the last, gaps included."""
        return self.spans[-1].at + self.spans[-1].length


def open_source(path: Path, unit: str | None) -> Source:
    """The channels of the file at `path`; its numbers are in `unit` whatever the file says (None: as it says).

    Raises DataError for what is no recording or holds no EEG.
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
    raw, notes = _opened(path, header)
    channels, of_labels = chosen(raw.ch_names, raw.info["bads"])
    if not channels:
        raise DataError(_no_eeg(path, header.labels if header else raw.ch_names))
    to_uv, of_units = _to_uv(path, header, raw, channels, unit)
    if not _SLOWEST_HZ <= raw.info["sfreq"] <= _FASTEST_HZ:
        raise DataError(
            f"{path}: want a sampling rate of {_SLOWEST_HZ} to {_FASTEST_HZ:,} Hz, got {raw.info['sfreq']:g} Hz"
        )
    spans, of_spans = _spans(path, header, raw)

    def read(first: int, last: int) -> Float[np.ndarray, "channel time"]:
        found = np.full((len(channels), last - first), np.nan)
        for span in spans:
            begin, end = max(first, span.at), min(last, span.at + span.length)
            if begin < end:
                moved = span.stored_at - span.at
                found[:, begin - first : end - first] = _samples(path, raw, channels, begin + moved, end + moved)
        with np.errstate(over="ignore"):
            found *= to_uv[:, None]
        found[~(np.abs(found) < _LARGEST_UV)] = np.nan
        return found

    return Source(
        [one.lead for one in channels],
        float(raw.info["sfreq"]),
        spans,
        raw.info["meas_date"],
        [*notes, *of_labels, *of_units, *of_spans],
        read,
    )


def _opened(path: Path, header: Header | None) -> tuple[Any, list[str]]:
    """What MNE makes of a file, and its warnings.

    Of EDF and BDF only channels with a meaning are opened: MNE would give all of them the highest rate of any.
    """
    import mne  # takes long to import

    try:
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            if header is None:
                raw = mne.io.read_raw(path, preload=False, verbose="warning")
            else:
                reader = mne.io.read_raw_bdf if header.sample_bytes == 3 else mne.io.read_raw_edf
                names = _worth_opening(path, header)
                raw = reader(path, include=names, preload=False, encoding="latin1", verbose="warning")
    except DataError:
        raise
    except Exception as error:  # whatever a reader of MNE stumbles over
        raise DataError(f"{path}: cannot be read ({first_line(error)})") from None
    said = [first_line(one.message) for one in told if isinstance(one.message, RuntimeWarning)]
    return raw, [line for line in said if not any(word in line for word in _NO_MATTER)]


def _worth_opening(path: Path, header: Header) -> list[str]:
    """Labels of the channels with a meaning; others than the scalp's only at the rate of those."""
    leads = {i: lead for i, label in enumerate(header.labels) if (lead := lead_of(label))}
    rates = {header.sfreq_hz(i) for i, lead in leads.items() if not {*lead}.isdisjoint(SCALP)}
    if not rates:
        raise DataError(_no_eeg(path, header.labels))
    if len(rates) > 1:
        rates_hz = " and ".join(f"{rate:g}" for rate in sorted(rates))
        raise DataError(f"{path}: want one sampling rate for all electrodes, got {rates_hz} Hz")
    # By their names, as MNE takes a name for all channels that have it.
    others = {header.labels[i] for i in leads if header.sfreq_hz(i) not in rates}
    read = [i for i in leads if header.labels[i] not in others]
    for i in read:
        want_range(path, header, i)
    return [header.labels[i] for i in read]


def _samples(path: Path, raw: Any, channels: list[Channel], first: int, last: int) -> Float[np.ndarray, "channel time"]:
    try:
        with np.errstate(all="ignore"):  # what overflows is missing
            return raw.get_data([one.place for one in channels], first, last, verbose="error")
    except Exception as error:  # whatever a reader of MNE stumbles over
        raise DataError(f"{path}: cannot be read to its end ({first_line(error)})") from None


def _to_uv(
    path: Path, header: Header | None, raw: Any, channels: list[Channel], unit: str | None
) -> tuple[Float[np.ndarray, " channel"], list[str]]:
    """What turns MNE's numbers into µV."""
    if header is None:
        if unit is None:
            return np.full(len(channels), 1e6), []
        usual = "V" if ".fif" in path.suffixes else "uV"  # how numbers stand in files that do not say
        claims = [unit_of(raw._orig_units.get(raw.ch_names[one.place], "")) or usual for one in channels]
        return np.array([1e6 * UNITS_UV[unit] / UNITS_UV[claim] for claim in claims]), []
    opened = {*_worth_opening(path, header)}
    said = [unit for label, unit in zip(header.labels, header.dimensions, strict=True) if label in opened]
    factors, unknown = [], []
    for one in channels:
        number = 1 / _VOLTS[_OF_MNE.get(said[one.place], "V")]
        known = unit or unit_of(said[one.place])
        factors.append(number * UNITS_UV[known or "uV"])
        if known is None and one.lead != EKG:
            unknown.append(one.label)
    if not unknown:
        return np.array(factors), []
    names = ", ".join(unknown[:3]) + (" ..." if len(unknown) > 3 else "")
    return np.array(factors), [f"The file gives no unit of voltage for {names}: its numbers are taken as µV."]


def _spans(path: Path, header: Header | None, raw: Any) -> tuple[list[Span], list[str]]:
    """Where there are samples: by the times of an EDF+ file's records, or but for the pauses that MNE noted."""
    rate, count = float(raw.info["sfreq"]), int(raw.n_times)
    starts_s = None if header is None else record_starts_s(path, header)
    if header is not None and starts_s is not None:
        of_record = round(header.record_s * rate)
        firsts = [0, *(np.flatnonzero(np.diff(starts_s) > header.record_s + 1 / rate) + 1).tolist(), header.records]
        spans = [Span(round(starts_s[a] * rate), a * of_record, (b - a) * of_record) for a, b in pairwise(firsts)]
    else:
        pauses = [one for one in raw.annotations if one["description"].upper() == "BAD_ACQ_SKIP"]
        begins = [0, *(round((one["onset"] - raw.first_time + one["duration"]) * rate) for one in pauses)]
        ends = [*(round((one["onset"] - raw.first_time) * rate) for one in pauses), count]
        spans = [Span(a, a, b - a) for a, b in zip(begins, ends, strict=True) if b > a]
    missing_s = (spans[-1].at + spans[-1].length - sum(span.length for span in spans)) / rate
    return spans, [f"The recording has {len(spans) - 1} gap(s) of {missing_s:g} s in all."] if missing_s else []


def _no_eeg(path: Path, labels: list[str]) -> str:
    names = ", ".join(labels[:6]) + (" ..." if len(labels) > 6 else "")
    return f"{path}: no EEG: none of its {len(labels)} channels is named as an electrode of the 10-20 system ({names})"
