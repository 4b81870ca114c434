"""Extractors that draw pairs in other ways than the STFT; test_contracts tests what all extractors share."""

import pytest
import torch

from hms.backbone import TinyBackbone
from hms.extractor.multitaper import Multitaper
from hms.extractor.raw_image import RawImage


def multitaper(**options) -> Multitaper:
    given = {"window_s": 2, "step_s": 0.1, "bandwidth": 2, "fmax_hz": 20, "span_s": 30, "columns": 2, "dropout": 0.0}
    return Multitaper(TinyBackbone([8, 16], [1, 1], 0.0, False), **{**given, **options})


def raw_image(**options) -> RawImage:
    given = {"span_s": 20, "every": 2, "rows": 4, "height": 1, "limit": 4.0, "dropout": 0.0}
    return RawImage(TinyBackbone([8, 16], [1, 1], 0.0, False), **{**given, **options})


def test_a_sine_is_brightest_in_the_row_of_its_frequency():
    pairs = torch.sin(2 * torch.pi * 6 * torch.arange(10000) / 200).expand(1, 8, 10000)
    spectrogram = multitaper().spectrogram(pairs)
    assert spectrogram.shape == (1, 8, 41, (6000 - 400) // 20 + 1)
    assert spectrogram[0, 0].mean(dim=1).argmax() * 0.5 == pytest.approx(6, abs=1)  # NW / window = 1 Hz wide


def test_several_tapers_smooth_noise_more_than_one():
    torch.manual_seed(0)
    noise = torch.randn(1, 1, 10000)
    one, three = (multitaper(bandwidth=width).spectrogram(noise)[0, 0, 4:].std() for width in (1, 2))
    assert three < 0.8 * one


def test_the_drawing_holds_each_stretch_of_each_pair_in_order():
    pairs = torch.arange(2 * 10000.0).reshape(1, 2, 10000) / 1e6
    image = raw_image(every=1, limit=1e3).image(pairs) * 1e3
    assert image.shape == (1, 1, 8, 1000)
    torch.testing.assert_close(image[0, 0, :4].flatten(), pairs[0, 0, 3000:7000], atol=1e-6, rtol=1e-4)
    torch.testing.assert_close(image[0, 0, 4:].flatten(), pairs[0, 1, 3000:7000], atol=1e-6, rtol=1e-4)


def test_large_amplitudes_are_compressed_and_small_ones_kept():
    image = raw_image(every=1).image(torch.tensor([0.1, 1e6]).repeat_interleave(5000).expand(1, 1, 10000))
    assert image.max() <= 1
    assert image.min() == pytest.approx(0.1 / 4, rel=1e-3)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"window_s": 30}, r"want 0 < window_s < span_s <= 50, got 30, 30"),
        ({"step_s": 3}, "step_s: want 0.005 up to window_s = 2, got 3"),
        ({"bandwidth": 0.5}, "bandwidth: want 1 up to half of the window's samples, got 0.5"),
        ({"fmax_hz": 101}, "fmax_hz: want more than 0 up to 100, got 101"),
    ],
)
def test_the_multitaper_refuses_impossible_options(options: dict, message: str):
    with pytest.raises(ValueError, match=message):
        multitaper(**options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"span_s": 51}, "span_s: want more than 0 up to 50, got 51"),
        ({"every": 0}, "every, rows, height: want at least 1, got 0, 4, 1"),
        ({"rows": 300}, "rows: want at least 8 points in each, got"),
        ({"limit": 0}, "limit: want more than 0, got 0"),
    ],
)
def test_the_drawing_refuses_impossible_options(options: dict, message: str):
    with pytest.raises(ValueError, match=message):
        raw_image(**options)
