"""What stands for missing samples."""

import pytest
import torch

from hms.preprocess.missing import filled

NAN = torch.nan


@pytest.mark.parametrize(
    ("given", "want"),
    [
        ([NAN, NAN, 1, 2, 3, 4, NAN], [3, 2, 1, 2, 3, 4, 3]),
        ([NAN, NAN, NAN, NAN, NAN, 1, 2], [2, 1, 2, 1, 2, 1, 2]),
        ([NAN, NAN, 1, 5, 4, NAN, NAN], [4, 5, 1, 5, 4, 5, 1]),
        ([NAN, NAN, 7, NAN, NAN, NAN, NAN], [7] * 7),
        ([NAN] * 7, [0] * 7),
        ([1, 2, NAN, NAN, 6, 7, 8], [1, 2, 24 / 5, 24 / 5, 6, 7, 8]),
        ([1, torch.inf, 3, 4, 5, 6, 7], [1, 65504, 3, 4, 5, 6, 7]),
    ],
)
def test_a_window_goes_on_as_its_mirror_image_and_gaps_have_the_mean(given: list[float], want: list[float]):
    found, _ = filled(torch.tensor(given)[None, None], "mirror")
    torch.testing.assert_close(found[0, 0], torch.tensor(want, dtype=torch.float32))


def test_the_ends_are_those_of_all_electrodes_and_each_window_has_its_own():
    eeg = torch.arange(24.0).reshape(2, 2, 6)
    eeg[0, 0, :2], eeg[0, 1, :1] = NAN, NAN  # the first electrode lost a sample more than its recording
    found, missing = filled(eeg, "mirror")
    torch.testing.assert_close(found[0], torch.tensor([[2, 3.2, 2, 3, 4, 5], [8, 7, 8, 9, 10, 11]]))
    assert missing is not None
    assert missing[0, 0].tolist() == [False, True, False, False, False, False]
    assert torch.equal(found[1], eeg[1])
    assert not missing[1].any()


def test_windows_are_filled_to_the_bit_as_those_with_a_gradient_are_which_are_all_mirrored():
    torch.manual_seed(0)
    for _ in range(20):
        eeg = torch.randn(6, 3, 40)
        eeg[torch.rand(eeg.shape) < 0.2] = NAN  # in some windows at an end of all electrodes
        eeg[0], eeg[1, :, -1], eeg[2, :, :7], eeg[3, 1] = NAN, NAN, NAN, NAN
        (found, missing), (want, want_missing) = filled(eeg, "mirror"), filled(eeg.clone().requires_grad_(), "mirror")
        assert torch.equal(found, want)
        assert torch.equal(missing, want_missing)


def test_zero_is_zero_and_the_input_stays():
    eeg = torch.tensor([NAN, 5, NAN, -torch.inf])[None, None]
    found, missing = filled(eeg, "zero")
    assert found.flatten().tolist() == [0, 5, 0, -65504]
    assert missing is not None
    assert missing.flatten().tolist() == [True, False, True, False]
    assert eeg.isnan().sum() == 2


def test_complete_half_precision_is_copied_and_nothing_is_said_to_be_missing():
    eeg = torch.randn(2, 3, 50).half()
    found, missing = filled(eeg.transpose(1, 2), "mirror")
    assert missing is None
    assert found.dtype == torch.float32
    assert found.is_contiguous()
    assert torch.equal(found, eeg.transpose(1, 2).float())
