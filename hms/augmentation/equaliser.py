"""Amplify frequencies at random: skull, age, sedation and amplifier give every EEG a spectrum of its own.

A model that learns from simulated EEG, or from one hospital's, must not recognise a pattern by the exact slope of the
spectrum under it.
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor

from hms.augmentation.spectrum import filtered, frequencies_hz
from hms.batch import Signals
from hms.electrodes import SFREQ_HZ
from hms.ranges import want_at_least, want_probability

_LOWEST_HZ = 0.5
_OCTAVES = math.ceil(math.log2(SFREQ_HZ / 2 / _LOWEST_HZ))


class Equaliser:
    """Apply a smooth random gain over frequency to the pairs of each window, with probability `p`.

    The gain is N(0, `spread_db`) at 0.5, 1, 2 ... Hz and linear between these octaves. A window's pairs share it, as
    they share head and amplifier.
    """

    acts_on = "signals"
    eeg_only = True

    def __init__(self, p: float, spread_db: float):
        want_probability(p=p)
        want_at_least(0, spread_db=spread_db)
        self.p, self.spread_db = p, spread_db

    def __call__(self, signals: Signals) -> Signals:
        pairs = signals.pairs
        marked = torch.rand(len(pairs), device=pairs.device) < self.p
        gain_db = self.spread_db * torch.randn(len(pairs), _OCTAVES + 1, device=pairs.device)
        return signals._replace(pairs=torch.where(marked[:, None, None], apply_gain(pairs, gain_db), pairs))


def apply_gain(
    pairs: Float[Tensor, "batch pair time"], gain_db: Float[Tensor, "batch octave"]
) -> Float[Tensor, "batch pair time"]:
    """Apply each window's gain at 0.5, 1, 2 ... Hz; slower waves get the first, faster ones the last."""
    hz = frequencies_hz(pairs.shape[-1], pairs.device)
    octave = (hz.clamp(min=_LOWEST_HZ) / _LOWEST_HZ).log2().clamp(max=gain_db.shape[1] - 1.001)
    below = octave.floor().long()
    db = torch.lerp(gain_db[:, below], gain_db[:, below + 1], (octave - below)[None])
    return filtered(pairs, 10 ** (db[:, None] / 20))
