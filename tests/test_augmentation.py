"""What is specific to each augmentation; what all have in common is tested in test_contracts.py."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import ROOT
from material import Launches
from omegaconf import OmegaConf
from tiny_batches import assert_equal, batch, signals
from untrained_runs import teacher

from hms.augmentation import cropcat, cutmix, mixup, spectrogram_mask, want_applicable
from hms.augmentation.brain_flip import BrainFlip, flip
from hms.augmentation.coloured_noise import ColouredNoise, coloured
from hms.augmentation.contact import Contact
from hms.augmentation.cropcat import CropCat
from hms.augmentation.cutmix import CutMix
from hms.augmentation.edge_dropout import EdgeDropout, drop_edges
from hms.augmentation.equaliser import Equaliser, apply_gain
from hms.augmentation.head_scale import HeadScale
from hms.augmentation.mixing import draw_partner
from hms.augmentation.mixup import Mixup
from hms.augmentation.noise import Noise
from hms.augmentation.spectrogram_mask import SpectrogramMask
from hms.augmentation.teacher_labels import TeacherLabels
from hms.batch import Signals
from hms.electrodes import ELECTRODES, FRONT_BACK, LEFT_RIGHT, SCALP
from hms.errors import UserError

MASK = OmegaConf.to_container(OmegaConf.load(ROOT / "conf/augmentation/spectrogram_mask.yaml"))["spectrogram_mask"]
MASK.pop("_target_")


class ActsOn:
    def __init__(self, acts_on: str | None):
        self.acts_on = acts_on


@pytest.mark.parametrize("given", [None, "signal"])
def test_an_augmentation_that_would_never_be_applied_is_refused(given: str | None):
    text = rf"augmentation\.mine: want acts_on = 'electrodes' or 'signals', got {given!r}"
    with pytest.raises(UserError, match=text):
        want_applicable({"mine": ActsOn(given)})


def test_constants_that_depend_on_sizes_alone_are_made_once():
    changes = (Noise(1.0, 15), SpectrogramMask(**MASK), CropCat(0.5, 0.5), CutMix(0.5, 1.0), EdgeDropout(0.5, 0.5))
    for change, given in [*((each, signals()) for each in changes), (BrainFlip(0.5, 0.5), batch())]:
        with torch.inference_mode():
            torch.manual_seed(1)
            first = change(given)
        with Launches() as counted:
            torch.manual_seed(1)
            assert_equal(first, change(given))
        assert not [name for name in counted.made if name.startswith("aten.arange")], change


# Flips and scale


@pytest.mark.parametrize("left_right", [False, True])
@pytest.mark.parametrize("front_back", [False, True])
def test_flipping_twice_changes_nothing(left_right: bool, front_back: bool):
    marks = {"left_right": torch.full((8,), left_right), "front_back": torch.full((8,), front_back)}
    assert_equal(batch(), flip(flip(batch(), **marks), **marks))


def test_a_flip_swaps_electrodes_and_the_regions_of_the_hemispheres():
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


def test_each_window_is_flipped_independently():
    marks = torch.arange(8) % 2 == 0
    made = flip(batch(), marks, ~marks)
    assert torch.equal(made.eeg[0], batch().eeg[0, LEFT_RIGHT])
    assert torch.equal(made.eeg[1], batch().eeg[1, FRONT_BACK])


def test_head_scale_stays_within_its_spread_and_differs_between_windows():
    factor = HeadScale(0.1)(batch()).eeg / batch().eeg
    assert factor.std(dim=(1, 2)).max() < 1e-5
    assert 0.9 <= factor.min() < factor.max() <= 1.1
    assert factor[:, 0, 0].unique().numel() == 8


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32])
def test_contact_scales_or_blanks_whole_electrodes_and_keeps_the_gain_of_an_ekg_and_the_type(dtype: torch.dtype):
    given = batch(400)._replace(eeg=torch.full((400, 20, 50), 60_000.0, dtype=dtype))
    given.eeg[:, : len(SCALP)] /= 100
    given.eeg[:, 5, :20] = torch.nan
    after = Contact(spread=0.1, p=0.25)(given).eeg
    assert after.dtype == dtype
    loose = after.isnan().all(dim=2)
    assert abs(loose.double().mean() - 0.25) < 0.02
    assert loose.any(dim=0).all()
    assert torch.equal(after.isnan(), given.eeg.isnan() | loose[:, :, None])
    factor = (after / given.eeg)[..., 20:].float()
    assert (factor == factor[..., :1])[~loose].all()
    assert (factor[:, len(SCALP) :][~loose[:, len(SCALP) :]] == 1).all()
    scalp = factor[:, : len(SCALP), 0][~loose[:, : len(SCALP)]].log()
    assert abs(scalp.mean()) < 0.01
    assert scalp.std() == pytest.approx(0.1, abs=0.01)


def test_the_equaliser_gives_each_frequency_the_gain_of_its_octave():
    t_s = torch.arange(2000) / 200
    tones = torch.stack([torch.sin(2 * torch.pi * hz * t_s) for hz in (0.2, 2.0, 3.0, 100 / 3)])
    gain_db = torch.tensor([[-6.0, 0.0, 6.0, -6.0, 0.0, 0.0, 20.0, 20.0, 0.0]])
    db = 10 * (apply_gain(tones[None], gain_db)[0].var(dim=1) / tones.var(dim=1)).log10()
    between = 6.0 - 12.0 * math.log2(3.0 / 2.0)
    assert db[1:3].tolist() == pytest.approx([6.0, between], abs=0.05)
    assert db[0] == pytest.approx(-6.0, abs=0.05)  # slower than 0.5 Hz
    assert db[3] == pytest.approx(20.0, abs=0.05)


def test_coloured_noise_has_the_requested_slope_and_unit_sd():
    torch.manual_seed(0)
    noise = coloured(torch.tensor([0.0, 1.0, 2.0]), 20, 10000)
    np.testing.assert_allclose(noise.std(dim=(1, 2)), 1, atol=0.01)
    hz, power = torch.fft.rfftfreq(10000, 1 / 200), torch.fft.rfft(noise).abs().square().mean(dim=1)
    octaves = (power[:, (hz >= 3.5) & (hz < 4.5)].mean(1) / power[:, (hz >= 31.5) & (hz < 32.5)].mean(1)).log2()
    np.testing.assert_allclose(octaves, [0, 3, 6], atol=0.2)
    assert power[:, hz < 0.5].max() < 1e-6 * power.max()


def test_coloured_noise_is_independent_per_electrode_and_spares_some_windows_and_missing_samples():
    given = batch(64)._replace(eeg=torch.zeros(64, 20, 2000))
    given.eeg[:, 3] = torch.nan
    torch.manual_seed(0)
    made = ColouredNoise(0.5, 5.0, 20.0, 2.0)(given).eeg
    assert made[:, 3].isnan().all()
    sd = made[:, :3].std(dim=2)
    changed = sd[:, 0] > 0
    assert 0.3 < changed.double().mean() < 0.7
    assert sd[changed].min() > 3
    assert sd[changed].max() < 30
    assert sd[~changed].max() == 0
    assert abs(torch.corrcoef(made[changed][0, :3])[0, 1]) < 0.5
    with pytest.raises(ValueError, match="least_uv, most_uv: want 0 < least_uv <= most_uv, got 3, 2"):
        ColouredNoise(0.5, 3, 2, 2.0)


def test_the_equaliser_draws_for_each_window_and_spares_some():
    before, after = signals(), Equaliser(p=0.5, spread_db=3.0)(signals())
    changed = (before.pairs != after.pairs).any(dim=2)
    assert (changed.all(dim=1) | ~changed.any(dim=1)).all()
    assert 0 < changed[:, 0].sum() < len(changed)
    assert torch.equal(before.target, after.target)


# Windows mixed from two


def test_a_partner_is_another_window_and_each_window_is_the_partner_of_one():
    windows, first = signals(), set()
    for _ in range(100):
        partner = draw_partner(windows)
        assert sorted(partner.tolist()) == list(range(8))
        assert (partner != torch.arange(8)).all()
        first.add(int(partner[0]))
    assert first == set(range(1, 8))
    assert draw_partner(signals(size=1)).tolist() == [0]


@pytest.mark.parametrize("mixes", [CropCat(p=1.0, quarters=0.5), CutMix(p=1.0, alpha=1.0), Mixup(p=1.0, alpha=1.0)])
def test_a_single_window_is_not_mixed(mixes: CropCat | CutMix | Mixup):
    torch.testing.assert_close(mixes(signals(size=1)), signals(size=1))


def test_cropcat_takes_quarters_or_the_second_half_of_pairs_and_images_from_the_partner():
    before, partner = signals(), torch.arange(8).roll(-1)
    marked, quarters = torch.arange(8) < 6, torch.arange(8) < 3
    after = cropcat.cut(before, partner, marked, quarters)
    for own, new in ((before.pairs, after.pairs), (before.images, after.images)):
        for window in range(8):
            other, quarter = own[partner[window]], own.shape[2] // 4
            sources = {True: [own[window], other] * 2, False: [own[window]] * 2 + [other] * 2}[window < 3]
            sources = sources if window < 6 else [own[window]] * 4
            for k, source in enumerate(sources):
                span = slice(k * quarter, (k + 1) * quarter)
                assert torch.equal(new[window, :, span], source[:, span]), (window, k)
    torch.testing.assert_close(after.target[:6], (before.target[:6] + before.target[partner[:6]]) / 2)
    torch.testing.assert_close(after.weight[:6], (before.weight[:6] + before.weight[partner[:6]]) / 2)
    assert torch.equal(after.target[6:], before.target[6:])
    assert torch.equal(after.weight[6:], before.weight[6:])


def test_cropcat_cuts_the_requested_share_of_windows_in_quarters_or_halves():
    before = signals(images=False, size=4000)
    after = CropCat(p=0.5, quarters=0.8)(before)
    second_quarter = (after.pairs[:, 0, 20:40] != before.pairs[:, 0, 20:40]).all(dim=1)
    third_quarter = (after.pairs[:, 0, 40:60] != before.pairs[:, 0, 40:60]).all(dim=1)
    assert abs(second_quarter.float().mean() - 0.4) < 0.03
    assert abs(third_quarter.float().mean() - 0.1) < 0.02
    assert not (second_quarter & third_quarter).any()


def test_cutmix_takes_one_span_of_pairs_and_images_and_its_share_of_the_target():
    before, partner = signals(), torch.arange(8).roll(-1)
    start, share = torch.tensor([0.25, 0.0, 0.5, 0.9] * 2), torch.tensor([0.5, 1.0, 0.25, 0.0] * 2)
    after = cutmix.replace_span(before, partner, start, share)
    for own, new in ((before.pairs, after.pairs), (before.images, after.images)):
        for window in range(8):
            time = own.shape[2]
            first, last = round(float(start[window]) * time), round(float(start[window] + share[window]) * time)
            want = own[window].clone()
            want[:, first:last] = own[partner[window], :, first:last]
            assert torch.equal(new[window], want), window
    for old, new in ((before.target, after.target), (before.weight[:, None], after.weight[:, None])):
        torch.testing.assert_close(new, old * (1 - share[:, None]) + old[partner] * share[:, None])


def test_cutmix_mixes_targets_by_the_share_of_samples_it_took():
    label = torch.arange(2000) // 2 % 6
    before = signals(images=False, size=2000)._replace(target=torch.eye(6)[label])
    after = CutMix(p=0.5, alpha=1.0)(before)
    taken = (after.pairs != before.pairs)[:, 0].float().mean(dim=1)
    given_away = 1 - after.target.gather(1, label[:, None])[:, 0]
    mixed = (after.target > 0).sum(dim=1) == 2  # a partner of the same class leaves the target as it is
    assert mixed.sum() > 400
    assert (taken - given_away)[mixed].abs().max() <= 1 / 80 + 1e-6
    assert abs((taken > 0).float().mean() - 0.5) < 0.04
    shares = taken[taken > 0]
    assert abs(shares.mean() - 0.5) < 0.04  # alpha 1: all shares are equally likely
    assert abs(shares.std() - 1 / 12**0.5) < 0.03


def test_mixup_gives_each_window_the_same_share_of_its_partner_in_signals_images_target_and_weight():
    before, partner = signals(), torch.arange(8).roll(-1)
    share = torch.arange(8) / 8
    after = mixup.blend(before, partner, share)
    for name in ("pairs", "images", "target", "weight"):
        own, new = getattr(before, name), getattr(after, name)
        of_partner = share.reshape(-1, *[1] * (own.ndim - 1))
        torch.testing.assert_close(new, own * (1 - of_partner) + own[partner] * of_partner)
    assert torch.equal(after.pairs[0], before.pairs[0])  # a share of 0 changes no bit


def test_mixup_changes_the_requested_share_of_windows_and_keeps_mostly_one_of_the_two_if_alpha_is_small():
    label = torch.arange(4000) // 2 % 6
    before = signals(images=False, size=4000)._replace(target=torch.eye(6)[label])
    after = Mixup(p=0.5, alpha=0.1)(before)
    given_away = 1 - after.target.gather(1, label[:, None])[:, 0]
    mixed = (after.target > 0).sum(dim=1) == 2  # a partner of the same class leaves the target as it is
    assert abs((after.pairs != before.pairs).any(dim=(1, 2)).float().mean() - 0.5) < 0.05
    assert abs(given_away[mixed].mean() - 0.5) < 0.05
    assert ((given_away < 0.1) | (given_away > 0.9))[mixed].float().mean() > 0.7


def test_a_large_alpha_gives_shares_near_a_half():
    before = signals(images=False, size=200)
    taken = (CutMix(p=1.0, alpha=1000.0)(before).pairs != before.pairs)[:, 0].float().mean(dim=1)
    assert 0.4 < taken.min() <= taken.max() < 0.6


# Teacher labels


def test_a_teachers_targets_are_the_mean_prediction_of_its_runs_and_unknown_windows_keep_their_own(
    tmp_path: Path,
):
    one_hot = torch.eye(6).tolist()
    runs = [
        teacher(tmp_path / "a", {4: one_hot[0], 2: one_hot[1]}, {9: one_hot[2]}),
        teacher(tmp_path / "b", {2: one_hot[3]}),
    ]
    given = batch()
    after = TeacherLabels(runs, p=1.0)(given)
    assert after.target[4].tolist() == one_hot[0]
    assert after.target[2].tolist() == [0, 0.5, 0, 0.5, 0, 0]
    unknown = [row for row in range(8) if row not in (2, 4)]
    assert torch.equal(after.target[unknown], given.target[unknown])
    assert_equal(after._replace(target=given.target), given)


def test_a_teacher_replaces_the_requested_share_of_targets(tmp_path: Path):
    run = teacher(tmp_path, {label_id: [0, 0, 0, 0, 0, 1.0] for label_id in range(4000)})
    torch.manual_seed(0)
    made = TeacherLabels([run], p=0.3)(batch(4000))
    assert abs((made.target[:, 5] == 1).float().mean() - 0.3) < 0.03


def test_a_teacher_without_predictions_is_refused(tmp_path: Path):
    run, empty = teacher(tmp_path / "a", {1: [1.0, 0, 0, 0, 0, 0]}), str(tmp_path / "none")
    for runs, got in (([run, empty], empty), ([], "none")):
        with pytest.raises(UserError, match=f"^augmentation.teacher_labels.runs: want folders of runs, .*, got {got}$"):
            TeacherLabels(runs, p=0.5)


# Noise


def test_noise_has_a_third_of_sigma_in_the_centre_and_the_formulas_sd_elsewhere():
    torch.manual_seed(0)
    silence = signals()._replace(pairs=torch.zeros(64, 8, 10_000))
    noise = Noise(sigma=0.015, width_s=15)(silence).pairs
    assert abs(noise.mean()) < 1e-4
    for start in (0, 2000, 4900, 7000, 9900):  # samples; over 100 of them the SD hardly changes
        t = torch.arange(start, start + 100) - 5000.0
        g = 1 - torch.exp(-(t**2) / (2 * 3000**2))
        want = ((0.015 / 3) ** 2 + (0.015 * g) ** 2).sqrt().mean()
        assert abs(noise[:, :, start : start + 100].std() / want - 1) < 0.02
    assert abs(noise[:, :, 4900:5100].std() / 0.005 - 1) < 0.02
    flat = noise[:, :, ::1000].permute(2, 0, 1).flatten(1)
    assert torch.corrcoef(flat).fill_diagonal_(0).abs().max() < 0.2  # of 512 draws: samples are independent


def test_noise_differs_between_windows_and_pairs():
    noise = Noise(sigma=1.0, width_s=15)(signals()).pairs - signals().pairs
    assert torch.corrcoef(noise.flatten(0, 1)).fill_diagonal_(0).abs().max() < 0.6


# Images


def test_edge_dropout_blanks_both_ends_and_keeps_the_centre():
    images = torch.ones(4, 10, 300, 100)
    after = drop_edges(images, torch.tensor([0.0, 0.5, 0.9, 0.94]))
    for window, kept in enumerate((300, 150, 30, 18)):
        blank = (300 - kept) // 2
        assert (after[window, :, blank : 300 - blank] == 1).all()
        assert (after[window, :, :blank] == 0).all()
        assert (after[window, :, 300 - blank :] == 0).all()


def test_edge_dropout_draws_an_amount_up_to_the_maximum_for_each_window():
    windows = Signals(torch.zeros(1000, 1, 1), torch.ones(1000, 1, 300, 1), torch.ones(1000, 1), torch.ones(1000))
    torch.manual_seed(0)
    kept = EdgeDropout(p=0.5, most=0.8)(windows).images.mean(dim=(1, 2, 3))
    assert abs((kept == 1).float().mean() - 0.5) < 0.05
    changed = kept[kept < 1]
    assert 0.2 <= changed.min() < 0.22
    assert changed.unique().numel() > 100
    assert abs(changed.mean() - 0.6) < 0.03


def ramps(size: int = 2) -> torch.Tensor:
    """(size, 2, 300, 20) images that rise with time and frequency and are nowhere 0."""
    return (1 + torch.arange(300.0)[:, None] + 1000 * torch.arange(20.0)).expand(size, 2, -1, -1)


def only(**options: float) -> SpectrogramMask:
    return SpectrogramMask(**MASK | {key: 0.0 for key in MASK if key.endswith("_p")} | options)


def masked(images: torch.Tensor, **options: float) -> torch.Tensor:
    size = len(images)
    windows = Signals(torch.zeros(size, 1, 1), images, torch.ones(size, 1), torch.ones(size))
    return only(**options)(windows).images


def test_holes_are_rectangles_within_their_limits_and_reach_the_edges():
    torch.manual_seed(0)
    after = masked(torch.ones(2000, 1, 60, 40), coarse_p=1.0, holes=1, hole_rows=7, hole_columns=4)
    hole = after[:, 0] == 0
    rows, columns = hole.any(dim=2).sum(dim=1), hole.any(dim=1).sum(dim=1)
    assert torch.equal(rows * columns, hole.sum(dim=(1, 2)))  # a full rectangle
    assert set(rows.tolist()) == set(range(1, 8))
    assert set(columns.tolist()) == set(range(1, 5))
    assert hole.any(dim=(0, 2)).all()
    assert hole.any(dim=(0, 1)).all()


def test_holes_do_not_exceed_their_number_and_spare_windows_that_are_not_drawn():
    torch.manual_seed(0)
    after = masked(torch.ones(400, 2, 100, 100), coarse_p=0.5, holes=10, hole_rows=1, hole_columns=1)
    assert torch.equal(after[:, 0], after[:, 1])
    points = (after[:, 0] == 0).sum(dim=(1, 2))
    assert points.max() <= 10
    assert abs((points == 0).float().mean() - 0.5) < 0.08
    assert abs(points[points > 0].float().mean() - 5.5) < 0.5


def test_a_blur_runs_along_time_with_its_sd_and_keeps_the_sum():
    images = torch.zeros(3, 10, 301, 5)
    images[:, :, 150, 2] = 1.0
    after = spectrogram_mask.blur(images, torch.tensor([0.0, 0.7, 1.5]), 1.5)
    assert torch.equal(after[0], images[0])
    assert (after[:, :, :, [0, 1, 3, 4]] == 0).all()
    torch.testing.assert_close(after.sum(dim=2), images.sum(dim=2))
    row = torch.arange(301.0) - 150
    variance = (after[:, 0, :, 2] * row**2).sum(dim=1)
    assert abs(variance[1].sqrt() - 0.7) < 0.02
    assert 1.2 < variance[2].sqrt() < 1.5  # the tails beyond two SDs are cut off
    torch.testing.assert_close(after, after.flip(2))


def test_a_blur_does_not_change_a_constant_image():
    after = masked(torch.full((4, 10, 60, 20), 3.0), blur_p=1.0)
    torch.testing.assert_close(after, torch.full_like(after, 3.0))


@pytest.mark.parametrize("length", [0.85, 0.95, 1.0, 1.05])
def test_resampling_is_linear_about_the_centre_and_fills_the_ends_with_0(length: float):
    after = spectrogram_mask.resample(ramps(2), torch.tensor([1.0, length]))
    assert torch.equal(after[0], ramps()[0])
    time = torch.arange(300.0)
    source = (time - 149.5) / length + 149.5
    inside = (source >= 0) & (source <= 299)
    want = (1 + source[:, None] + 1000 * torch.arange(20.0)).expand(2, -1, -1)
    torch.testing.assert_close(after[1][:, inside], want[:, inside], rtol=1e-5, atol=1e-3)
    beyond = (source < -0.5) | (source > 299.5)
    assert (after[1][:, beyond] == 0).all()
    assert int(beyond.sum()) == {0.85: 44, 0.95: 14}.get(length, 0)  # of 45 and 15, the same number at each end
    torch.testing.assert_close(after[1][:, 149] + after[1][:, 150], ramps()[0][:, 149] + ramps()[0][:, 150])


def test_resampling_keeps_the_order_of_time_and_draws_for_each_window():
    torch.manual_seed(0)
    after = masked(ramps(8), resample_p=1.0, shortest=1.0, longest=1.3)
    step = after.diff(dim=2)[:, 0, 100:200, 0]
    assert (step > 0).all()
    lengths = 1 / step.mean(dim=1)
    assert 1 <= lengths.min() < lengths.max() <= 1.3
    assert lengths.unique().numel() == 8


def test_frequency_dropout_blanks_whole_columns_and_keeps_the_order_of_time():
    torch.manual_seed(0)
    after = masked(ramps(200), frequency_p=0.5)
    blank = (after == 0).all(dim=2)
    assert torch.equal(blank, blank[:, :1].expand_as(blank))  # the same columns of all images
    assert torch.equal(after, ramps(200).masked_fill(blank[:, :, None, :], 0))  # the rest is as it was, time included
    columns = blank[:, 0].sum(dim=1)
    assert set(columns.tolist()) == {0, 1, 2, 3, 4}
    assert abs((columns == 0).float().mean() - 0.5) < 0.1
    assert blank[:, 0].any(dim=0).all()


def test_resampling_and_blur_keep_the_centre_in_place():
    images = torch.zeros(64, 2, 301, 5)
    images[:, :, 150] = 1.0
    after = masked(images, resample_p=1.0, blur_p=1.0)
    assert (after[..., 0].argmax(dim=2) == 150).all()


# Messages


def test_impossible_settings_are_refused():
    for make, text in (
        (lambda: BrainFlip(0.5, 1.5), r"front_back: want a probability, got 1\.5"),
        (lambda: HeadScale(1), "spread: want 0 up to less than 1, got 1"),
        (lambda: CropCat(-0.1, 0.8), r"p: want a probability, got -0\.1"),
        (lambda: CropCat(0.1, 8), "quarters: want a probability, got 8"),
        (lambda: CutMix(2, 1.0), "p: want a probability, got 2"),
        (lambda: CutMix(0.5, 0.04), r"alpha: want at least 0\.05, got 0\.04"),
        (lambda: Mixup(0.5, 0), r"alpha: want at least 0\.05, got 0"),
        (lambda: TeacherLabels([], 2), "p: want a probability, got 2"),
        (lambda: Noise(-0.1, 15), r"sigma: want at least 0, got -0\.1"),
        (lambda: Noise(0.1, 0), "width_s: want more than 0, got 0"),
        (lambda: EdgeDropout(1.5, 0.95), r"p: want a probability, got 1\.5"),
        (lambda: EdgeDropout(0.5, 1), "most: want 0 up to less than 1, got 1"),
        (lambda: SpectrogramMask(**MASK | {"blur_p": 3}), "blur_p: want a probability, got 3"),
        (lambda: SpectrogramMask(**MASK | {"holes": 0}), "holes: want at least 1, got 0"),
        (lambda: SpectrogramMask(**MASK | {"frequencies": -1}), "frequencies: want at least 1, got -1"),
        (lambda: SpectrogramMask(**MASK | {"blur_rows": 0}), "blur_rows: want more than 0, got 0"),
        (
            lambda: SpectrogramMask(**MASK | {"shortest": 2}),
            r"shortest, longest: want more than 0 and in this order, got 2, 1\.05",
        ),
    ):
        with pytest.raises(ValueError, match=f"^{text}"):
            make()
