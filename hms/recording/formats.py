"""Open the EEG channels of one file, in µV, from any format that MNE-Python reads; samples are read on demand.

What the file says about each of its channels is gathered by the opener of its format; from there on, all are alike, and
so is what MNE-Python has opened already.
"""

import math
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from hms.data.files import read_eeg
from hms.electrodes import ELECTRODES, SCALP, SFREQ_HZ
from hms.errors import DataError, first_line
from hms.recording.annotations import annotations_of
from hms.recording.channel_names import EKG, Lead, numbered
from hms.recording.channels import Channel, channels_to_read, uv_per_read
from hms.recording.edf import Header, read_header, want_range
from hms.recording.meanings import Meanings, meanings_of
from hms.recording.options import ReadingOptions
from hms.recording.passband import Passband, passband_notes, passband_of
from hms.recording.reader import Reader, open_raw
from hms.recording.source import Source, Stretch
from hms.recording.times import RECORDING_HAS, start_time, stretches_of
from hms.recording.units import UNITS_UV, stored_per_read, uv_of

_SLOWEST_HZ, _FASTEST_HZ = 50, 20_000
"""Rates of EEG recorders; the slowest still covers the delta to beta bands."""


def open_source(path: Path, options: ReadingOptions) -> Source:
    """Open the channels of the file at `path`. Raises DataError if it is not a recording or holds no EEG."""
    _want_content(path)
    if path.suffix == ".parquet":
        return _of_parquet(path, options)
    if header := _header(path):
        return _source(path, header, _of_edf(path, header, options.leads), options)
    raw, notes = open_raw(path, None, [])
    default_uv = UNITS_UV["V" if ".fif" in path.suffixes else "uV"]  # of files that do not give a unit
    units_uv = {label: uv_of(raw._orig_units.get(label, "")) or default_uv for label in raw.ch_names}
    return _source(path, None, _of_mne(raw, notes, units_uv, options.leads), options)


def source_of(raw: Any, path: Path, options: ReadingOptions) -> Source:
    """The channels of what MNE-Python has opened, under the name of a `path`. Raises DataError if none is EEG."""
    units_uv = dict.fromkeys(raw.ch_names, UNITS_UV["V"])
    return _source(path, None, _of_mne(raw, _joined(path), units_uv, options.leads), options)


def _joined(path: Path) -> list[str]:
    """A note if the file that MNE-Python has opened has gaps at which it joined samples without a mark."""
    for file in (path.with_suffix(ending) for ending in dict.fromkeys((path.suffix, ".vhdr", ".lay"))):
        with suppress(DataError):
            opened = open_source(file, ReadingOptions(unit=None, channels=None))
            if any(stretch.at > stretch.stored_at for stretch in opened.stretches):
                gaps = next(note for note in opened.notes if note.startswith(RECORDING_HAS))
                gaps = f"{file} has {gaps.removeprefix(RECORDING_HAS).removesuffix('.')}"
                return [f"{gaps}, which MNE-Python joins: times after one are too early; give its path."]
    return []


def _source(path: Path, header: Header | None, opened: "_Opened", options: ReadingOptions) -> Source:
    raw, meanings = opened.raw, opened.meanings
    read, label_notes = channels_to_read(opened.channels, [*meanings.leads], raw.info["bads"])
    if not read:
        raise DataError(f"{path}: {meanings.no_eeg}")
    factors, unit_notes = uv_per_read(read, options.unit_uv)
    rate = float(raw.info["sfreq"])
    if not _SLOWEST_HZ <= rate <= _FASTEST_HZ:
        raise DataError(f"{path}: want a sampling rate of {_SLOWEST_HZ} to {_FASTEST_HZ:,} Hz, got {rate:g} Hz")
    stretches, gap_notes = stretches_of(path, header, raw)
    start, start_notes = start_time(path, raw)
    filter_notes = passband_notes(channel.passband for channel in read if channel.lead != EKG)
    return Source(
        leads=[channel.lead for channel in read],
        sfreq_hz=rate,
        stretches=stretches,
        start=start,
        annotations=annotations_of(path, header, raw, stretches),
        notes=[*opened.notes, *meanings.notes(), *label_notes, *unit_notes, *gap_notes, *start_notes, *filter_notes],
        meanings=meanings,
        read=Reader(path, raw, read, stretches, factors).read,
    )


def _of_parquet(path: Path, options: ReadingOptions) -> Source:
    """An EEG file of the competition, or one in its format: it lies in memory, at 200 Hz and without gaps."""
    eeg = read_eeg(path, in_uv=options.unit_uv is None).T.astype(float)
    eeg *= 1.0 if options.unit_uv is None else options.unit_uv
    meanings = meanings_of(ELECTRODES, options.leads)
    eeg = eeg[[lead is not None for lead in meanings.leads.values()]]
    return Source(
        leads=[*filter(None, meanings.leads.values())],
        sfreq_hz=SFREQ_HZ,
        stretches=[Stretch(0, 0, eeg.shape[1])],
        start=None,
        annotations=[],
        notes=meanings.notes(),
        meanings=meanings,
        read=lambda first, last: eeg[:, first:last],
    )


class _Opened(NamedTuple):
    """A file as MNE-Python opens it."""

    raw: Any
    """MNE-Python's object for the file."""
    notes: list[str]
    """Its warnings."""
    meanings: Meanings
    """Those of all channels of the file."""
    channels: list[Channel]
    """Those that have a meaning."""


def _of_mne(raw: Any, notes: list[str], units_uv: Mapping[str, float], mapped: Mapping[str, Lead]) -> _Opened:
    """What MNE-Python opened of any format but EDF and BDF, whose values by each label are stored in such units."""
    meanings = meanings_of(raw.ch_names, mapped)
    passband = Passband(raw.info["highpass"] or math.nan, raw.info["lowpass"] or math.nan)
    channels = [
        Channel(
            place=place,
            label=label,
            lead=lead,
            stored_per_read=UNITS_UV["V"] / units_uv[label],
            unit_uv=units_uv[label],
            passband=passband,
        )
        for place, (label, lead) in enumerate(meanings.leads.items())
        if lead
    ]
    return _Opened(raw, notes, meanings, channels)


def _of_edf(path: Path, header: Header, mapped: Mapping[str, Lead]) -> _Opened:
    """A file whose `header` says what there is to know about its channels."""
    meanings = meanings_of(numbered([signal.label for signal in header.signals]), mapped)
    labels = _labels_to_open(path, header, meanings)
    raw, notes = open_raw(path, header, labels)
    each = zip(header.signals, meanings.leads.items(), strict=True)
    there = [(signal, label, lead) for signal, (label, lead) in each if signal.label in labels]
    channels = [
        Channel(
            place=place,
            label=label,
            lead=lead,
            stored_per_read=stored_per_read(signal.dimension),
            unit_uv=uv_of(signal.dimension),
            passband=passband_of(signal.prefilter),
        )
        for place, (signal, label, lead) in enumerate(there)
        if lead
    ]
    return _Opened(raw, notes, meanings, channels)


def labels_of(path: Path) -> list[str]:
    """The unique labels of all channels of a file. Raises DataError if it is not a recording."""
    _want_content(path)
    if path.suffix == ".parquet":
        return [*ELECTRODES]
    if (header := _header(path)) is None:
        return [*open_raw(path, None, [])[0].ch_names]
    return numbered([signal.label for signal in header.signals])


def _want_content(path: Path) -> None:
    """Raise DataError for a file that is not there or holds nothing, of which readers say all kinds of things."""
    if not path.exists():
        raise DataError(f"{path}: no such file")
    if path.is_file() and not path.stat().st_size:
        raise DataError(f"{path}: the file is empty")


def _header(path: Path) -> Header | None:
    """The header of an EDF or BDF file, None for another format."""
    try:
        return read_header(path) if path.suffix.lower() in (".edf", ".bdf") else None
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({first_line(error)})") from None


def _labels_to_open(path: Path, header: Header, meanings: Meanings) -> list[str]:
    """Labels of the channels that have a meaning; off the scalp, only of those at the scalp's rate.

    To MNE a label means all channels that have it.
    """
    known = [(signal, lead) for signal, lead in zip(header.signals, meanings.leads.values(), strict=True) if lead]
    scalp = {signal.label for signal, lead in known if not {*lead}.isdisjoint(SCALP)}
    rates = {header.sfreq_hz(signal) for signal in header.signals if signal.label in scalp}
    if not rates:
        raise DataError(f"{path}: {meanings.no_eeg}")
    if len(rates) > 1:
        rates_hz = " and ".join(f"{rate:g}" for rate in sorted(rates))
        raise DataError(f"{path}: want one sampling rate for all electrodes, got {rates_hz} Hz")
    others = {signal.label for signal, _ in known if header.sfreq_hz(signal) not in rates}
    opened = [signal for signal, _ in known if signal.label not in others]
    for signal in opened:
        want_range(path, header, signal)
    return [signal.label for signal in opened]
