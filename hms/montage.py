"""Differences between electrodes: the pairs that a model reads, in named groups.

A pair is written anode-cathode, as in `Fp1-F7`. Everything computed from the pairs keeps their order.
"""

from collections.abc import Sequence
from typing import Literal

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from hms.electrodes import FLIPS, LEFT_RIGHT, SCALP


class Montage(nn.Module):
    """(batch, electrode, time) -> (batch, pair, time); `groups` maps a name to pairs such as `Fp1-F7`.

    Electrodes are in the order of `SCALP`; a channel after them (EKG) is ignored.

    With `order="mirrored"` each pair is followed by its partner in the other hemisphere, if its group has one, so that
    an image network sees the two side by side (3rd place); "listed" keeps the order given.
    """

    matrix: Tensor
    flipped_places: Int[Tensor, "flip pair"] | None
    """Places of the pairs' `counterparts` in each of `FLIPS`; None if these are not the same pairs as the montage's."""
    flipped_signs: Float[Tensor, "flip pair 1"] | None
    """Their signs."""

    def __init__(self, groups: dict[str, list[str]], order: Literal["listed", "mirrored"]):
        super().__init__()
        self.groups = {
            name: _mirrored(pairs) if order == "mirrored" else tuple(pairs) for name, pairs in groups.items()
        }
        self.pairs = tuple(pair for pairs in self.groups.values() for pair in pairs)
        if not self.pairs:
            raise ValueError("groups: want at least one pair, got none")
        matrix = torch.zeros(len(self.pairs), len(SCALP))
        for row, pair in zip(matrix, self.pairs, strict=True):
            anode, cathode = _electrodes_of(pair)
            row[SCALP.index(anode)], row[SCALP.index(cathode)] = 1.0, -1.0
        self.register_buffer("matrix", matrix, persistent=False)
        places, signs = self._flipped() or (None, None)
        self.register_buffer("flipped_places", places, persistent=False)
        self.register_buffer("flipped_signs", signs, persistent=False)

    def forward(self, eeg: Float[Tensor, "batch electrode time"]) -> Float[Tensor, "batch pair time"]:
        return self.matrix @ eeg[:, : len(SCALP)]

    def touched(self, missing: Bool[Tensor, "batch electrode time"]) -> Bool[Tensor, "batch pair time"]:
        """Where one of a pair's two electrodes is missing."""
        return self.matrix.abs() @ missing.to(self.matrix.dtype) > 0

    def counterparts(self, channels: Sequence[int]) -> list[tuple[int, int]]:
        """The place of the pair that each becomes when its electrodes are replaced by those that `channels` names.

        With it -1 if that pair is written the other way round (P3-P4, mirrored), else 1. Raises ValueError if the
        montage lacks it.
        """
        return [self._place(pair, _replaced(pair, channels)) for pair in self.pairs]

    def _flipped(self) -> tuple[Int[Tensor, "flip pair"], Float[Tensor, "flip pair 1"]] | None:
        try:
            found = torch.tensor([self.counterparts(channels) for channels in FLIPS.values()])
        except ValueError:
            return None
        places, signs = found.unbind(dim=2)
        every = torch.arange(len(self.pairs)).expand_as(places)  # not so if a pair is listed twice
        return (places, signs[..., None].float()) if places.sort(dim=1).values.equal(every) else None

    def _place(self, pair: str, counterpart: str) -> tuple[int, int]:
        for name, sign in ((counterpart, 1), ("-".join(reversed(_electrodes_of(counterpart))), -1)):
            if name in self.pairs:
                return self.pairs.index(name), sign
        raise ValueError(f"groups: want each pair's mirror image, got none of {pair}, which is {counterpart}")


def _electrodes_of(pair: str) -> tuple[str, str]:
    names = tuple(pair.split("-"))
    if len(names) != 2 or names[0] == names[1] or not set(names) <= set(SCALP):
        raise ValueError(f"groups: want two of {' '.join(SCALP)} joined by '-', got '{pair}'")
    return names[0], names[1]


def _mirrored(pairs: list[str]) -> tuple[str, ...]:
    """The pairs in their order, except that each is followed by its partner."""
    interleaved = (pair for listed in pairs for pair in (listed, _replaced(listed, LEFT_RIGHT)))
    return tuple(pair for pair in dict.fromkeys(interleaved) if pair in pairs)


def _replaced(pair: str, channels: Sequence[int]) -> str:
    return "-".join(SCALP[channels[SCALP.index(electrode)]] for electrode in _electrodes_of(pair))
