"""The electrodes of a recording at 200 Hz, reconstructed and judged ten seconds at a time.

Ten seconds without any signal become missing, as if in a gap: from an unplugged amplifier's zeros, noise or mains, a
model would predict a pattern, and neighbouring windows would contain a step. A single electrode that is flat for ten
seconds is computed from the others, as one that the file lacks. If so many are flat that a file with only the others
would be refused, the ten seconds become missing too: the model would read half a head as 0 µV.
"""

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from typing import Literal, NamedTuple

import numpy as np
from jaxtyping import Float, Int

from hms.data.silence import NO_SIGNAL, NO_SIGNAL_UV, amplitude_uv
from hms.electrodes import ELECTRODES, SCALP, SFREQ_HZ
from hms.errors import DataError
from hms.recording.channel_names import EKG, Lead
from hms.recording.quality import PART, flat_channels, if_reference
from hms.recording.reconstruction import MOST_MISSING, Reconstruction, reconstruction
from hms.recording.resample import Resampler
from hms.system.console import duration_text

_BLOCK = 10 * SFREQ_HZ  # samples
_AT_ONCE = 6  # blocks, read together so that a file with many fast channels needs little memory

_Way = Literal["interpolated there", "missing there", "not read there", "read as it is"]
"""How a flat channel was treated."""

_Lost = Literal["No signal", "Too few electrodes"]
_REASONS: dict[_Lost, str] = {
    "No signal": NO_SIGNAL,
    "Too few electrodes": f"more than {MOST_MISSING} of the {len(SCALP)} are flat or missing",
}


class Excerpt(NamedTuple):
    """Samples of a recording at 200 Hz."""

    eeg: Float[np.ndarray, "electrode time"]
    """µV; NaN in gaps, where there is no signal, and beyond the ends."""
    groups: Int[np.ndarray, "electrode time"]
    """The number of each electrode's group, -1 if it is in none: only differences within a group are known."""


class _Judged(NamedTuple):
    """What ten seconds have shown."""

    recorded: int
    """Samples in which any scalp electrode is known."""
    lost: _Lost | None
    """Why all of them became missing."""
    flat: dict[tuple[str, _Way], int]
    """Known samples of each flat channel."""
    used: Reconstruction
    """How the electrodes follow from the channels."""


class Blocks:
    """Read the electrodes of channels that measure `leads` and that `read_channels` resamples.

    What is read does not depend on what was read before; `interpolated_so_far` and `notes_so_far` sum up all of that.
    Raises DataError if the electrodes cannot be reconstructed, see `reconstruction`.
    """

    def __init__(self, read_channels: Resampler, leads: Sequence[Lead], pairs: Collection[tuple[str, str]]):
        self.reconstruction = reconstruction(leads, pairs)
        """That of blocks without flat channels."""
        self.samples = read_channels.samples
        """Number of samples at 200 Hz."""
        self._read, self._leads, self._pairs = read_channels, leads, pairs
        self._without: dict[tuple[int, ...], Reconstruction | None] = {}  # by the channels to do without
        self._seen: dict[int, _Judged] = {}  # by number
        # Under 2 s are too few to judge: the last block has them.
        self._count = max(1, (self.samples + _BLOCK - PART) // _BLOCK)

    def __call__(self, first: int, last: int) -> Excerpt:
        """Samples `first` up to `last`."""
        eeg = np.full((len(ELECTRODES), last - first), np.nan, np.float32)
        groups = np.repeat(self.reconstruction.group_numbers()[:, None], last - first, axis=1)
        for begin, block, used in self._blocks(max(first, 0), min(last, self.samples)):
            inside = slice(max(first, begin), min(last, begin + block.shape[1]))
            here = slice(inside.start - first, inside.stop - first)
            eeg[:, here] = block[:, inside.start - begin : inside.stop - begin]
            groups[:, here] = used.group_numbers()[:, None]
        return Excerpt(eeg, groups)

    def interpolated_so_far(self) -> tuple[str, ...]:
        """The electrodes that were interpolated in all of the EEG read so far; before, those that no channel measures.

        An electrode with nothing but an amplifier's noise is known to be flat only when all was read.
        """
        in_each = [{*block.used.interpolated} for block in self._seen.values() if block.recorded and not block.lost]
        throughout = set.intersection(*in_each) if in_each else {*self.reconstruction.interpolated}
        return tuple(name for name in SCALP if name in throughout)

    def notes_so_far(self) -> Iterator[str]:
        """What the blocks read so far have shown, one sentence each; a block that is read again counts once."""
        lost: Counter[_Lost] = Counter()
        flat: Counter[tuple[str, _Way]] = Counter()
        for block in self._seen.values():
            if block.lost:
                lost[block.lost] += block.recorded
            flat.update(block.flat)
        for what in (what for what in _REASONS if what in lost):
            yield f"{what} for {duration_text(lost[what] / SFREQ_HZ)} ({_REASONS[what]}), so without a prediction."
        dead = [name for name in self.interpolated_so_far() if (name, "interpolated there") in flat]
        if dead:
            yield f"Flat throughout, so interpolated: {', '.join(dead)}.{if_reference(dead, self._leads)}"
            flat = Counter({(name, way): count for (name, way), count in flat.items() if name not in dead})
        for way in sorted({way for _, way in flat}):
            named = (f"{name} ({duration_text(flat[name, how] / SFREQ_HZ)})" for name, how in flat if how == way)
            yield f"Flat for part of the time and {way}: {', '.join(named)}."

    def _blocks(
        self, first: int, last: int
    ) -> Iterator[tuple[int, Float[np.ndarray, "electrode time"], Reconstruction]]:
        """Each block that holds some of the samples: its first sample, its values, and how these were reconstructed.

        Blocks are read whole, so that each is judged by all of its samples.
        """
        if first >= last:
            return
        numbers = range(min(first // _BLOCK, self._count - 1), min(-(-last // _BLOCK), self._count))
        for i in range(0, len(numbers), _AT_ONCE):
            together = numbers[i : i + _AT_ONCE]
            ends = [self.samples if number == self._count - 1 else (number + 1) * _BLOCK for number in together]
            channels = self._read(together[0] * _BLOCK, ends[-1])
            for number, end in zip(together, ends, strict=True):
                inside = slice((number - together[0]) * _BLOCK, end - together[0] * _BLOCK)
                self._seen[number], eeg = self._judged(channels[:, inside])
                yield number * _BLOCK, eeg, self._seen[number].used

    def _judged(
        self, channels: Float[np.ndarray, "channel time"]
    ) -> tuple[_Judged, Float[np.ndarray, "electrode time"]]:
        """What ten seconds of the channels show, and the electrodes then: all missing if the ten seconds are lost."""
        used = self.reconstruction
        if np.isnan(channels).all():  # a gap may last for days
            missing = np.full((len(ELECTRODES), channels.shape[1]), np.nan, np.float32)
            return _Judged(0, None, {}, used), missing
        eeg = used.electrodes(channels)
        recorded = int(np.isfinite(eeg[: len(SCALP)]).any(axis=0).sum())
        flat = tuple(i for i in flat_channels(channels) if self._leads[i] != EKG)
        left = [lead for i, lead in enumerate(self._leads) if i not in flat and lead != EKG]
        if flat and left and _too_few(left):  # before asking for silence, which would be heard in most pairs
            return _Judged(recorded, "Too few electrodes", {}, used), np.full_like(eeg, np.nan)
        if amplitude_uv(eeg) < NO_SIGNAL_UV:
            return _Judged(recorded, "No signal", {}, used), np.full_like(eeg, np.nan)
        if not flat:
            return _Judged(recorded, None, {}, used), eeg
        without, eeg = self._without_channels(flat, channels)
        known = np.isfinite(channels).sum(axis=1)
        ways = {(_name(self._leads[i]), _way(self._leads[i], used, without)): int(known[i]) for i in flat}
        return _Judged(recorded, None, ways, without or used), eeg

    def _without_channels(
        self, flat: tuple[int, ...], channels: Float[np.ndarray, "channel time"]
    ) -> tuple[Reconstruction | None, Float[np.ndarray, "electrode time"]]:
        """How the electrodes follow without flat channels, and what they are; None if all are read as they are."""
        kept = [i for i in range(len(channels)) if i not in flat]
        if flat not in self._without:
            try:
                self._without[flat] = reconstruction([self._leads[i] for i in kept], self._pairs)
            except DataError:  # the others do not connect what the model subtracts
                self._without[flat] = None
        if (without := self._without[flat]) is not None:
            return without, without.electrodes(channels[kept])
        return None, self.reconstruction.electrodes(channels)


def _way(lead: Lead, whole: Reconstruction, without: Reconstruction | None) -> _Way:
    """What became of the electrodes of a flat channel, in the reconstruction `without` it instead of the `whole`."""
    if without is None:
        return "read as it is"
    if {*lead} & ({*without.interpolated} - {*whole.interpolated}):
        return "interpolated there"
    if {*lead} & ({*without.unknown} - {*whole.unknown}):
        return "missing there"
    return "not read there"  # others connect the same electrodes


def _too_few(leads: Sequence[Lead]) -> bool:
    """Whether a file with only these leads would be refused because they measure too few electrodes."""
    return len({*SCALP} - {name for lead in leads for name in lead}) > MOST_MISSING


def _name(lead: Lead) -> str:
    return f"{lead.anode}-{lead.cathode}" if lead.cathode in SCALP else lead.anode
