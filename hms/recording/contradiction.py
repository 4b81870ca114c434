"""Find channels that contradict others, where a file measures the same difference in more than one way.

Least squares spread the error of one channel over the electrodes that it shares with others, so that several
electrodes are slightly wrong and nothing would be reported. Such a channel may be a pair, added to an EEG against a
reference, that has other filters, another montage or a wrong name.
"""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from jaxtyping import Float

from hms.recording.channel_names import Lead

_SHARE, _LEAST_UV = 0.3, 2.0
"""From which SD a contradiction is noted: of the channels' own, and in any case; rounding and filters make less."""

_TIED = 0.99


def contradictions(
    leads: Sequence[Lead],
    residual: Float[np.ndarray, "channel channel"],
    probes: Iterable[Float[np.ndarray, "channel time"]],
) -> Iterator[str]:
    """Yield a note on the channel without which the rest agree best, or on several if that could be any of them.

    `residual` is that of the reconstruction, and `probes` are stretches of the channels in µV.
    """
    freedom = residual.diagonal()  # 0: no other channels measure the same
    checked = np.flatnonzero(freedom > 1e-9)
    if not len(checked):
        return
    left_uv, own_uv = [], []
    for probe in probes:
        if np.isfinite(probe).all():
            left_uv.append((residual @ probe).std(axis=1)[checked])
            own_uv.append(np.median(probe[checked].std(axis=1)))
    if not left_uv:
        return
    left = np.median(left_uv, axis=0)
    off_uv = left / freedom[checked]  # from what the others say
    gain = left / np.sqrt(freedom[checked])  # root of how much less is left without it
    if off_uv[gain.argmax()] > max(_LEAST_UV, _SHARE * np.median(own_uv)):
        named = ["-".join(filter(None, leads[i])) for i in checked[gain >= _TIED * gain.max()]]
        who = (
            f"{named[0]} contradicts the other channels"
            if len(named) == 1
            else f"{', '.join(named)} contradict each other"
        )
        yield f"{who}, by an SD of {off_uv[gain.argmax()]:.0f} µV, which spreads to their electrodes: check these."
