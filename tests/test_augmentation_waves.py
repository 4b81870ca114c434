"""What is specific to augmentations that move or turn waves."""

import pytest
import torch
from material import batch as recorded
from test_augmentation import assert_equal, batch

from hms.augmentation.polarity import Polarity
from hms.augmentation.time_reversal import TimeReversal
from hms.augmentation.window_shift import WindowShift, shift
from hms.batch import Batch


def in_time(size: int = 4) -> Batch:
    """20 s whose samples, and 10 rows whose powers, count from 0."""
    eeg, power = torch.arange(4000.0).expand(size, 2, -1), torch.arange(10.0)[:, None].expand(size, 4, -1, 5)
    return batch(size)._replace(eeg=eeg, spectrogram=power)


# Window shift


def test_a_window_moves_by_seconds_and_its_spectrogram_by_the_nearest_rows():
    given = in_time()
    after = shift(given, torch.tensor([0.0, 2.5, -2.5, 4.0]))
    assert_equal(Batch(*(part[:1] for part in after)), Batch(*(part[:1] for part in given)))
    assert torch.equal(after.eeg[1, :, :3500], given.eeg[1, :, 500:])
    assert torch.equal(after.eeg[2, :, 500:], given.eeg[2, :, :3500])
    assert torch.equal(after.spectrogram[1, :, :9], given.spectrogram[1, :, 1:])
    assert torch.equal(after.spectrogram[2, :, 1:], given.spectrogram[2, :, :9])
    assert torch.equal(after.spectrogram[3, :, :8], given.spectrogram[3, :, 2:])


def test_a_shift_mirrors_the_end_into_what_it_uncovers():
    after = shift(in_time(2), torch.tensor([0.02, -0.02]))
    assert after.eeg[0, 0, -6:].tolist() == [3998, 3999, 3998, 3997, 3996, 3995]
    assert after.eeg[1, 0, :6].tolist() == [4, 3, 2, 1, 0, 1]


def test_shifts_are_uniform_up_to_the_most_and_spare_some_windows():
    torch.manual_seed(0)
    first = WindowShift(p=0.75, most_s=1.0)(in_time(1000)).eeg[:, 1, 2000] - 2000
    assert abs((first == 0).double().mean() - 0.25) < 0.05
    moved = first[first != 0]
    assert -200 <= moved.min() < -190 < 190 < moved.max() <= 200
    assert abs(moved.mean()) < 15
    assert abs(moved.std() - 400 / 12**0.5) < 7


def test_a_shift_by_half_the_window_stays_inside_it():
    given = recorded(2)
    assert WindowShift(p=1.0, most_s=25)(given).eeg.isfinite().all()
    after = shift(given, torch.tensor([25.0, -25.0]))
    assert torch.equal(after.eeg[0, :, :5000], given.eeg[0, :, 5000:])
    assert torch.equal(after.spectrogram[1, :, 12:], given.spectrogram[1, :, :288])  # half a row is rounded to even


# Time reversal and polarity


def test_time_is_reversed_in_eeg_and_spectrogram_of_the_same_windows():
    torch.manual_seed(0)
    given, after = in_time(400), TimeReversal(p=0.25)(in_time(400))
    eeg, power = (after[k][:, 0].flatten(1)[:, 0] > 0 for k in (0, 1))
    assert torch.equal(eeg, power)
    assert abs(eeg.double().mean() - 0.25) < 0.06
    for k in (0, 1):
        assert torch.equal(after[k][eeg], given[k][eeg].flip(2))
        assert torch.equal(after[k][~eeg], given[k][~eeg])


def test_polarity_changes_the_sign_of_whole_windows_and_nothing_else():
    torch.manual_seed(0)
    given = batch(400)
    sign = Polarity(p=0.25)(given).eeg / given.eeg
    assert (sign == sign[:, :1, :1]).all()
    assert abs((sign[:, 0, 0] == -1).double().mean() - 0.25) < 0.06
    assert_equal(Polarity(p=1.0)(given)._replace(eeg=given.eeg), given)


# Messages


def test_impossible_settings_are_refused():
    for make, text in (
        (lambda: WindowShift(1.5, 5), r"p: want a probability, got 1\.5"),
        (lambda: WindowShift(1.0, 30), "most_s: want 0 to 25, got 30"),
        (lambda: TimeReversal(-1), "p: want a probability, got -1"),
        (lambda: Polarity(2), "p: want a probability, got 2"),
    ):
        with pytest.raises(ValueError, match=f"^{text}"):
            make()
