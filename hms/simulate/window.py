"""One labelled window and nothing around it, for training without a corpus."""

from typing import Any, Literal, NamedTuple

import numpy as np
from jaxtyping import Float

from hms.simulate.clock import Span
from hms.simulate.kinds import Kind
from hms.simulate.plan import lone_window
from hms.simulate.recording import SimulatedRecording
from hms.simulate.rows import label_rows
from hms.window_lengths import EEG_S, LEAD_S

_MARGIN_S = 6.0  # room for the fades of the slow band's interpolation


class Window(NamedTuple):
    """A simulated window: its EEG, its spectrogram, and the experts' votes."""

    eeg: Float[np.ndarray, "time 20"]
    """50 s in µV at 200 Hz."""
    spectrogram: Float[np.ndarray, "row 400"] | None
    """600 s with the same centre, in µV²/Hz, one row per 2 s."""
    row: dict[str, Any]
    """The columns of train.csv, and the true probabilities in columns named after the classes."""


def render_window(
    rng: np.random.Generator, kind: Kind | Literal["other"], with_spectrogram: bool, plain: bool
) -> Window:
    """Render a window planned as `kind`, with its own patient and experts; for `plain` see `draw_brain`.

    With the spectrogram, ten minutes are drawn instead of one, so the same `rng` gives another window. Raises
    ValueError for a kind that is none.
    """
    plan, seed = lone_window(rng, kind), int(rng.integers(2**63))
    only = None if with_spectrogram else Span(LEAD_S - _MARGIN_S, LEAD_S + EEG_S + _MARGIN_S)
    recording = SimulatedRecording(plan, seed, only, plain)
    eeg = recording.eeg(0)
    (row,) = label_rows(recording)
    return Window(eeg, recording.spectrogram([eeg]) if with_spectrogram else None, row)
