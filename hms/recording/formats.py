"""Open the EEG channels of one file, in µV, from any format that MNE-Python reads; samples are read on demand."""

from collections.abc import Mapping, Sequence
from itertools import compress
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from hms.data.files import read_eeg
from hms.electrodes import ELECTRODES, SCALP, SFREQ_HZ
from hms.errors import DataError, first_line
from hms.recording.annotations import annotations_of
from hms.recording.channel_names import EKG, Lead, numbered
from hms.recording.channels import Channel, channels_to_read
from hms.recording.edf import Header, read_header, want_range
from hms.recording.mapping import mapped_leads
from hms.recording.meanings import Meanings, meanings_of
from hms.recording.passband import passband_notes
from hms.recording.reader import Reader, open_raw
from hms.recording.source import Source, Stretch
from hms.recording.start_time import start_time
from hms.recording.stretches import stretches_of
from hms.recording.units import UNITS_UV, stored_per_read, uv_of
from hms.system.console import some

_SLOWEST_HZ, _FASTEST_HZ = 50, 20_000
"""Rates of EEG recorders; the slowest still covers the delta to beta bands."""


def open_source(path: Path, unit: str | None, channels: Mapping[Any, str] | None) -> Source:
    """Open the channels of the file at `path`; `unit` overrides the one that the file gives (None: as it says).

    `channels` says what channels measure whose names do not. Raises DataError if the file is not a recording or holds
    no EEG, UserError as `mapped_leads`.
    """
    mapped = mapped_leads(channels)
    if not path.exists():
        raise DataError(f"{path}: no such file")
    if path.suffix == ".parquet":
        return _of_parquet(path, unit, mapped)
    header = _header(path)
    raw, opened, meanings, read, notes = _channels(path, header, mapped)
    to_uv, unit_notes = _to_uv(path, header, opened, raw, read, unit)
    rate = float(raw.info["sfreq"])
    if not _SLOWEST_HZ <= rate <= _FASTEST_HZ:
        raise DataError(f"{path}: want a sampling rate of {_SLOWEST_HZ} to {_FASTEST_HZ:,} Hz, got {rate:g} Hz")
    stretches, gap_notes = stretches_of(path, header, raw)
    start, start_notes = start_time(path, raw)
    filter_notes = passband_notes(header, opened, raw, read)
    return Source(
        leads=[channel.lead for channel in read],
        sfreq_hz=rate,
        stretches=stretches,
        start=start,
        annotations=annotations_of(path, header, raw, stretches),
        notes=[*notes, *unit_notes, *gap_notes, *start_notes, *filter_notes],
        meanings=meanings,
        read=Reader(path, raw, read, stretches, to_uv).read,
    )


def _of_parquet(path: Path, unit: str | None, mapped: Mapping[str, Lead]) -> Source:
    """An EEG file of the competition, or one in its format: it lies in memory, at 200 Hz and without gaps."""
    eeg = read_eeg(path, in_uv=unit is None).T.astype(float)
    eeg *= 1.0 if unit is None else UNITS_UV[unit]
    meanings = meanings_of(ELECTRODES, mapped)
    eeg = eeg[[i for i, lead in enumerate(meanings.leads) if lead]]
    return Source(
        leads=[lead for lead in meanings.leads if lead],
        sfreq_hz=SFREQ_HZ,
        stretches=[Stretch(0, 0, eeg.shape[1])],
        start=None,
        annotations=[],
        notes=meanings.notes(),
        meanings=meanings,
        read=lambda first, last: eeg[:, first:last],
    )


class _Channels(NamedTuple):
    """What is opened and read of a file."""

    raw: Any
    """MNE-Python's object for the file."""
    opened: list[str]
    """Of an EDF or BDF file, the labels of the channels in `raw`; it has all channels of any other file."""
    meanings: Meanings
    """Those of all channels of the file."""
    read: list[Channel]
    notes: list[str]


def _channels(path: Path, header: Header | None, mapped: Mapping[str, Lead]) -> _Channels:
    """Open a file and choose the channels to read. Raises DataError if none measures an electrode of the scalp."""
    if header is None:
        opened: list[str] = []
        raw, notes = open_raw(path, None, opened)
        meanings = meanings_of(raw.ch_names, mapped)
        there = [True] * len(meanings.labels)
    else:
        meanings = meanings_of(numbered(header.labels), mapped)
        opened = _labels_to_open(path, header, meanings)
        raw, notes = open_raw(path, header, opened)
        there = [label in opened for label in header.labels]
    labels, leads = [*compress(meanings.labels, there)], [*compress(meanings.leads, there)]
    read, label_notes = channels_to_read(labels, leads, raw.info["bads"])
    if not read:
        raise DataError(f"{path}: {meanings.no_eeg}")
    return _Channels(raw, opened, meanings, read, [*notes, *meanings.notes(), *label_notes])


def labels_of(path: Path) -> list[str]:
    """The unique labels of all channels of a file. Raises DataError if it is not a recording."""
    if path.suffix == ".parquet":
        return [*ELECTRODES]
    header = _header(path)
    return [*open_raw(path, None, [])[0].ch_names] if header is None else numbered(header.labels)


def _header(path: Path) -> Header | None:
    """The header of an EDF or BDF file, None for another format."""
    try:
        return read_header(path) if path.suffix.lower() in (".edf", ".bdf") else None
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({first_line(error)})") from None


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


def _to_uv(
    path: Path, header: Header | None, opened: Sequence[str], raw: Any, channels: list[Channel], unit: str | None
) -> tuple[Float[np.ndarray, " channel"], list[str]]:
    """Factors that convert MNE's values to µV, and notes on unknown units.

    Of a file with a `header`, `raw` holds only the channels with one of the labels `opened`.
    """
    given_uv = None if unit is None else UNITS_UV[unit]
    if header is None:
        if given_uv is None:
            return np.full(len(channels), 1e6), []
        default_uv = UNITS_UV["V" if ".fif" in path.suffixes else "uV"]  # of files that do not give a unit
        claims_uv = [uv_of(raw._orig_units.get(raw.ch_names[channel.place], "")) or default_uv for channel in channels]
        return np.array([1e6 * given_uv / claim_uv for claim_uv in claims_uv]), []
    dimensions = [text for label, text in zip(header.labels, header.dimensions, strict=True) if label in opened]
    factors, unknown = [], []
    for channel in channels:
        dimension = dimensions[channel.place]
        known_uv = given_uv or uv_of(dimension)
        factors.append(stored_per_read(dimension) * (known_uv or 1.0))
        if known_uv is None and channel.lead != EKG:
            unknown.append(channel.label)
    if not unknown:
        return np.array(factors), []
    names = some(unknown, 3, "channel")
    return np.array(factors), [f"The file gives no unit of voltage for {names}: its values are taken to be µV."]
