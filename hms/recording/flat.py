"""Flat channels: of dead electrodes, or of a reference recorded against itself."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from hms.electrodes import SFREQ_HZ
from hms.recording.channel_names import EKG, Lead

PART = 2 * SFREQ_HZ
"""Samples; a channel is flat if most parts of a block are."""

_FLAT_UV = 0.1  # SD; the quietest EEG, and any amplifier with an electrode on the scalp, has more


def flat_channels(channels: Float[np.ndarray, "channel time"]) -> list[int]:
    """The channels of a block that are flat in most parts of it; where samples are missing, nothing is flat."""
    size = min(PART, channels.shape[1])
    parts = channels[:, : channels.shape[1] // size * size].reshape(len(channels), -1, size)
    flat = parts.std(axis=2) < _FLAT_UV
    return np.flatnonzero(flat.mean(axis=1) > 0.5).tolist()


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
