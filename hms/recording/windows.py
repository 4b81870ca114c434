"""Cut a recording into windows, piece by piece, as the batches that models read.

A window is 50 s long, and a prediction for it refers to its central 10 s. Where it reaches into a gap, a check of the
electrodes, or beyond an end of the recording, samples are missing (NaN). Its regional spectrogram covers the ten
minutes around it (`hms.data.corpus`) and is computed from the EEG, as far as that was recorded.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float

from hms.batch import Batch, unlabelled
from hms.data.half_precision import as_stored, eeg_as_stored
from hms.electrodes import SCALP, SFREQ_HZ
from hms.recording.annotations import bad_s
from hms.recording.blocks import Excerpt
from hms.recording.recording import Recording
from hms.spectrogram_recipe import FREQUENCIES_HZ, PAIRS, REGIONS, STEP_S, TAPER_S, regional_spectrogram
from hms.window_lengths import BEFORE_S, CENTRE_S, EEG_SAMPLES, SPECTROGRAM_ROWS, SPECTROGRAM_S

_PIECE_S = 1200
_SETTLE_S = 30  # after which the spectrogram's band-pass no longer depends on where the EEG began
_TOLERANCE_S = 0.01  # formats round onsets


class Piece(NamedTuple):
    """Some minutes of a recording."""

    first: int
    """Number of the first window."""
    onsets_s: Float[np.ndarray, " window"]
    """When the centre of each window begins."""
    recorded: Bool[np.ndarray, " window"]
    """Whether at least half of a window's centre was recorded, and less than half of it is marked (`bad_s`)."""
    eeg: Float[np.ndarray, "electrode time"]
    """µV at 200 Hz, from the start of the first window."""
    model_spectrogram: Float[np.ndarray, "region row frequency"] | None
    """µV²/Hz, from the first row of the first window; None if no model reads it."""
    spectrogram: Float[np.ndarray, "region row frequency"]
    """µV²/Hz, only the rows that begin in this piece: those of all pieces make the whole spectrogram."""

    def batches(self, batch_size: int) -> Iterator[Batch]:
        """Yield the windows; `label_id` is a window's number in the whole recording, target and weight are NaN."""
        for start in range(0, len(self.onsets_s), batch_size):
            onsets_s = self.onsets_s[start : start + batch_size]
            eeg = torch.from_numpy(np.stack([eeg_as_stored(self.window(onset_s).T).T for onset_s in onsets_s]))
            power = None
            if self.model_spectrogram is not None:
                power = torch.from_numpy(np.stack([as_stored(self._ten_minutes(onset_s)) for onset_s in onsets_s]))
            yield unlabelled(eeg, power, torch.arange(len(onsets_s)) + self.first + start)

    def window(self, onset_s: float) -> Float[np.ndarray, "electrode time"]:
        """The EEG of the window whose centre begins at `onset_s`."""
        begin = round((onset_s - self.onsets_s[0]) * SFREQ_HZ)
        return self.eeg[:, begin : begin + EEG_SAMPLES]

    def recorded_s(self) -> Float[np.ndarray, " window"]:
        """Seconds of each window in which any scalp electrode is known: neither in a gap, nor without signal."""
        known = np.concatenate([[0], np.isfinite(self.eeg[: len(SCALP)]).any(axis=0).cumsum()])
        begins = ((self.onsets_s - self.onsets_s[0]) * SFREQ_HZ).round().astype(int)
        return (known[np.minimum(begins + EEG_SAMPLES, len(known) - 1)] - known[begins]) / SFREQ_HZ

    def _ten_minutes(self, onset_s: float) -> Float[np.ndarray, "region row frequency"]:
        assert self.model_spectrogram is not None
        begin = first_row(onset_s) - first_row(self.onsets_s[0])
        return self.model_spectrogram[:, begin : begin + SPECTROGRAM_ROWS]


def count_windows(recording: Recording, step_s: float) -> int:
    """Number of windows: one every `step_s`, as long as half of its centre lies within the recording."""
    return max(1, int((recording.duration_s - CENTRE_S / 2) // step_s) + 1)


def pieces(recording: Recording, step_s: float, with_spectrogram: bool) -> Iterator[Piece]:
    """Yield the whole recording, 20 minutes at a time; `with_spectrogram` if a model reads it."""
    count, size = count_windows(recording, step_s), max(1, int(_PIECE_S // step_s))
    for first in range(0, count, size):
        onsets_s = float(step_s) * np.arange(first, min(first + size, count))
        next_row = int(step_s * (first + size)) // STEP_S if first + size < count else _count_rows(recording)
        shown = int(onsets_s[0]) // STEP_S, next_row  # rows of the spectrogram that no other piece shows
        yield piece_at(recording, onsets_s, with_spectrogram, first, shown)


def piece_at(
    recording: Recording,
    onsets_s: Float[np.ndarray, " window"],
    with_spectrogram: bool,
    first: int = 0,
    shown: tuple[int, int] | None = None,
) -> Piece:
    """The windows whose centres begin at `onsets_s`, in order, wherever these are; `first` is the first one's number.

    `shown` are the first row and the end of what the piece's own `spectrogram` holds, by default nothing.
    """
    begin = round((onsets_s[0] - BEFORE_S) * SFREQ_HZ)  # samples of the windows
    end = round((onsets_s[-1] - BEFORE_S) * SFREQ_HZ) + EEG_SAMPLES
    around = first_row(onsets_s[0]), first_row(onsets_s[-1]) + SPECTROGRAM_ROWS  # the ten minutes around each window
    shown = shown or (around[0], around[0])
    top, bottom = (min(shown[0], around[0]), max(shown[1], around[1])) if with_spectrogram else shown  # rows
    start = min(begin, SFREQ_HZ * (top * STEP_S - _SETTLE_S))
    stop = max(end, SFREQ_HZ * (bottom * STEP_S + TAPER_S + _SETTLE_S))
    excerpt = recording.read(start, stop)  # only once: reading costs as much as predicting
    power = regional_rows(recording, excerpt, start, top, bottom)
    windows, marked_s = excerpt.eeg[:, begin - start : end - start], bad_s(recording.source.annotations)
    recorded = [_recorded(recording, onset_s, onset_s - onsets_s[0], windows, marked_s) for onset_s in onsets_s]
    return Piece(
        first=first,
        onsets_s=onsets_s,
        recorded=np.array(recorded),
        eeg=windows,
        model_spectrogram=power if with_spectrogram else None,
        spectrogram=power[:, shown[0] - top : shown[1] - top],
    )


def regional_rows(
    recording: Recording, excerpt: Excerpt, start: int, first: int, last: int
) -> Float[np.ndarray, "region row frequency"]:
    """Rows `first` up to `last` of the recording's regional spectrogram, from an excerpt that begins at sample `start`.

    Row j is centred at 2 + 2j s; NaN where nothing was recorded, or no channels connect a pair's electrodes.
    The excerpt extends 30 s beyond the rows on both sides.
    """
    power = np.full((len(REGIONS), max(0, last - first), len(FREQUENCIES_HZ)), np.nan, np.float32)
    begin, end = max(first, 0), min(last, _count_rows(recording))
    if begin < end:
        settled = max(0, begin - _SETTLE_S // STEP_S)  # rows
        until = min(recording.blocks.samples, (end * STEP_S + TAPER_S - STEP_S + _SETTLE_S) * SFREQ_HZ)
        inside = slice(settled * STEP_S * SFREQ_HZ - start, until - start)
        part, groups = excerpt.eeg[:, inside], excerpt.groups[:, inside]
        if np.isfinite(part).any():  # a gap may last for days
            rows = regional_spectrogram(part.T, unknown=groups[PAIRS[:, 0]] != groups[PAIRS[:, 1]])
            power[:, begin - first : end - first] = rows[:, begin - settled : end - settled]
    return power


def _recorded(
    recording: Recording,
    onset_s: float,
    after_s: float,
    eeg: Float[np.ndarray, "electrode time"],
    marked_s: Float[np.ndarray, "stretch 2"],
) -> bool:
    """Whether half of a centre was recorded, and it is not mostly marked.

    The centre begins `onset_s` into the recording, its window `after_s` into `eeg`.
    """
    first = round((after_s + BEFORE_S) * SFREQ_HZ)
    centre = eeg[: len(SCALP), first : first + CENTRE_S * SFREQ_HZ]
    reach_s = min(CENTRE_S, recording.duration_s - onset_s)
    enough = np.isfinite(centre).any(axis=0).sum() >= reach_s * SFREQ_HZ / 2
    return bool(enough) and not mostly_marked(recording, onset_s, marked_s)


def mostly_marked(recording: Recording, onset_s: float, marked_s: Float[np.ndarray, "stretch 2"]) -> bool:
    """Whether half of the ten seconds from `onset_s` on, as far as the recording reaches, is marked (`bad_s`)."""
    reach_s = min(CENTRE_S, recording.duration_s - onset_s)
    of_it_s = np.diff(marked_s.clip(onset_s, onset_s + reach_s)).sum()
    return bool(of_it_s >= reach_s / 2 - _TOLERANCE_S)


def _count_rows(recording: Recording) -> int:
    """Number of rows of the recording's regional spectrogram."""
    return max(0, (recording.blocks.samples - (TAPER_S - STEP_S) * SFREQ_HZ) // (STEP_S * SFREQ_HZ))


def first_row(onset_s: float) -> int:
    """First row of the recording's regional spectrogram that belongs to the window whose centre begins at `onset_s`."""
    ten_minutes_s = onset_s + CENTRE_S / 2 - SPECTROGRAM_S / 2
    centred_s = ten_minutes_s + STEP_S / 2  # as in the competition's files; row j of a recording is at 2 + 2j s
    return int((centred_s - TAPER_S / 2) // STEP_S)
