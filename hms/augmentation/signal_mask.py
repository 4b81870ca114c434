"""Blank a span of time and a band of frequencies of all pairs: what `spectrogram_mask` does to images.

A network that reads waves sees a gap, one that transforms them a masked column or row. Source: SpecAugment (Park et al.
2019, arXiv 1904.08779), and the cutout of the 4th place. Changed: both act on the waves, before any transform, because
each extractor has its own.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from hms.augmentation.spectrum import filtered, frequencies_hz
from hms.batch import Signals
from hms.cached_tensor import indices
from hms.electrodes import SFREQ_HZ
from hms.ranges import want_probability
from hms.window_lengths import EEG_S

Pairs = Float[Tensor, "batch pair time"]


class SignalMask:
    """Set up to `longest_s` seconds of a window to 0, the mean, with probability `time_p`; and with `band_p` remove a
    band up to `widest_hz` wide, below `below_hz`. Length, width and place are uniform."""

    acts_on = "signals"
    eeg_only = True

    def __init__(self, time_p: float, longest_s: float, band_p: float, widest_hz: float, below_hz: float):
        want_probability(time_p=time_p, band_p=band_p)
        if not 0 < longest_s <= EEG_S:
            raise ValueError(f"longest_s: want more than 0, up to {EEG_S}, got {longest_s}")
        if not 0 < widest_hz <= below_hz <= SFREQ_HZ / 2:
            wish = f"want 0 < widest_hz <= below_hz <= {SFREQ_HZ / 2:g}"
            raise ValueError(f"widest_hz, below_hz: {wish}, got {widest_hz}, {below_hz}")
        self.time_p, self.longest_s, self.band_p = time_p, longest_s, band_p
        self.widest_hz, self.below_hz = widest_hz, below_hz

    def __call__(self, signals: Signals) -> Signals:
        pairs = signals.pairs
        gap, length, start, band, width, low = torch.rand(6, len(pairs), device=pairs.device)
        length_s = torch.where(gap < self.time_p, self.longest_s * length, 0)
        start_s = start * (pairs.shape[-1] / SFREQ_HZ - length_s)
        width_hz = torch.where(band < self.band_p, self.widest_hz * width, 0)
        low_hz = low * (self.below_hz - width_hz)
        return signals._replace(pairs=blank(stop(pairs, low_hz, width_hz), start_s, length_s))


def stop(pairs: Pairs, low_hz: Float[Tensor, " batch"], width_hz: Float[Tensor, " batch"]) -> Pairs:
    """Remove the frequencies from `low_hz` to `low_hz + width_hz`; a width of 0 changes nothing."""
    hz, low = frequencies_hz(pairs.shape[-1], pairs.device), low_hz[:, None]
    kept = (hz < low) | (hz >= low + width_hz[:, None])
    return torch.where(width_hz[:, None, None] > 0, filtered(pairs, kept[:, None].float()), pairs)


def blank(pairs: Pairs, start_s: Float[Tensor, " batch"], length_s: Float[Tensor, " batch"]) -> Pairs:
    """Set `length_s` seconds from `start_s` on to 0."""
    at_s, start = indices(pairs.shape[-1], pairs.device) / SFREQ_HZ, start_s[:, None]
    return pairs.masked_fill(((at_s >= start) & (at_s < start + length_s[:, None]))[:, None], 0)
