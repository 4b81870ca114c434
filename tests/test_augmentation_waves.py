"""What is specific to augmentations that move, turn, filter or blank waves."""

import pytest
import torch
from material import Launches
from material import batch as recorded
from tiny_batches import assert_equal, batch, signals

from hms.augmentation.band_limit import BandLimit, limit
from hms.augmentation.polarity import Polarity
from hms.augmentation.signal_mask import SignalMask, blank, stop
from hms.augmentation.time_reversal import TimeReversal
from hms.augmentation.window_shift import WindowShift, shift
from hms.batch import Batch, Signals


def in_time(size: int = 4) -> Batch:
    """20 s whose samples, and 10 rows whose powers, count from 0."""
    eeg, power = torch.arange(4000.0).expand(size, 2, -1), torch.arange(10.0)[:, None].expand(size, 4, -1, 5)
    return batch(size)._replace(eeg=eeg, spectrogram=power)


def tones(*hz: float, size: int = 1) -> torch.Tensor:
    """(size, len(hz), 2000): a sine of SD 1 in each pair, 10 s long."""
    t_s = torch.arange(2000) / 200
    return torch.stack([2**0.5 * torch.sin(2 * torch.pi * each * t_s) for each in hz]).expand(size, -1, -1)


def of(pairs: torch.Tensor) -> Signals:
    return Signals(pairs, None, torch.full((len(pairs), 6), 1 / 6), torch.ones(len(pairs)))


def test_frequencies_and_indices_are_made_once():
    for change in (BandLimit(0.5, 2, [0.5, 2], [10, 20]), SignalMask(0.5, 0.1, 0.5, 4, 20)):
        change(signals())
        with Launches() as counted:
            change(signals())
        assert not [name for name in counted.made if name.startswith("aten.arange")], change


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


# Filters and gaps


def test_a_band_limit_halves_the_power_at_its_corners_and_spares_other_pairs():
    pairs = tones(1.0, 4.0, 16.0, 64.0, 1.0)
    marked = torch.tensor([[True, True, True, True, False]])
    power = limit(pairs, marked, torch.tensor([1.0]), torch.tensor([16.0])).var(dim=2)[0]
    assert power.tolist() == pytest.approx([0.5, 0.992, 0.5, 0.0039, 1.0], abs=2e-3)
    offset = limit(torch.ones(1, 5, 2000), marked, torch.tensor([1.0]), torch.tensor([16.0]))
    assert offset[0, :, 0].tolist() == pytest.approx([0, 0, 0, 0, 1], abs=1e-6)


def test_band_limits_draw_pairs_and_corners_for_each_window():
    torch.manual_seed(0)
    pairs = tones(*[2.0] * 8, size=500)
    power = BandLimit(p=0.5, most=3, low_hz=[0.5, 2], high_hz=[10, 20])(of(pairs)).pairs.var(dim=2)
    changed = power < 0.999
    number = changed.sum(dim=1)
    assert [round(float((number == k).double().mean()), 1) for k in range(4)] == [0.5, 0.2, 0.2, 0.2]
    assert changed.any(dim=0).all()
    lost = power.min(dim=1).values[number > 0]  # at 2 Hz, by the lower corner
    assert 0.49 < lost.min() < 0.6
    assert lost.max() > 0.98


def test_a_band_that_is_stopped_leaves_the_others_as_they_were():
    pairs = tones(3.0, 5.0, 7.0, size=2)
    after = stop(pairs, torch.tensor([4.0, 4.0]), torch.tensor([2.0, 0.0]))
    torch.testing.assert_close(after[0], pairs[0] * torch.tensor([1.0, 0.0, 1.0])[:, None], atol=1e-3, rtol=0)
    assert torch.equal(after[1], pairs[1])


def test_a_gap_in_time_is_where_it_should_be_in_all_pairs():
    after = blank(torch.ones(2, 3, 2000), torch.tensor([2.0, 5.0]), torch.tensor([1.5, 0.0]))
    assert (after == after[:, :1]).all()
    assert (after[0, 0] == 0).nonzero()[:, 0].tolist() == [*range(400, 700)]
    assert (after[1] == 1).all()


def test_gaps_reach_everywhere_and_stay_within_their_limits():
    torch.manual_seed(0)
    hidden = SignalMask(time_p=0.5, longest_s=2, band_p=0.0, widest_hz=4, below_hz=20)(of(torch.ones(2000, 1, 2000)))
    gone = hidden.pairs[:, 0] == 0
    length = gone.sum(dim=1)
    assert abs((length > 0).double().mean() - 0.5) < 0.04
    assert 395 < length.max() <= 401
    assert abs(length[length > 0].double().mean() - 200) < 10
    assert gone[:, 20:-20].any(dim=0).all()
    noise = torch.randn(500, 1, 2000)
    heard = SignalMask(time_p=0.0, longest_s=2, band_p=0.5, widest_hz=4, below_hz=20)(of(noise)).pairs
    kept = torch.fft.rfft(heard).abs()[:, 0] / torch.fft.rfft(noise).abs()[:, 0]
    stopped = (kept < 0.01).sum(dim=1) / 10  # Hz
    assert abs((stopped > 0).double().mean() - 0.5) < 0.07
    assert 3.5 < stopped.max() <= 4.1
    assert (kept[:, 201:] > 0.99).all()


# Messages


def test_impossible_settings_are_refused():
    for make, text in (
        (lambda: WindowShift(1.5, 5), r"p: want a probability, got 1\.5"),
        (lambda: WindowShift(1.0, 30), "most_s: want 0 to 25, got 30"),
        (lambda: TimeReversal(-1), "p: want a probability, got -1"),
        (lambda: Polarity(2), "p: want a probability, got 2"),
        (lambda: BandLimit(2, 8, [0.5, 2], [10, 20]), "p: want a probability, got 2"),
        (lambda: BandLimit(0.5, 0, [0.5, 2], [10, 20]), "most: want at least 1, got 0"),
        (
            lambda: BandLimit(0.5, 8, [2, 0.5], [10, 20]),
            r"low_hz, high_hz: want two rising values each, above 0 and up to 100, low below high, got \[2, 0\.5\],",
        ),
        (lambda: BandLimit(0.5, 8, [0.5, 10], [10, 20]), "low_hz, high_hz: want two"),
        (lambda: BandLimit(0.5, 8, [0.5, 2], [10, 120]), "low_hz, high_hz: want two"),
        (lambda: BandLimit(0.5, 8, [0, 2], [10, 20]), "low_hz, high_hz: want two"),
        (lambda: SignalMask(0.5, 51, 0.5, 4, 20), "longest_s: want more than 0, up to 50, got 51"),
        (
            lambda: SignalMask(0.5, 5, 0.5, 4, 300),
            "widest_hz, below_hz: want 0 < widest_hz <= below_hz <= 100, got 4, 300",
        ),
        (lambda: SignalMask(0.5, 5, 2, 4, 20), "band_p: want a probability, got 2"),
        (lambda: SignalMask(0.5, 0, 0.5, 4, 20), "longest_s: want more than 0, up to 50, got 0"),
        (
            lambda: SignalMask(0.5, 5, 0.5, 30, 20),
            "widest_hz, below_hz: want 0 < widest_hz <= below_hz <= 100, got 30, 20",
        ),
    ):
        with pytest.raises(ValueError, match=f"^{text}"):
            make()
