"""A recording of any clinic, length and rate: twenty electrodes in µV at 200 Hz, a piece at a time."""

from collections.abc import Collection, Iterator
from datetime import datetime
from itertools import chain
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from hms.electrodes import ELECTRODES, SCALP, SFREQ_HZ
from hms.errors import DataError
from hms.recording.channels import UNITS_UV
from hms.recording.derivation import derivation
from hms.recording.labels import EKG
from hms.recording.resample import Read, Resampler
from hms.recording.source import Source, open_source

_QUIETEST_UV = 0.5
_LOUDEST_UV = 5000.0
"""Bounds for the SD of the median electrode within 10 s: 12 raw clinical segments lie in 10-3,000 µV."""

_LOOKS = 8  # places at which a recording's unit is doubted
_MOST_LOOKS = 120  # at which a channel is sought that holds anything
_LOOK_S = 10
_PIECE = 60 * SFREQ_HZ  # samples derived at once: a file of many fast channels stays in little memory


class Recording(NamedTuple):
    """What `open_recording` makes of a file."""

    path: Path
    source: Source
    interpolated: tuple[str, ...]
    notes: list[str]
    """What to know about it, a sentence each."""
    resampler: Resampler
    """Of the electrodes."""

    @property
    def duration_s(self) -> float:
        """From the first sample to the last, gaps included."""
        return self.source.samples / self.source.sfreq_hz

    @property
    def samples(self) -> int:
        """How many there are at 200 Hz."""
        return self.resampler.samples

    @property
    def start(self) -> datetime | None:
        """When it began, where the file says so."""
        return self.source.start

    def eeg(self, first: int, last: int) -> Float[np.ndarray, "electrode time"]:
        """µV of the samples at 200 Hz from `first` up to `last`; NaN in gaps and beyond the recording's ends."""
        found = np.full((len(ELECTRODES), last - first), np.nan, np.float32)
        for begin in range(max(first, 0), min(last, self.samples), _PIECE):
            end = min(begin + _PIECE, last, self.samples)
            found[:, begin - first : end - first] = self.resampler(begin, end)
        return found


def open_recording(path: Path, pairs: Collection[tuple[str, str]], unit: str | None) -> Recording:
    """The recording at `path`, of which a model subtracts `pairs`; its numbers are in `unit` (None: as the file says).

    Raises DataError, with the file and the reason in one line, where it cannot be read, lacks too many electrodes, or
    holds numbers that are hardly µV.
    """
    source, dead = _without_dead(path, open_source(path, unit))
    try:
        derived = derivation(source.leads, pairs)
    except DataError as error:
        raise DataError(f"{path}: {error}") from None
    known = np.flatnonzero(np.isfinite(derived.matrix).all(axis=1))
    rows = derived.matrix[known]

    def electrodes(first: int, last: int) -> Float[np.ndarray, "electrode time"]:
        channels = source.read(first, last)
        found, missing = np.full((len(ELECTRODES), last - first), np.nan), np.isnan(channels)
        if missing.all():
            return found
        found[known] = rows @ np.nan_to_num(channels)
        if missing.any():
            found[known] = np.where((rows != 0).astype(np.float32) @ missing > 0, np.nan, found[known])
        return found

    _want_uv(path, source, electrodes, unit)
    notes = [*source.notes]
    if dead:
        notes.append(f"Flat or missing wherever looked at, so not read: {', '.join(dead)}.")
    if derived.interpolated:
        notes.append(f"Interpolated: {', '.join(derived.interpolated)}.")
    if derived.reconstructed:
        notes.append(
            "Channels share no reference: electrodes are reconstructed up to a potential that no difference sees."
        )
    resampler = Resampler(electrodes, source.samples, source.sfreq_hz)
    return Recording(path, source, derived.interpolated, notes, resampler)


def _without_dead(path: Path, source: Source) -> tuple[Source, list[str]]:
    """The source without the scalp's channels that hold nothing wherever one looks, and what these are called."""
    alive = np.array([lead == EKG for lead in source.leads])
    for first, last in chain(_looks(source, _LOOKS), _looks(source, _MOST_LOOKS)):
        if alive.all():
            break
        seen = source.read(first, last)
        known = np.isfinite(seen)
        alive |= np.where(known, seen, -np.inf).max(axis=1) > np.where(known, seen, np.inf).min(axis=1)
    if not any(lives and lead != EKG for lives, lead in zip(alive, source.leads, strict=True)):
        raise DataError(f"{path}: want EEG, got a flat line in every electrode")
    kept = np.flatnonzero(alive)
    dead = [lead.anode for lead, lives in zip(source.leads, alive, strict=True) if not lives]
    leads = [source.leads[i] for i in kept]
    return source._replace(leads=leads, read=lambda first, last: source.read(first, last)[kept]), dead


def _looks(source: Source, most: int) -> Iterator[tuple[int, int]]:
    """Samples of a few places where something was recorded, from and up to; of a short recording all of them."""
    size, ends = round(_LOOK_S * source.sfreq_hz), np.cumsum([span.length for span in source.spans])
    places = np.linspace(0, max(0, ends[-1] - size), min(most, -(-ends[-1] // size))).astype(int)
    for place, i in zip(places, np.searchsorted(ends, places, side="right"), strict=True):
        span = source.spans[i]
        after = max(0, min(place - ends[i] + span.length, span.length - size))
        yield span.at + int(after), span.at + min(int(after) + size, span.length)


def _want_uv(path: Path, source: Source, electrodes: Read, unit: str | None) -> None:
    """Look at a few places of the recording and raise DataError where what is there cannot be an EEG in µV.

    Who names the unit may have an EEG that is hardly there, as after the heart has stopped.
    """
    there = _spreads_uv(source, electrodes, _LOOKS) or _spreads_uv(source, electrodes, _MOST_LOOKS)
    if not there:
        raise DataError(f"{path}: want EEG, got a flat line in most electrodes")
    spread_uv = float(np.median(there))
    if (unit is None and spread_uv < _QUIETEST_UV) or spread_uv > _LOUDEST_UV:
        other = "mV or V" if spread_uv < _QUIETEST_UV else "nV, or uV given as mV or V"
        raise DataError(
            f"{path}: want an EEG in µV, got values with a median SD of {spread_uv:.2g} µV: {other}? "
            f"Say which (unit={', unit='.join(UNITS_UV)})"
        )


def _spreads_uv(source: Source, electrodes: Read, most: int) -> list[float]:
    """The SD of the median electrode at several places; lines are flat before it is plugged in, and after."""
    scalps = (electrodes(first, last)[: len(SCALP)] for first, last in _looks(source, most))
    seen = (scalp[np.isfinite(scalp).all(axis=1)] for scalp in scalps)
    spreads = [float(np.median(one.std(axis=1))) for one in seen if len(one)]
    return [spread_uv for spread_uv in spreads if spread_uv > 1e-9]
