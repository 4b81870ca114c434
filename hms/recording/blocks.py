"""The electrodes of a recording at 200 Hz, derived and judged ten seconds at a time.

Ten seconds without any signal become missing, as if in a gap: from an unplugged amplifier's zeros, noise or mains, a
model would predict a pattern, and neighbouring windows would contain a step.
"""

from collections.abc import Iterator

import numpy as np
from jaxtyping import Float

from hms.electrodes import ELECTRODES, SCALP, SFREQ_HZ
from hms.recording.derivation import Derivation, derived
from hms.recording.duration import duration_text
from hms.recording.resample import Resampler
from hms.silence import SILENT_UV, loudness_uv

_BLOCK = 10 * SFREQ_HZ  # samples
_PIECE = 6  # blocks read at once, so that a file with many fast channels needs little memory


class Blocks:
    """Read the electrodes of channels that `read_channels` resamples; `derivation` says how they follow from these."""

    def __init__(self, read_channels: Resampler, derivation: Derivation):
        self.samples = read_channels.samples
        """Number of samples at 200 Hz."""
        self._read, self._derivation = read_channels, derivation
        self._silent: dict[int, int] = {}  # samples of each block without signal, so far

    def __call__(self, first: int, last: int) -> Float[np.ndarray, "electrode time"]:
        """Samples `first` up to `last` in µV; NaN in gaps, where there is no signal, and beyond the ends."""
        found = np.full((len(ELECTRODES), last - first), np.nan, np.float32)
        for begin, eeg in self._blocks(max(first, 0), min(last, self.samples)):
            inside = slice(max(first, begin), min(last, begin + eeg.shape[1]))
            found[:, inside.start - first : inside.stop - first] = eeg[:, inside.start - begin : inside.stop - begin]
        return found

    def notes(self) -> list[str]:
        """What the blocks read so far have shown, one sentence each."""
        if not self._silent:
            return []
        silent = duration_text(sum(self._silent.values()) / SFREQ_HZ)
        reason = f"below {SILENT_UV} µV: unplugged, or electrocerebral inactivity"
        return [f"No signal for {silent} ({reason}), so without a prediction."]

    def _blocks(self, first: int, last: int) -> Iterator[tuple[int, Float[np.ndarray, "electrode time"]]]:
        """First sample and values of each block that holds some of the samples: whole ones, so that all are judged."""
        numbers = range(first // _BLOCK, -(-last // _BLOCK))
        for i in range(0, len(numbers), _PIECE):
            piece = numbers[i : i + _PIECE]
            channels = self._read(piece[0] * _BLOCK, min((piece[-1] + 1) * _BLOCK, self.samples))
            for number in piece:
                begin = (number - piece[0]) * _BLOCK
                yield number * _BLOCK, self._judged(number, channels[:, begin : begin + _BLOCK])

    def _judged(self, number: int, channels: Float[np.ndarray, "channel time"]) -> Float[np.ndarray, "electrode time"]:
        eeg = derived(self._derivation, channels)
        if loudness_uv(eeg) < SILENT_UV:
            self._silent[number] = int(np.isfinite(eeg[: len(SCALP)]).any(axis=0).sum())
            return np.full_like(eeg, np.nan)
        return eeg
