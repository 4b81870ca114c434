"""Cut the EEG and the spectrogram around the labels of a recording, by the code that reads them for a timeline.

Labels where a timeline has no prediction are left out, and `why_left_out` says why.

Labels whose 50 s overlap those of a first one share its EEG. Training draws one window of each EEG per epoch, so that
a stretch labelled throughout counts by its length, not once.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from hms.electrodes import SFREQ_HZ
from hms.recording.annotations import bad_s
from hms.recording.recording import Recording
from hms.recording.times import bounds_s
from hms.recording.windows import Piece, first_row, mostly_marked, piece_at
from hms.spectrogram_recipe import COLUMNS, STEP_S
from hms.system.console import counted, some
from hms.window_lengths import BEFORE_S, CENTRE_S, EEG_S, EEG_SAMPLES, SPECTROGRAM_ROWS, SPECTROGRAM_S

_AT_ONCE_S = 1200
"""Labels so far apart are read together: reading the ten minutes around each would read most of them many times."""

_NAMED = 3
"""The most times that are told of each reason why labels are left out."""


class Cut(NamedTuple):
    """An EEG of the corpus, and its spectrogram, which begins with the ten minutes around the first label."""

    onsets_s: list[float]
    """Where the labelled ten seconds begin in the recording."""
    eeg: Float[np.ndarray, "time electrode"]
    """µV at 200 Hz, from the 50 s around the first label to those around the last."""
    power: Float[np.ndarray, "row 400"]
    """µV²/Hz, a row per 2 s."""

    @property
    def start_s(self) -> float:
        """Where the EEG begins in the recording; negative if the first window does so before it."""
        return self.onsets_s[0] - BEFORE_S

    @property
    def eeg_offsets_s(self) -> list[float]:
        """From the start of the EEG to that of each window."""
        return [onset_s - self.onsets_s[0] for onset_s in self.onsets_s]

    @property
    def spectrogram_offsets_s(self) -> list[float]:
        """From the start of the spectrogram to that of each window's ten minutes: whole rows of it."""
        rows = [first_row(onset_s) - first_row(self.onsets_s[0]) for onset_s in self.onsets_s]
        return [float(STEP_S * row) for row in rows]


def cuts(recording: Recording, onsets_s: Sequence[float]) -> Iterator[Cut]:
    """Yield the EEGs around labelled ten seconds, in order, which begin at `onsets_s`.

    Those are left out for which a timeline has no prediction either (`Piece.recorded`).
    """
    for together in _read_together(_shared(onsets_s)):
        piece = piece_at(recording, np.array([*chain(*together)]), with_spectrogram=True)
        recorded = dict(zip(piece.onsets_s.tolist(), piece.recorded.tolist(), strict=True))
        for shared in together:
            if kept := [onset_s for onset_s in shared if recorded[onset_s]]:
                yield _cut(piece, kept)


def _cut(piece: Piece, onsets_s: list[float]) -> Cut:
    assert piece.model_spectrogram is not None
    first, last = onsets_s[0], onsets_s[-1]
    begin, end = (round((onset_s - piece.onsets_s[0]) * SFREQ_HZ) for onset_s in (first, last))
    top, bottom = (first_row(onset_s) - first_row(piece.onsets_s[0]) for onset_s in (first, last))
    power = piece.model_spectrogram[:, top : bottom + SPECTROGRAM_ROWS].transpose(1, 0, 2)
    return Cut(onsets_s, piece.eeg[:, begin : end + EEG_SAMPLES].T, power.reshape(len(power), len(COLUMNS)))


def _shared(onsets_s: Sequence[float]) -> list[list[float]]:
    """Divide ordered onsets into those of one EEG each."""
    groups: list[list[float]] = []
    for onset_s in onsets_s:
        if groups and onset_s - groups[-1][0] < EEG_S:
            groups[-1].append(onset_s)
        else:
            groups.append([onset_s])
    return groups


def _read_together(groups: list[list[float]]) -> list[list[list[float]]]:
    """Divide EEGs into those whose ten minutes overlap, up to a length."""
    pieces: list[list[list[float]]] = []
    for group in groups:
        near = pieces and group[0] - pieces[-1][-1][-1] < SPECTROGRAM_S
        if near and group[-1] - pieces[-1][0][0] < _AT_ONCE_S:
            pieces[-1].append(group)
        else:
            pieces.append([group])
    return pieces


def why_left_out(recording: Recording, onsets_s: Iterable[float]) -> str:
    """A line with the reasons for which the ten seconds from `onsets_s` on are left out, in order; empty if none are.

    Their times are those of the middle, as in a table of labels.
    """
    times_s: dict[str, list[str]] = {}
    for onset_s in onsets_s:
        times_s.setdefault(_why(recording, onset_s), []).append(f"{onset_s + CENTRE_S / 2:g} s")
    if not times_s:
        return ""
    told = [f"{why} (at {some(at, _NAMED)})" for why, at in times_s.items()]
    count = sum(map(len, times_s.values()))
    return f"{counted(count, 'label')} left out, where nothing is predicted either: {'; '.join(told)}."


def _why(recording: Recording, onset_s: float) -> str:
    """Why the ten seconds from `onset_s` on have no prediction (`hms.recording.windows.Piece.recorded`)."""
    begin_s, end_s = max(0.0, onset_s), min(recording.duration_s, onset_s + CENTRE_S)
    half_s = min(CENTRE_S, recording.duration_s - onset_s) / 2
    source = recording.source
    if mostly_marked(recording, onset_s, bad_s(source.annotations)):
        return "marked in the file as bad or as a check of the electrodes"
    if np.diff(bounds_s(source.stretches, source.sfreq_hz).clip(begin_s, end_s)).sum() < half_s:
        return "in a gap"
    return "without a signal, or with too many flat electrodes"
