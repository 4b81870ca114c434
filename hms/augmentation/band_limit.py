"""Keep only a narrower band of frequencies in some pairs, so that no prediction depends on the details of one pair.

`equaliser` gives all pairs of a window one smooth gain; here some pairs lose what the others keep. Source: 3rd place,
which filters 1 to 8 of its 16 pairs. Changed: the filter does not shift phases.
"""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from hms.augmentation.spectrum import filtered, frequencies_hz
from hms.batch import Signals
from hms.electrodes import SFREQ_HZ
from hms.ranges import want_at_least, want_probability

_ORDER = 2


class BandLimit:
    """Band-pass 1 to `most` pairs of a window, the same for all of them, with probability `p`.

    The corners of the filter, with the gain of a Butterworth filter of second order, are uniform: the lower one within
    the two values of `low_hz`, the upper one within those of `high_hz`.
    """

    acts_on = "signals"
    eeg_only = True

    def __init__(self, p: float, most: int, low_hz: list[float], high_hz: list[float]):
        want_probability(p=p)
        want_at_least(1, most=most)
        corners = [*low_hz, *high_hz, SFREQ_HZ / 2]
        rising = len(corners) == 5 and 0 < corners[0] <= corners[1] < corners[2] <= corners[3] <= corners[4]
        if len(low_hz) != 2 or not rising:
            wish = f"want two rising values each, above 0 and up to {SFREQ_HZ / 2:g}, low below high"
            raise ValueError(f"low_hz, high_hz: {wish}, got {low_hz}, {high_hz}")
        self.p, self.most, self.low_hz, self.high_hz = p, most, low_hz, high_hz

    def __call__(self, signals: Signals) -> Signals:
        batch, count, _ = signals.pairs.shape
        draw, number, *corners = torch.rand(4, batch, device=signals.pairs.device)
        number = torch.where(draw < self.p, 1 + (self.most * number).floor(), 0)
        rank = torch.rand(batch, count, device=signals.pairs.device).argsort(dim=1).argsort(dim=1)
        low, high = (
            first + (last - first) * drawn
            for (first, last), drawn in zip((self.low_hz, self.high_hz), corners, strict=True)
        )
        return signals._replace(pairs=limit(signals.pairs, rank < number[:, None], low, high))


def limit(
    pairs: Float[Tensor, "batch pair time"],
    marked: Bool[Tensor, "batch pair"],
    low_hz: Float[Tensor, " batch"],
    high_hz: Float[Tensor, " batch"],
) -> Float[Tensor, "batch pair time"]:
    """Keep `low_hz` to `high_hz` of the marked pairs."""
    hz = frequencies_hz(pairs.shape[-1], pairs.device)
    below, above = (low_hz[:, None] / hz) ** (2 * _ORDER), (hz / high_hz[:, None]) ** (2 * _ORDER)
    gain = ((1 + below) * (1 + above)).rsqrt()  # 0 at 0 Hz, where `below` is infinite
    return torch.where(marked[:, :, None], filtered(pairs, gain[:, None]), pairs)
