"""A recording from any clinic, of any length and rate, as twenty electrodes in µV at 200 Hz, a piece at a time."""

from collections.abc import Collection, Iterator
from itertools import chain, compress
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from hms.data.silence import NO_SIGNAL_UV
from hms.electrodes import SCALP, SFREQ_HZ
from hms.errors import DataError
from hms.recording.absent import want_labels
from hms.recording.annotations import bad_notes, checks_s
from hms.recording.blocks import Blocks, Excerpt
from hms.recording.channel_names import EKG
from hms.recording.contradiction import contradictions
from hms.recording.flat import if_reference
from hms.recording.formats import open_source, source_of
from hms.recording.options import ReadingOptions
from hms.recording.reconstruction import Reconstruction
from hms.recording.resample import Read, Resampler
from hms.recording.source import Source
from hms.recording.units import UNITS_UV
from hms.system.console import some

_QUIETEST_UV = 0.5
_LOUDEST_UV = 5000.0
"""Bounds on the SD of the median electrode within 10 s: 12 raw clinical segments lie in 10-3,000 µV."""

_CLEARLY_EEG_UV = 5.0
"""SD that EEG labelled as µV but in mV reaches at no place, unless an artefact has millivolts."""

_PROBES = 8  # places at which a recording's unit is checked
_MOST_PROBES = 120  # places at which flat channels are searched for any signal
_PROBE_S = 10

_ZERO_UV = 0.5  # more than the step of an EDF file without an exact 0
_NOTED = 8  # channels that are named in a note


class Recording(NamedTuple):
    """An open recording, as `open_recording` returns it."""

    path: Path
    source: Source
    opening_notes: list[str]
    blocks: Blocks
    """Reads the electrodes at 200 Hz, and remembers what they have shown."""

    @property
    def duration_s(self) -> float:
        """From the first to the last sample, gaps included."""
        return self.source.samples / self.source.sfreq_hz

    def read(self, first: int, last: int) -> Excerpt:
        """Samples `first` up to `last`, at 200 Hz; NaN in checks of the electrodes, too."""
        excerpt = self.blocks(first, last)
        for begin_s, end_s in checks_s(self.source.annotations):  # square waves and the like
            inside = slice(max(0, round(begin_s * SFREQ_HZ) - first), max(0, round(end_s * SFREQ_HZ) - first))
            excerpt.eeg[:, inside] = np.nan
        return excerpt

    def interpolated_so_far(self) -> tuple[str, ...]:
        """Electrodes that are interpolated throughout; reading adds those that only the samples show to be flat."""
        return self.blocks.interpolated_so_far()

    def notes_so_far(self) -> list[str]:
        """What a user should know about it, one sentence each; reading adds what only the samples show."""
        return [*self.opening_notes, *self.blocks.notes_so_far()]


def open_recording(path: Path, pairs: Collection[tuple[str, str]], options: ReadingOptions) -> Recording:
    """Open the recording at `path` for models that subtract `pairs`.

    Names in `options.channels` that the file lacks are noted. Raises DataError, with the file and the reason in one
    line, if it cannot be read, lacks too many electrodes, or holds values that are hardly µV.
    """
    return _recording(path, open_source(path, options), pairs, options)


def from_raw(raw: Any, pairs: Collection[tuple[str, str]], options: ReadingOptions) -> Recording:
    """The same of an `mne.io.Raw`, under the name of its file or, if it has none, of its class.

    `options.unit` is that of the values which `raw.get_data()` returns. Its pauses are those that MNE-Python marks.
    Raises UserError for names in `options.channels` that it lacks, and DataError as `open_recording`.
    """
    path = Path(next(filter(None, raw.filenames), type(raw).__name__))
    want_labels(path, raw.ch_names, options.leads)
    return _recording(path, source_of(raw, path, options), pairs, options)


def _recording(path: Path, opened: Source, pairs: Collection[tuple[str, str]], options: ReadingOptions) -> Recording:
    source, flat_notes = _without_flat(path, opened)
    try:
        blocks = Blocks(Resampler(source.read, source.samples, source.sfreq_hz), source.leads, pairs)
    except DataError as error:
        raise DataError(f"{path}: {error}{source.meanings.unread}") from None
    spread_uv = _spread_uv(path, source, lambda first, last: blocks.reconstruction.electrodes(source.read(first, last)))
    _want_uv(path, spread_uv, options.unit)
    notes = [*_opening_notes(source, blocks.reconstruction, spread_uv, options.unit, flat_notes)]
    return Recording(path, source, notes, blocks)


def _opening_notes(
    source: Source, reconstruction: Reconstruction, spread_uv: float, unit: str | None, flat_notes: list[str]
) -> Iterator[str]:
    """What a user should know about a recording once it is open, one sentence each."""
    yield from source.notes
    if spread_uv < _QUIETEST_UV:
        yield f"Hardly any EEG with unit={unit}: values have a median SD of {spread_uv:.2g} µV."
    yield from bad_notes(source.annotations, source.stretches, source.sfreq_hz)
    yield from flat_notes
    if reconstruction.interpolated:
        yield f"Interpolated: {', '.join(reconstruction.interpolated)}."
    if reconstruction.unknown:
        unknown = ", ".join(reconstruction.unknown)
        yield f"Missing, and not interpolated because the channels form separate groups: {unknown}."
    if (reconstruction.interpolated or reconstruction.unknown) and (others := source.meanings.unrecognised):
        yield f"Not recognised: {some(others, _NOTED)}; channels= says what they measure."
    if reconstruction.without_reference:
        yield reconstruction.reference_note
    probes = (source.read(first, last) for first, last in _probes(source, _PROBES))
    yield from contradictions(source.leads, reconstruction.residual, probes)
    used = {*compress(source.leads, np.nan_to_num(reconstruction.matrix).any(axis=0))}
    if unused := [label for label, lead in source.meanings.mapped.items() if lead not in used]:
        yield f"Mapped by channels=, but of no use: {', '.join(unused)}."


def _without_flat(path: Path, source: Source) -> tuple[Source, list[str]]:
    """The source without scalp channels that are flat or missing in every probe, and a note on these."""
    zero = np.full(len(source.leads), True)
    alive = np.array([lead == EKG for lead in source.leads])
    for first, last in chain(_probes(source, _PROBES), _probes(source, _MOST_PROBES)):
        if alive.all():
            break
        probe = source.read(first, last)
        known = np.isfinite(probe)
        zero &= (np.abs(probe) < _ZERO_UV).any(axis=1)
        alive |= np.where(known, probe, -np.inf).max(axis=1) > np.where(known, probe, np.inf).min(axis=1)
    if not any(lives and lead != EKG for lives, lead in zip(alive, source.leads, strict=True)):
        raise DataError(f"{path}: want EEG, got a flat line in every electrode")
    flat = [lead.anode for lead in compress(source.leads, ~alive)]
    hint = if_reference(flat, source.leads) if zero[~alive].all() else ""
    notes = [f"Flat or missing wherever checked, so not read: {', '.join(flat)}.{hint}"] if flat else []
    leads = [*compress(source.leads, alive)]
    return source._replace(leads=leads, read=lambda first, last: source.read(first, last)[alive]), notes


def _probes(source: Source, most: int) -> Iterator[tuple[int, int]]:
    """First sample and end of up to `most` recorded stretches of 10 s; they cover a short recording completely."""
    size, ends = round(_PROBE_S * source.sfreq_hz), np.cumsum([stretch.length for stretch in source.stretches])
    places = np.linspace(0, max(0, ends[-1] - size), min(most, -(-ends[-1] // size))).astype(int)
    for place, i in zip(places, np.searchsorted(ends, places, side="right"), strict=True):
        stretch = source.stretches[i]
        after = max(0, min(place - ends[i] + stretch.length, stretch.length - size))
        yield stretch.at + int(after), min(stretch.at + int(after) + size, stretch.end)


def _want_uv(path: Path, spread_uv: float, unit: str | None) -> None:
    """Raise DataError if the values cannot be an EEG in µV.

    If the user names the unit, a nearly flat EEG is accepted: there is one after cardiac arrest.
    """
    if (unit is None and spread_uv < _QUIETEST_UV) or spread_uv > _LOUDEST_UV:
        likely = "mV or V" if spread_uv < _QUIETEST_UV else "nV, or uV labelled as mV or V"
        raise DataError(
            f"{path}: want an EEG in µV, got values with a median SD of {spread_uv:.2g} µV; are they {likely}? "
            f"Say which with unit={', unit='.join(UNITS_UV)}"
        )


def _spread_uv(path: Path, source: Source, electrodes: Read) -> float:
    """The SD of the median electrode at the median of a few places."""
    spreads_uv = _spreads_uv(source, electrodes, _PROBES) or _spreads_uv(source, electrodes, _MOST_PROBES)
    if not spreads_uv:
        raise DataError(f"{path}: want EEG, got a flat line in most electrodes")
    return float(np.median(spreads_uv))


def _spreads_uv(source: Source, electrodes: Read, most: int) -> list[float]:
    """The SD of the median electrode at up to `most` places, without those where the amplifier is as if unplugged.

    There it is flat, or has but its own noise while there is clearly EEG elsewhere: noise says nothing about the unit.
    """
    scalps = (electrodes(first, last)[: len(SCALP)] for first, last in _probes(source, most))
    complete = (scalp[np.isfinite(scalp).all(axis=1)] for scalp in scalps)
    spreads = [float(np.median(scalp.std(axis=1))) for scalp in complete if len(scalp)]
    least_uv = NO_SIGNAL_UV if any(spread_uv >= _CLEARLY_EEG_UV for spread_uv in spreads) else 1e-9
    return [spread_uv for spread_uv in spreads if spread_uv > least_uv]
