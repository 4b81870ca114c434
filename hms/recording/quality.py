"""Signal quality: channels that are flat, channels that contradict others, and values that are no EEG in µV.

A file is judged when it is opened, by ten seconds at a few places (`Source.probes`); what is flat for a part of the
time is found as it is read (`hms.recording.blocks`).
"""

from collections.abc import Iterator, Sequence
from itertools import chain, compress
from pathlib import Path

import numpy as np
from jaxtyping import Float

from hms.data.silence import NO_SIGNAL_UV
from hms.electrodes import SCALP, SFREQ_HZ
from hms.errors import DataError
from hms.recording.channel_names import EKG, Lead
from hms.recording.reconstruction import Reconstruction
from hms.recording.source import Source
from hms.recording.units import UNITS_UV

PART = 2 * SFREQ_HZ
"""Samples; a channel is flat if most parts of a block are."""

_FLAT_UV = 0.1  # SD; the quietest EEG, and any amplifier with an electrode on the scalp, has more
_ZERO_UV = 0.5  # more than the step of an EDF file without an exact 0

_PROBES = 8  # places at which channels and their unit are judged
_MOST_PROBES = 120  # places at which flat channels are searched for any signal

_QUIETEST_UV = 0.5
_LOUDEST_UV = 5000.0
"""Bounds on the SD of the median electrode within 10 s: 12 raw clinical segments lie in 10-3,000 µV."""

_CLEARLY_EEG_UV = 5.0
"""SD that EEG labelled as µV but in mV reaches at no place, unless an artefact has millivolts."""

_SHARE, _LEAST_UV = 0.3, 2.0
"""From which SD a contradiction is noted: of the channels' own, and in any case; rounding and filters make less."""

_TIED = 0.99


def flat_channels(channels: Float[np.ndarray, "channel time"]) -> list[int]:
    """The channels of a block, in µV at 200 Hz, that are flat in most parts of it; missing samples are never flat."""
    size = min(PART, channels.shape[1])
    parts = channels[:, : channels.shape[1] // size * size].reshape(len(channels), -1, size)
    flat = parts.std(axis=2) < _FLAT_UV
    return np.flatnonzero(flat.mean(axis=1) > 0.5).tolist()


def without_flat(path: Path, source: Source) -> tuple[Source, list[str]]:
    """The source without scalp channels that are flat or missing in every probe, and a note on these.

    Raises DataError if no other channel is left.
    """
    zero = np.full(len(source.leads), True)
    alive = np.array([lead == EKG for lead in source.leads])
    for probe in chain(source.probes(_PROBES), source.probes(_MOST_PROBES)):
        if alive.all():
            break
        known = np.isfinite(probe)
        zero &= (np.abs(probe) < _ZERO_UV).any(axis=1)
        alive |= np.where(known, probe, -np.inf).max(axis=1) > np.where(known, probe, np.inf).min(axis=1)
    if not any(lives and lead != EKG for lives, lead in zip(alive, source.leads, strict=True)):
        raise DataError(f"{path}: want EEG, got a flat line in every electrode")
    flat = [lead.text if lead.cathode in SCALP else lead.anode for lead in compress(source.leads, ~alive)]
    hint = if_reference(flat, source.leads) if zero[~alive].all() else ""
    notes = [f"Flat or missing wherever checked, so not read: {', '.join(flat)}.{hint}"] if flat else []
    leads = [*compress(source.leads, alive)]
    return source._replace(leads=leads, read=lambda first, last: source.read(first, last)[alive]), notes


def if_reference(flat: Sequence[str], leads: Sequence[Lead]) -> str:
    """The end of a note on flat electrodes, of a file with these `leads`: what to do if the only one is the reference.

    A reference recorded against itself is flat, like a dead electrode, and the file does not say which it is. It is
    interpolated: on 13 EEGs of the competition, that costs a reference a third of the SD of its differences to others;
    to keep a dead electrode would cost all of it.
    """
    others = [lead for lead in leads if lead != EKG and lead.anode not in flat]
    if len(flat) != 1 or not others or any(lead.cathode for lead in others):
        return ""
    one = others[0].anode
    return (
        f" If it is the reference of the others, keep it by channels={{{one}: {one}-{flat[0]}, ...}} for each of them."
    )


def want_uv(path: Path, source: Source, reconstruction: Reconstruction, unit: str | None) -> list[str]:
    """A note on values that are hardly an EEG in µV. Raises DataError if they cannot be one.

    If the user names the `unit`, a nearly flat EEG is accepted: there is one after cardiac arrest.
    """
    spreads_uv = _spreads_uv(source, reconstruction, _PROBES) or _spreads_uv(source, reconstruction, _MOST_PROBES)
    if not spreads_uv:
        raise DataError(f"{path}: want EEG, got a flat line in most electrodes")
    spread_uv = float(np.median(spreads_uv))
    if (unit is None and spread_uv < _QUIETEST_UV) or spread_uv > _LOUDEST_UV:
        likely = "mV or V" if spread_uv < _QUIETEST_UV else "nV, or uV labelled as mV or V"
        raise DataError(
            f"{path}: want an EEG in µV, got values with a median SD of {spread_uv:.2g} µV; are they {likely}? "
            f"Say which with unit={', unit='.join(UNITS_UV)}"
        )
    is_quiet = spread_uv < _QUIETEST_UV
    return [f"Hardly any EEG with unit={unit}: values have a median SD of {spread_uv:.2g} µV."] if is_quiet else []


def _spreads_uv(source: Source, reconstruction: Reconstruction, most: int) -> list[float]:
    """The SD of the median electrode at up to `most` places, without those where the amplifier is as if unplugged.

    There it is flat, or has but its own noise while there is clearly EEG elsewhere: noise says nothing about the unit.
    """
    scalps = (reconstruction.electrodes(probe)[: len(SCALP)] for probe in source.probes(most))
    complete = (scalp[np.isfinite(scalp).all(axis=1)] for scalp in scalps)
    spreads = [float(np.median(scalp.std(axis=1))) for scalp in complete if len(scalp)]
    least_uv = NO_SIGNAL_UV if any(spread_uv >= _CLEARLY_EEG_UV for spread_uv in spreads) else 1e-9
    return [spread_uv for spread_uv in spreads if spread_uv > least_uv]


def contradictions(source: Source, residual: Float[np.ndarray, "channel channel"]) -> Iterator[str]:
    """Yield a note on the channel without which the rest agree best, or on several if that could be any of them.

    Where a file measures the same difference in more than one way, least squares spread the error of one channel over
    the electrodes that it shares with others: several are slightly wrong, and nothing would be reported. Such a channel
    may be a pair, added to an EEG against a reference, that has other filters, another montage or a wrong name.
    `residual` is that of the reconstruction.
    """
    freedom = residual.diagonal()  # 0: no other channels measure the same
    checked = np.flatnonzero(freedom > 1e-9)
    if not len(checked):
        return
    left_uv, own_uv = [], []
    for probe in source.probes(_PROBES):
        if np.isfinite(probe).all():
            left_uv.append((residual @ probe).std(axis=1)[checked])
            own_uv.append(np.median(probe[checked].std(axis=1)))
    if not left_uv:
        return
    left = np.median(left_uv, axis=0)
    off_uv = left / freedom[checked]  # from what the others say
    gain = left / np.sqrt(freedom[checked])  # root of how much less is left without it
    if off_uv[gain.argmax()] > max(_LEAST_UV, _SHARE * np.median(own_uv)):
        named = [source.leads[i].text for i in checked[gain >= _TIED * gain.max()]]
        who = (
            f"{named[0]} contradicts the other channels"
            if len(named) == 1
            else f"{', '.join(named)} contradict each other"
        )
        yield f"{who}, by an SD of {off_uv[gain.argmax()]:.0f} µV, which spreads to their electrodes: check these."
