import pytest
import torch

from hms.augmentation.brain_flip import BrainFlip, flip
from hms.augmentation.head_scale import HeadScale
from hms.batch import Batch
from hms.electrodes import ELECTRODES, FRONT_BACK, LEFT_RIGHT

AUGMENTATIONS = {"brain_flip": BrainFlip(0.5, 0.5), "head_scale": HeadScale(0.0375)}
IDENTITIES = {"brain_flip": BrainFlip(0.0, 0.0), "head_scale": HeadScale(0.0)}


def batch(dtype: torch.dtype = torch.float32) -> Batch:
    torch.manual_seed(0)
    eeg, power = torch.randn(8, 20, 50).to(dtype), torch.rand(8, 4, 6, 5).to(dtype)
    return Batch(eeg, power, torch.softmax(torch.randn(8, 6), 1), torch.rand(8), torch.arange(8))


@pytest.mark.parametrize("name", AUGMENTATIONS)
@pytest.mark.parametrize("dtype", [torch.float16, torch.float32])
def test_shape_and_type_stay_and_the_batch_is_not_edited(name: str, dtype: torch.dtype):
    given = batch(dtype)
    made = AUGMENTATIONS[name](given)
    for before, after, untouched in zip(given, made, batch(dtype), strict=True):
        assert after.shape == before.shape
        assert after.dtype == before.dtype
        assert torch.equal(before, untouched)
    assert not torch.equal(made.eeg, given.eeg)
    torch.testing.assert_close(made.target.sum(dim=1), torch.ones(8))


@pytest.mark.parametrize("name", IDENTITIES)
def test_probability_or_spread_zero_changes_nothing(name: str):
    for before, after in zip(batch(), IDENTITIES[name](batch()), strict=True):
        assert torch.equal(before, after)


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_the_same_seed_gives_the_same_result(name: str):
    made = []
    for _ in range(2):
        given = batch()
        torch.manual_seed(5)
        made.append(AUGMENTATIONS[name](given).eeg)
    assert torch.equal(*made)


@pytest.mark.parametrize("left_right", [False, True])
@pytest.mark.parametrize("front_back", [False, True])
def test_flipping_twice_changes_nothing(left_right: bool, front_back: bool):
    marks = {"left_right": torch.full((8,), left_right), "front_back": torch.full((8,), front_back)}
    twice = flip(flip(batch(), **marks), **marks)
    for before, after in zip(batch(), twice, strict=True):
        assert torch.equal(before, after)


def test_a_flip_moves_electrodes_to_their_partners_and_swaps_the_hemispheres_regions():
    given = batch()
    off, on = torch.zeros(8, dtype=torch.bool), torch.ones(8, dtype=torch.bool)
    mirrored = flip(given, on, off)
    assert torch.equal(mirrored.eeg, given.eeg[:, LEFT_RIGHT])
    assert torch.equal(mirrored.spectrogram, given.spectrogram[:, [1, 0, 3, 2]])
    turned = flip(given, off, on)
    assert torch.equal(turned.eeg, given.eeg[:, FRONT_BACK])
    assert torch.equal(turned.spectrogram, given.spectrogram)
    both = flip(given, on, on).eeg[:, ELECTRODES.index("Fp1")]
    assert torch.equal(both, given.eeg[:, ELECTRODES.index("O2")])


def test_each_window_is_flipped_by_itself():
    marks = torch.arange(8) % 2 == 0
    made = flip(batch(), marks, ~marks)
    assert torch.equal(made.eeg[0], batch().eeg[0, LEFT_RIGHT])
    assert torch.equal(made.eeg[1], batch().eeg[1, FRONT_BACK])


def test_head_scale_stays_within_its_spread_and_differs_between_windows():
    factor = HeadScale(0.1)(batch()).eeg / batch().eeg
    assert factor.std(dim=(1, 2)).max() < 1e-5
    assert 0.9 <= factor.min() < factor.max() <= 1.1
    assert factor[:, 0, 0].unique().numel() == 8


def test_impossible_settings_are_refused():
    with pytest.raises(ValueError, match=r"front_back: want a probability, got 1\.5"):
        BrainFlip(0.5, 1.5)
    with pytest.raises(ValueError, match="spread: want 0 up to 1, got 1"):
        HeadScale(1)
