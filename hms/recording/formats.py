"""Open the EEG channels of one file, in µV, from any format that MNE-Python reads; samples are read on demand."""

import warnings
from collections.abc import Mapping, Sequence
from itertools import compress
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from hms.data.files import read_eeg
from hms.electrodes import ELECTRODES, SCALP, SFREQ_HZ
from hms.errors import DataError, first_line
from hms.recording.annotations import annotations_of
from hms.recording.channels import (
    UNITS_UV,
    Channel,
    channels_to_read,
    mapped_leads,
    numbered,
    unit_of,
)
from hms.recording.edf import Header, read_header, want_range
from hms.recording.labels import EKG
from hms.recording.meanings import Meanings, meanings_of
from hms.recording.source import Source, Span
from hms.recording.spans import spans_of
from hms.recording.start import start_of

_VOLTS = {"uV": 1e-6, "mV": 1e-3, "V": 1.0}
_SCALED_BY_MNE = {"uV": "uV", "µV": "uV", "μV": "uV", "\x83\xcaV": "uV", "mV": "mV"}
"""Dimensions of an EDF file that MNE converts to volts; it takes values of any other to be volts."""

_SLOWEST_HZ, _FASTEST_HZ = 50, 20_000
"""Rates of EEG recorders; the slowest still covers the delta to beta bands."""

_LARGEST_UV = 1e9
"""Values beyond a kilovolt do not come from a body: they are damaged."""

_IRRELEVANT = ("not unique", "filters", "cutoff", "naming conventions", "annotation(s) that were")
"""Words of MNE's warnings about what is not used here, or noted in our own words."""


def open_source(path: Path, unit: str | None, channels: Mapping[Any, str] | None) -> Source:
    """Open the channels of the file at `path`; `unit` overrides the one that the file gives (None: as it says).

    `channels` says what channels measure whose names do not. Raises DataError if the file is not a recording or holds
    no EEG, UserError as `mapped_leads`.
    """
    mapped = mapped_leads(channels)
    if not path.exists():
        raise DataError(f"{path}: no such file")
    if path.suffix == ".parquet":
        eeg = read_eeg(path, in_uv=unit is None, may_lack_channels=True).T.astype(float)
        eeg *= 1.0 if unit is None else UNITS_UV[unit]
        found = meanings_of(ELECTRODES, mapped)
        known = [(i, lead) for i, lead in enumerate(found.leads) if lead]
        eeg, whole = eeg[[i for i, _ in known]], [Span(0, 0, eeg.shape[1])]
        leads = [lead for _, lead in known]
        return Source(leads, SFREQ_HZ, whole, None, [], found.notes(), found, lambda first, last: eeg[:, first:last])
    header = _header(path)
    meanings = None if header is None else meanings_of(numbered(header.labels), mapped)
    opened = [] if header is None or meanings is None else _labels_to_open(path, header, meanings)
    raw, notes = _open(path, header, opened)
    meanings = meanings or meanings_of(raw.ch_names, mapped)
    there = [header is None or header.labels[i] in opened for i in range(len(meanings.labels))]
    read_of, label_notes = channels_to_read(
        [*compress(meanings.labels, there)], [*compress(meanings.leads, there)], raw.info["bads"]
    )
    if not read_of:
        raise DataError(f"{path}: {meanings.no_eeg}")
    to_uv, unit_notes = _to_uv(path, header, opened, raw, read_of, unit)
    if not _SLOWEST_HZ <= raw.info["sfreq"] <= _FASTEST_HZ:
        raise DataError(
            f"{path}: want a sampling rate of {_SLOWEST_HZ} to {_FASTEST_HZ:,} Hz, got {raw.info['sfreq']:g} Hz"
        )
    spans, gap_notes = spans_of(path, header, raw)

    def read(first: int, last: int) -> Float[np.ndarray, "channel time"]:
        values = np.full((len(read_of), last - first), np.nan)
        for span in spans:
            begin, end = max(first, span.at), min(last, span.at + span.length)
            if begin < end:
                shift = span.stored_at - span.at
                values[:, begin - first : end - first] = _samples(path, raw, read_of, begin + shift, end + shift)
        with np.errstate(over="ignore"):
            values *= to_uv[:, None]
        values[~(np.abs(values) < _LARGEST_UV)] = np.nan
        return values

    start, start_notes = start_of(path, raw)
    notes += [*meanings.notes(), *label_notes, *unit_notes, *gap_notes, *start_notes]
    leads, rate = [channel.lead for channel in read_of], float(raw.info["sfreq"])
    annotations = annotations_of(path, header, raw, spans)
    return Source(leads, rate, spans, start, annotations, notes, meanings, read)


def labels_of(path: Path) -> list[str]:
    """The unique labels of all channels of a file. Raises DataError if it is not a recording."""
    if path.suffix == ".parquet":
        return [*ELECTRODES]
    header = _header(path)
    return [*_open(path, None, [])[0].ch_names] if header is None else numbered(header.labels)


def _header(path: Path) -> Header | None:
    """The header of an EDF or BDF file, None for another format."""
    try:
        return read_header(path) if path.suffix.lower() in (".edf", ".bdf") else None
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({first_line(error)})") from None


def _open(path: Path, header: Header | None, labels: list[str]) -> tuple[Any, list[str]]:
    """Open a file with MNE-Python; return its `Raw` object and its relevant warnings.

    Of EDF and BDF, only channels with one of the `labels` are opened: MNE would resample all channels to the highest
    rate among them.
    """
    import mne  # slow to import

    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            if header is None:
                raw = mne.io.read_raw(path, preload=False, verbose="warning")
            else:
                reader = mne.io.read_raw_bdf if header.sample_bytes == 3 else mne.io.read_raw_edf
                raw = reader(path, include=labels, preload=False, encoding="latin1", verbose="warning")
    except Exception as error:  # MNE's readers raise all kinds
        raise DataError(f"{path}: cannot be read ({_reason(path, error)})") from None
    lines = [first_line(warning.message) for warning in caught if isinstance(warning.message, RuntimeWarning)]
    return raw, [line for line in lines if not any(word in line for word in _IRRELEVANT)]


def _reason(path: Path, error: Exception) -> str:
    """Why MNE-Python cannot open a file, and what to open instead."""
    if path.suffix.lower() == ".eeg":  # MNE takes it to be Nihon Kohden's
        header = path.with_suffix(".vhdr")
        named = f"'{header.name}'" if header.exists() else "the .vhdr file that names it"
        return f"not a file of Nihon Kohden; if it is BrainVision's, open {named}"
    if isinstance(error, AssertionError) or "Unsupported file type" in str(error):
        return f"no reader of MNE-Python recognises this '{path.suffix}' file"
    return first_line(error)


def _labels_to_open(path: Path, header: Header, meanings: Meanings) -> list[str]:
    """Labels of the channels that have a meaning; off the scalp, only of those at the scalp's rate."""
    leads = {i: lead for i, lead in enumerate(meanings.leads) if lead}
    scalp = {header.labels[i] for i, lead in leads.items() if not {*lead}.isdisjoint(SCALP)}
    rates = {header.sfreq_hz(i) for i, label in enumerate(header.labels) if label in scalp}
    if not rates:
        raise DataError(f"{path}: {meanings.no_eeg}")
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
            return raw.get_data([channel.place for channel in channels], first, last, verbose="error")
    except Exception as error:  # MNE's readers raise all kinds
        raise DataError(f"{path}: cannot be read to its end ({first_line(error)})") from None


def _to_uv(
    path: Path, header: Header | None, opened: Sequence[str], raw: Any, channels: list[Channel], unit: str | None
) -> tuple[Float[np.ndarray, " channel"], list[str]]:
    """Factors that convert MNE's values to µV, and notes on unknown units; of a `header`, the labels `opened`."""
    if header is None:
        if unit is None:
            return np.full(len(channels), 1e6), []
        default = "V" if ".fif" in path.suffixes else "uV"  # the unit of files that do not give one
        claims = [unit_of(raw._orig_units.get(raw.ch_names[channel.place], "")) or default for channel in channels]
        return np.array([1e6 * UNITS_UV[unit] / UNITS_UV[claim] for claim in claims]), []
    dimensions = [text for label, text in zip(header.labels, header.dimensions, strict=True) if label in opened]
    factors, unknown = [], []
    for channel in channels:
        as_stored = 1 / _VOLTS[_SCALED_BY_MNE.get(dimensions[channel.place], "V")]
        known = unit or unit_of(dimensions[channel.place])
        factors.append(as_stored * UNITS_UV[known or "uV"])
        if known is None and channel.lead != EKG:
            unknown.append(channel.label)
    if not unknown:
        return np.array(factors), []
    names = ", ".join(unknown[:3]) + (" ..." if len(unknown) > 3 else "")
    return np.array(factors), [f"The file gives no unit of voltage for {names}: its values are taken to be µV."]
