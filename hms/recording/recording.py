"""A recording from any clinic, of any length and rate, as twenty electrodes in µV at 200 Hz, a piece at a time."""

from collections.abc import Collection, Iterable, Iterator
from contextlib import suppress
from itertools import compress
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from hms.electrodes import SFREQ_HZ
from hms.errors import DataError, UserError, did_you_mean
from hms.recording.annotations import bad_notes, checks_s
from hms.recording.blocks import Blocks, Excerpt
from hms.recording.formats import labels_of, open_source, source_of
from hms.recording.meanings import listed
from hms.recording.options import ReadingOptions
from hms.recording.quality import contradictions, want_uv, without_flat
from hms.recording.reconstruction import Reconstruction
from hms.recording.resample import Resampler
from hms.recording.source import Source
from hms.system.console import some

_NOTED = 8  # channels that are named in a note


class Recording(NamedTuple):
    """An open recording, as `open_recording` returns it."""

    path: Path
    source: Source
    opening_notes: list[str]
    """What is known before it is read: the first of `notes_so_far`."""
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
    _refuse([name for name in options.leads if name not in raw.ch_names], raw.ch_names, [path])
    return _recording(path, source_of(raw, path, options), pairs, options)


def want_channels(paths: Collection[Path], names: Iterable[str]) -> None:
    """Raise UserError for one of the `names` in `channels` that no recording has, among those that can be opened.

    A folder may hold files of several devices: each uses what it has of the mapping, and notes what it lacks. A name
    that no file has is a slip of the pen. Recordings are opened only until all names have been found.
    """
    sought, labels = dict.fromkeys(names), dict[str, None]()
    for path in paths:
        if not sought:
            return
        with suppress(DataError):  # reported when its timeline is made
            labels |= dict.fromkeys(labels_of(path))
        sought = {name: None for name in sought if name not in labels}
    if labels:
        _refuse(sought, labels, paths)


def _refuse(absent: Collection[str], labels: Collection[str], paths: Collection[Path]) -> None:
    """Raise UserError for a name in `channels` that is `absent` from the `labels` of all recordings at the paths."""
    for name in absent:
        who, has = (f"{next(iter(paths))}: ", "file, ") if len(paths) == 1 else ("", f"{len(paths)} recordings, ")
        near = did_you_mean(name, labels) or f" ({'it has' if who else 'they have'} {listed([*labels])})"
        raise UserError(f"{who}channels: want a channel of the {has}got '{name}'{near}")


def _recording(path: Path, opened: Source, pairs: Collection[tuple[str, str]], options: ReadingOptions) -> Recording:
    source, flat_notes = without_flat(path, opened)
    try:
        blocks = Blocks(Resampler(source.read, source.samples, source.sfreq_hz), source.leads, pairs)
    except DataError as error:
        raise DataError(f"{path}: {error}{source.meanings.unread}") from None
    unit_notes = want_uv(path, source, blocks.reconstruction, options.unit)
    bad = bad_notes(source.annotations, source.stretches, source.sfreq_hz)
    notes = [*source.notes, *unit_notes, *bad, *flat_notes, *_electrode_notes(source, blocks.reconstruction)]
    return Recording(path, source, notes, blocks)


def _electrode_notes(source: Source, reconstruction: Reconstruction) -> Iterator[str]:
    """What a user should know about how the electrodes follow from the channels, one sentence each."""
    if reconstruction.interpolated:
        yield f"Interpolated: {', '.join(reconstruction.interpolated)}."
    if reconstruction.unknown:
        unknown = ", ".join(reconstruction.unknown)
        yield f"Missing, and not interpolated because the channels form separate groups: {unknown}."
    if (reconstruction.interpolated or reconstruction.unknown) and (others := source.meanings.unrecognised):
        yield f"Not recognised: {some(others, _NOTED)}; channels= says what they measure."
    if reconstruction.without_reference:
        yield reconstruction.reference_note
    yield from contradictions(source, reconstruction.residual)
    used = {*compress(source.leads, np.nan_to_num(reconstruction.matrix).any(axis=0))}
    if unused := [label for label, lead in source.meanings.mapped.items() if lead not in used]:
        yield f"Mapped by channels=, but of no use: {', '.join(unused)}."
