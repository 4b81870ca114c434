"""What is specific to each extractor of images; test_contracts tests what all extractors share."""

import math

import mne
import numpy as np
import pytest
import torch
from small_parts import extractor, resolved, signals, stft

from hms.backbone import TinyBackbone
from hms.batch import Signals
from hms.config.build import build
from hms.errors import ConfigError
from hms.extractor import central, restack, squeezed
from hms.extractor.multitaper import Multitaper
from hms.extractor.raw_image import RawImage
from hms.extractor.superlet import Superlet
from hms.extractor.traces import Traces


def multitaper(**options) -> Multitaper:
    given = {"window_s": 2, "step_s": 0.1, "bandwidth": 2, "fmax_hz": 20, "span_s": 30, "columns": 2, "dropout": 0.0}
    return Multitaper(TinyBackbone([8, 16], [1, 1], 0.0, False), **{**given, **options})


def raw_image(**options) -> RawImage:
    given = {"span_s": 20, "every": 2, "rows": 4, "height": 1, "limit": 4.0, "dropout": 0.0}
    return RawImage(TinyBackbone([8, 16], [1, 1], 0.0, False), **{**given, **options})


def traces(**options) -> Traces:
    given = {"span_s": 20, "every": 4, "height": 16, "limit": 4.0, "thickness": 1.0, "dropout": 0.0}
    return Traces(TinyBackbone([8, 16], [1, 1], 0.0, False), **{**given, **options})


def superlet(**options) -> Superlet:
    given = {"fmin_hz": 2, "fmax_hz": 20, "rows": 8, "cycles": 3, "orders": [1, 4], "step_s": 0.1, "span_s": 30}
    return Superlet(TinyBackbone([8, 16], [1, 1], 0.0, False), columns=2, dropout=0.0, **{**given, **options})


def test_restacking_deals_rows_out_to_columns():
    image = torch.arange(2 * 4 * 3.0).reshape(1, 2, 4, 3)
    assert torch.equal(restack(image, 1)[0, 0], image.reshape(8, 3))
    assert restack(image[:, :1, :3], 2).shape == (1, 1, 2, 6)
    assert torch.equal(restack(image, 2)[0, 0, 1], torch.cat([image[0, 0, 2], image[0, 0, 3]]))


def test_a_span_shows_the_centre_of_the_window_only():
    pairs = torch.randn(1, 8, 10000)
    elsewhere = pairs.clone()
    elsewhere[..., :3999] = elsewhere[..., 6001:] = 0
    extractor = stft(span_s=10)
    assert torch.equal(extractor.spectrogram(pairs), extractor.spectrogram(elsewhere))
    assert extractor.spectrogram(pairs).shape[-1] == (2000 - 190) // 24 + 1


@pytest.mark.parametrize(("samples", "first"), [(2000, 4000), (2001, 3999), (10_000, 0), (12_000, 0)])
def test_the_centre_has_as_many_samples_as_wanted_or_all(samples: int, first: int):
    pairs = torch.arange(10_000.0).expand(1, 2, 10_000)
    assert torch.equal(central(pairs, samples), pairs[..., first : first + samples])


@pytest.mark.parametrize("span_s", [0, 50.1])
@pytest.mark.parametrize(
    "name", ["stft", "stft_x3d_short", "multitaper", "superlet", "raw_image", "traces", "wavenet", "efficientnet1d"]
)
def test_a_span_that_no_window_holds_is_refused(name: str, span_s: float):
    with pytest.raises(ConfigError, match=rf"span_s: want 0\.005 to 50 seconds, got {span_s}$"):
        build(resolved(name) | {"span_s": span_s})


def test_squeezed_signals_stay_within_the_limit_and_small_ones_as_they_are():
    pairs = torch.tensor([[[1e-3, -1e6, 1e6]]])
    torch.testing.assert_close(squeezed(pairs, 4.0), torch.tensor([[[1e-3, -4, 4]]]))
    assert squeezed(pairs, None) is pairs


@pytest.mark.parametrize("trainable", [True, False])
def test_the_stft_is_trained_only_when_asked(trainable: bool):
    learned = {name for name, p in stft(trainable=trainable).named_parameters() if name.startswith("transform")}
    assert bool(learned) == trainable


def test_a_sine_shows_in_the_row_of_its_frequency():
    pairs = torch.sin(2 * torch.pi * 10 * torch.arange(4000) / 200).expand(1, 8, 4000)
    spectrogram = stft().spectrogram(pairs)
    assert spectrogram[0, 0].mean(dim=1).argmax() * 40 / 96 == pytest.approx(10, abs=0.5)
    signals = Signals(pairs, None, torch.ones(1, 6) / 6, torch.ones(1))
    found = stft()(signals)
    assert found.vector.shape == (1, 16)
    assert found.tokens.shape == (1, 8, 16)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"win_length": 191}, "win_length: want 1 to n_fft = 190, got 191"),
        ({"hop_length": 0}, "hop_length: want 1 to 9810, for two frames in span_s, got 0"),
        ({"hop_length": 9811}, "hop_length: want 1 to 9810, for two frames in span_s, got 9811"),
        ({"span_s": 0.95}, "n_fft: want less than the 190 samples of span_s, got 190"),
        ({"fmax_hz": 101}, "fmax_hz: want more than 0 up to 100, got 101"),
    ],
)
def test_the_stft_refuses_impossible_settings(options: dict, message: str):
    with pytest.raises(ValueError, match=message):
        stft(**options)


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


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"window_s": 30}, "window_s: want more than 0, less than span_s = 30, got 30"),
        ({"step_s": 3}, "step_s: want 0.005 up to window_s = 2, got 3"),
        ({"bandwidth": 0.5}, "bandwidth: want 1 up to half of the window's samples, got 0.5"),
        ({"fmax_hz": 101}, "fmax_hz: want more than 0 up to 100, got 101"),
    ],
)
def test_the_multitaper_refuses_impossible_options(options: dict, message: str):
    with pytest.raises(ValueError, match=message):
        multitaper(**options)


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
        ({"every": 0}, "every: want at least 1, got 0"),
        ({"rows": 300}, "rows: want at least 8 points in each, got"),
        ({"limit": 0}, "limit: want more than 0, got 0"),
    ],
)
def test_the_drawing_refuses_impossible_options(options: dict, message: str):
    with pytest.raises(ValueError, match=message):
        raw_image(**options)


def test_a_trace_passes_through_each_amplitude_of_its_pair_with_negative_up():
    levels = torch.tensor([-4.0, -2, 0, 2, 4])
    image = traces(height=17).image(levels[None, :, None].expand(1, 5, 10000))
    assert image.shape == (1, 1, 5 * 17, 1000)
    for pair, row in enumerate((0, 4, 8, 12, 16)):
        strip = image[0, 0, pair * 17 : (pair + 1) * 17]
        assert torch.equal(strip.argmax(dim=0), torch.full((1000,), row))
        torch.testing.assert_close(strip.sum(dim=0), torch.ones(1000))  # one row of ink, the thickness of the pen


def test_a_trace_is_unbroken_and_what_exceeds_the_limit_stays_in_the_strip():
    torch.manual_seed(0)
    pairs = 40 * torch.randn(2, 3, 10000)
    ink = traces(thickness=2.0).image(pairs).reshape(2, 3, 16, 1000)
    assert ink.min() == 0
    assert ink.max() == 1
    touching = torch.minimum(ink[..., 1:], ink[..., :-1]).amax(dim=2)  # a row that both columns have ink in
    assert touching.min() > 0.5
    assert torch.equal(ink, traces(thickness=2.0).image(pairs.clamp(-4, 4)).reshape(2, 3, 16, 1000))


def test_a_column_of_a_trace_reaches_from_its_least_to_its_greatest_sample():
    pairs = torch.zeros(1, 1, 10000)
    pairs[..., 5001], pairs[..., 5002] = 3.0, -3.0  # a spike in the column of samples 5000 to 5003
    ink = traces(height=17).image(pairs)[0, 0].sum(dim=0)
    assert ink[500] == pytest.approx(1 + 16 * 6 / 8)
    assert ink[[499, 501]].tolist() == [1, 1]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"every": 0}, "every: want 1 up to the 4000 samples of span_s, got 0"),
        ({"every": 4001}, "every: want 1 up to the 4000 samples of span_s, got 4001"),
        ({"limit": 0}, "limit: want more than 0, got 0"),
        ({"thickness": 16}, "thickness: want more than 0 and less than height, got 16 and 16"),
    ],
)
def test_traces_refuse_impossible_options(options: dict, message: str):
    with pytest.raises(ValueError, match=message):
        traces(**options)


@pytest.mark.parametrize("span_s", [50, 30, 3])
def test_a_superlet_gives_a_sine_its_squared_amplitude_in_the_row_of_its_frequency(span_s: float):
    own_hz = np.geomspace(2, 20, 8)
    pairs = torch.stack([1.5 * torch.sin(2 * torch.pi * hz * torch.arange(10000) / 200) for hz in own_hz])[None]
    power = superlet(span_s=span_s).power(pairs)
    assert power.shape == (1, 8, 8, span_s * 10)
    assert power.mean(dim=3).argmax(dim=2)[0].tolist() == [*range(8)]
    complete = power[..., 30:-30] if span_s == 50 else power  # where a window ends, half of the wavelet sees nothing
    assert complete.diagonal(dim1=1, dim2=2).sub(1.5**2).abs().max() < 0.01


def test_superlets_of_order_one_are_mnes_morlet_wavelets():
    draw = np.random.default_rng(0).standard_normal((1, 2, 10000))
    power = superlet(orders=[1, 1], step_s=0.005).power(torch.from_numpy(draw).float())
    want = mne.time_frequency.tfr_array_morlet(
        draw, 200, np.geomspace(2, 20, 8), n_cycles=3, output="power", zero_mean=False, verbose="error"
    )
    before, begin, end, after = (want[..., 2000 + shift : 8000 + shift] for shift in (-1, 0, 1, 2))
    middle = (9 * (begin + end) - before - after) / 16
    want = (begin + 2 * middle + end) / 4  # of a frame, here of one sample
    ratio = power[0].numpy().sum(axis=-1) / want[0].sum(axis=-1)  # MNE's wavelets have unit energy, ours unit gain
    np.testing.assert_allclose(power[0], ratio[..., None] * want[0], atol=5e-3 * power.max().item())


def test_a_frame_of_a_superlet_is_the_mean_over_its_time_and_orders_rise_linearly_with_frequency():
    hz, draw = np.geomspace(0.5, 25, 8), np.random.default_rng(0).standard_normal((1, 1, 10000))
    found = superlet(fmin_hz=0.5, fmax_hz=25, orders=[1, 5]).power(torch.from_numpy(draw).float())[0, 0].numpy()
    for row, order in enumerate(np.interp(hz, [0.5, 25], [1, 5])):
        cycles = 3 * np.arange(1, math.ceil(order) + 1)
        each = [
            mne.time_frequency.tfr_array_morlet(
                draw, 200, hz[[row]], n_cycles=float(count), output="power", zero_mean=False, verbose="error"
            )[0, 0, 0]
            for count in cycles
        ]
        weights = np.clip(order - np.arange(len(cycles)), 0, 1) / order
        want = np.exp(sum(w * np.log(power) for w, power in zip(weights, each, strict=True)))[2000:8000]
        want = want.reshape(300, 20).mean(axis=1)
        assert np.corrcoef(found[row], want)[0, 1] > 0.998, hz[row]


def test_more_wavelets_tell_close_rhythms_apart_without_blurring_time():
    at = torch.arange(10000) / 200
    tones = torch.sin(2 * torch.pi * 8 * at) + torch.sin(2 * torch.pi * 11 * at)
    click = 30.0 * (torch.arange(10000) == 5010)
    options = {"fmin_hz": 8, "fmax_hz": 11, "rows": 3, "step_s": 0.01, "span_s": 10}
    shortest, longest, several = (
        superlet(cycles=cycles, orders=[order] * 2, **options).power(torch.stack([tones, click])[None])[0]
        for cycles, order in ((3, 1), (15, 1), (3, 5))
    )
    dips = [one[0, 1].mean() / one[0, [0, 2]].mean() for one in (shortest, several)]
    assert dips[1] < 0.5 * dips[0]
    widths = [(one[1, 1] > one[1, 1].max() / 2).sum() for one in (longest, several)]
    assert widths[1] < 0.6 * widths[0]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"rows": 1}, "rows: want at least 2, got 1"),
        ({"cycles": 0.5}, "cycles: want at least 1, got 0.5"),
        ({"orders": [3, 2]}, r"orders: want two numbers from 1 that do not fall, got \[3, 2\]"),
        ({"fmax_hz": 60}, "want 0 < fmin_hz < fmax_hz <= 42.9, got 2, 60"),
        ({"step_s": 0.001}, "step_s: want 0.005 up to span_s = 30, got 0.001"),
        ({"step_s": 31}, "step_s: want 0.005 up to span_s = 30, got 31"),
    ],
)
def test_the_superlet_refuses_impossible_options(options: dict, message: str):
    with pytest.raises(ValueError, match=message):
        superlet(**options)


def test_a_shorter_span_of_the_spectrogram_shows_its_centre_only():
    module, given = extractor("spectrogram", span_min=4).eval(), signals(1)
    elsewhere = given.images.clone()
    elsewhere[:, :, :90] = elsewhere[:, :, 210:] = 0
    assert torch.equal(module(given).tokens, module(given._replace(images=elsewhere)).tokens)
    elsewhere[:, :, 90] = 0
    assert not torch.equal(module(given).tokens, module(given._replace(images=elsewhere)).tokens)
    for span_min in (0, 11):
        with pytest.raises(ConfigError, match=f"span_min: want more than 0 up to 10, got {span_min}"):
            extractor("spectrogram", span_min=span_min)


def test_one_network_processes_every_image():
    module = extractor("spectrogram").eval()
    given = signals(1)
    same = given._replace(images=given.images[:, :1].expand(-1, 10, -1, -1))
    found = module(same)
    torch.testing.assert_close(found.tokens, found.tokens[:, :1].expand(-1, 10, -1))
    torch.testing.assert_close(found.vector, found.tokens[:, 0])
    assert isinstance(module.backbone, TinyBackbone)


def test_each_spectrogram_image_has_a_dropout_of_its_own_before_they_are_pooled():
    spectrogram = extractor("spectrogram", dropout=0.5).eval()
    whole = spectrogram(signals())
    spectrogram.dropout.train()
    dropped = spectrogram(signals())
    assert torch.equal(dropped.tokens, whole.tokens)
    assert not torch.isclose(dropped.vector, whole.vector).any(dim=0).all()
    assert ((dropped.vector == 0) & (whole.vector != 0)).float().mean() < 0.05
