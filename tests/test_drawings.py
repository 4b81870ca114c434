"""The drawings of a window on a page: its EEG, its regional spectrograms, its strongest pair."""

import base64
import io
import re

import numpy as np
import pytest
from PIL import Image

from hms.electrodes import ELECTRODES
from hms.page import head, regions, traces
from hms.spectrogram_recipe import regional_spectrogram


def eeg(**channels: np.ndarray) -> np.ndarray:
    return np.stack([channels.get(name, np.zeros(10000)) for name in ELECTRODES])


def test_negative_is_up():
    t = np.arange(10000) / 200
    bump = np.exp(-(((t - 25) / 0.1) ** 2))
    drawing = traces.draw(eeg(F7=-100 * bump))
    up, down = (
        path_range(next(one.path for one in drawing.traces if one.label == name)) for name in ("F7-T3", "Fp1-F7")
    )
    assert up[0] < -20
    assert up[0] < -2 * up[1]
    assert down[1] > 20


def path_range(path: str) -> tuple[int, int]:
    """The lowest and the highest value of a path."""
    steps = np.array([[int(n) for n in point.replace("-", " -").split()] for point in path_points(path)])
    heights = np.cumsum(steps[:, 1])
    return int(heights.min()), int(heights.max())


def path_points(path: str) -> list[str]:
    return re.findall(r"\d+(?: |(?=-))-?\d+", path)


def test_missing_samples_leave_gaps_and_mains_hum_is_filtered_out():
    t = np.arange(10000) / 200
    mains = 100 * np.sin(2 * np.pi * 50 * t)
    slow = 100 * np.sin(2 * np.pi * 3 * t)
    assert np.abs(traces.for_display(mains)[1000:-1000]).max() < 1
    assert np.abs(traces.for_display(slow)[1000:-1000]).max() == pytest.approx(100, rel=0.02)
    slow[3000:4000] = np.nan
    paths = {one.label: one.path for one in traces.draw(eeg(Fp1=slow, EKG=np.full(10000, np.nan))).traces}
    assert paths["Fp1-F7"].count("M") == 2
    assert paths["EKG"] == ""


def test_the_montage_is_the_double_banana_left_before_right():
    labels = [one.label for one in traces.draw(eeg()).traces]
    assert labels[:8] == "Fp1-F7 F7-T3 T3-T5 T5-O1 Fp2-F8 F8-T4 T4-T6 T6-O2".split()
    assert labels[16:] == ["Fz-Cz", "Cz-Pz", "EKG"]


def test_spectrograms_share_one_scale_and_missing_parts_are_transparent():
    power = np.full((2, 4, 300, 100), 1.0)
    power[0, 0], power[1, 1], power[1, 2] = 99.0, np.nan, 0.0
    db = regions.decibels(power)
    np.testing.assert_allclose(db[0, 0], 19.956, rtol=1e-4)
    assert np.isnan(db[1, 1]).all()
    within = regions.common_range(db)
    assert within == (-25, 20)
    assert regions.common_range(db[:, 0]) == (0, 20)
    assert regions.common_range(np.full(9, np.nan)) == (-10, 20)
    drawn = regions.pictures(db[1], within)
    assert [*drawn] == ["LL", "RL", "LP", "RP"]
    for region, alpha in (("LL", 255), ("RL", 0), ("LP", 255)):
        image = Image.open(io.BytesIO(base64.b64decode(drawn[region].partition(",")[2])))
        assert image.size == (300, 100)
        assert image.convert("RGBA").getpixel((150, 50))[3] == alpha


def test_recorded_power_too_low_for_a_files_hundredths_is_the_darkest_shade():
    quiet = np.random.default_rng(0).normal(0, 0.5, (60 * 200, len(ELECTRODES)))
    power = regional_spectrogram(quiet)
    assert (power == 0).mean() > 0.2
    db = regions.decibels(power)
    assert np.isfinite(db).all()
    np.testing.assert_allclose(db[power == 0], -23.01, atol=0.01)
    assert regions.common_range(regions.decibels(np.zeros((4, 9, 100)))) == (-25, -20)


def test_the_strongest_pair_is_drawn_last_and_strongest():
    lines = head.lines({"Fp1-F7": 0.7, "O1-T5": 0.3, "Fz-Cz": 0.0})
    assert [line.name for line in lines] == ["Fz-Cz", "O1-T5", "Fp1-F7"]
    assert lines[-1].strength == 1
    assert lines[-1].ends[0] < 0 > lines[-1].ends[1]  # front left is up and left, nose up
