"""A montage subtracts pairs of electrodes, in the order of its groups or mirrored."""

import pytest
import torch
from material import config

from hms.montage import Montage


def test_the_montage_subtracts_cathode_from_anode():
    eeg = torch.arange(20.0)[None, :, None].expand(1, 20, 5)
    montage = Montage({"a": ["Fp1-F3"], "b": ["O2-T6"]}, "listed")
    assert montage(eeg)[0, :, 0].tolist() == [0 - 1, 18 - 17]
    assert torch.equal(montage(eeg.clone().requires_grad_()), montage(eeg))


def test_a_montage_may_put_each_pair_next_to_its_mirror_image():
    listed = ["O1-T3", "C3-Fp1", "Fz-Cz", "P3-P4", "O2-T4", "C4-Fp2", "F7-T3"]
    mirrored = ("O1-T3", "O2-T4", "C3-Fp1", "C4-Fp2", "Fz-Cz", "P3-P4", "F7-T3")
    assert Montage({"a": listed, "b": ["O2-T6"]}, "mirrored").pairs == (*mirrored, "O2-T6")
    assert Montage({"a": listed}, "listed").pairs == tuple(listed)
    banana = config("montage=banana18")["montage"]["groups"]
    assert Montage(banana, "mirrored").pairs == Montage(banana, "listed").pairs


@pytest.mark.parametrize("pair", ["Fp1-Fp1", "Fp1F3", "Fp1-EKG", "Fp1-A1", "Fp1-F3-C3"])
def test_the_montage_refuses_invalid_pairs(pair: str):
    with pytest.raises(ValueError, match=f"groups: want two of Fp1 .* joined by '-', got '{pair}'"):
        Montage({"a": [pair]}, "listed")
