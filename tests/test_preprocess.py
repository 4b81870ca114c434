"""Preprocessing filters, scales and clips, and what is missing changes nothing elsewhere."""

import pytest
import torch
from small_parts import batch, preprocess

from hms.batch import Batch
from hms.preprocess.zero_phase import ZeroPhase


def test_preprocess_is_causal_and_its_scale_is_32_microvolts():
    step = torch.zeros(1, 20, 2000)
    step[:, 0, 1000:] = 64.0  # Fp1
    given = Batch(step, None, torch.ones(1, 6) / 6, torch.ones(1), torch.arange(1))
    pairs = preprocess()(given).pairs[0, 0]
    assert pairs[:1000].abs().max() == 0
    assert pairs[-1] == pytest.approx(2.0, abs=1e-4)


def test_preprocess_clips_impossible_amplitudes():
    spike = torch.zeros(1, 20, 2000)
    spike[:, 0] = 1e6
    given = Batch(spike, None, torch.ones(1, 6) / 6, torch.ones(1), torch.arange(1))
    assert preprocess()(given).pairs.abs().max() < 1.2 * 1024 / 32


def clinical_pairs(uv: torch.Tensor) -> torch.Tensor:
    """The pair Fp1-F7 after clinical preprocessing of a signal (µV) at Fp1, before scaling."""
    eeg = torch.zeros(1, 20, 10000)
    eeg[0, 0] = uv
    given = Batch(eeg, None, torch.ones(1, 6) / 6, torch.ones(1), torch.arange(1))
    return preprocess("clinical", scale="fixed", scale_uv=1.0, lowpass_hz=99, lowpass_order=1)(given).pairs[
        0, 0, 500:-500
    ]


@pytest.mark.parametrize(
    ("hz", "low", "high"), [(0.1, 0, 0.05), (1.5, 0.95, 1.05), (10, 0.98, 1.02), (50, 0, 0.05), (60, 0, 0.05)]
)
def test_clinical_preprocessing_removes_drift_and_mains_and_keeps_the_rest(hz: float, low: float, high: float):
    wave = 100 * torch.sin(2 * torch.pi * hz * torch.arange(10000) / 200)
    assert low <= clinical_pairs(wave).std() / wave.std() <= high


def test_mains_of_millivolts_leave_the_slow_wave_under_them():
    seconds = torch.arange(10000) / 200
    slow = 50 * torch.sin(2 * torch.pi * 2 * seconds)
    found = clinical_pairs(slow + 3000 * torch.sin(2 * torch.pi * 60 * seconds))
    assert torch.corrcoef(torch.stack([found, slow[500:-500]]))[0, 1] > 0.98


def test_clinical_preprocessing_removes_offsets_and_moves_nothing_in_time():
    pulse = 80 + 100 * torch.exp(-0.5 * ((torch.arange(10000) - 6000) / 10) ** 2)
    pairs = clinical_pairs(pulse)
    assert pairs.argmax() + 500 == pytest.approx(6000, abs=1)
    assert pairs[:4000].abs().max() < 1


def test_a_gradient_with_respect_to_the_eeg_is_that_of_a_step_of_microvolts():
    torch.manual_seed(0)
    preprocessing, eeg = preprocess("clinical"), 20 * torch.randn(1, 20, 10000)
    shape = torch.randn(10000).cumsum(0)

    def response(given: torch.Tensor) -> torch.Tensor:
        pairs = preprocessing(Batch(given, None, torch.ones(1, 6) / 6, torch.ones(1), torch.arange(1))).pairs
        return (pairs * shape).sum()

    given = eeg.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(response(given), given)
    way = gradient / gradient.norm()
    step = (response(eeg + 10 * way) - response(eeg - 10 * way)) / 20
    assert step == pytest.approx(gradient.norm().item(), rel=0.1)


def test_a_window_of_another_length_is_refused_by_filters_made_for_fifty_seconds():
    short = Batch(torch.randn(1, 20, 8000), None, torch.ones(1, 6) / 6, torch.ones(1), torch.arange(1))
    with pytest.raises(ValueError, match="eeg: want 10000 samples for highpass_hz and notch_hz, got 8000"):
        preprocess("clinical")(short)
    assert preprocess()(short).pairs.shape[-1] == 8000


@pytest.mark.parametrize("highpass_hz", [0.5, 0.3, 0.1, 0.05])
def test_the_end_of_a_window_does_not_leak_into_its_start(highpass_hz: float):
    pairs = torch.zeros(1, 1, 10000)
    pairs[..., -400:] = 100.0  # µV, for the last 2 s
    assert ZeroPhase(highpass_hz, [])(pairs)[..., :200].abs().max() < 0.01


@pytest.mark.parametrize("option", ["clinical", "original"])
def test_mixed_precision_starts_after_preprocessing(option: str):
    given = batch(samples=10000)
    given = given._replace(spectrogram=torch.rand(3, 4, 300, 100).half())
    with torch.autocast("cpu", torch.bfloat16):
        mixed = preprocess(option)(given)
    assert torch.equal(mixed.pairs, preprocess(option)(given).pairs)
    assert torch.equal(mixed.images, preprocess(option)(given).images)


def test_a_compressed_scale_keeps_half_of_the_ratio_between_a_loud_window_and_a_quiet_one():
    torch.manual_seed(0)
    noise = torch.randn(1, 20, 10000) * torch.tensor([4.0, 100.0])[:, None, None]
    given = Batch(noise, None, torch.full((2, 6), 1 / 6), torch.ones(2), torch.arange(2))
    quiet, loud = preprocess("clinical", scale="compressed")(given).pairs.std(dim=(1, 2))
    assert loud / quiet == pytest.approx(5.0, rel=0.05)


def with_offsets(rows: int) -> Batch:
    """Noise of 30 µV on the electrodes' offsets, at full length."""
    offsets = torch.linspace(-100, 100, 20)[:, None]
    return batch(rows, 10000)._replace(spectrogram=None, eeg=batch(rows, 10000).eeg + offsets)


@pytest.mark.parametrize("missing", ["mirror", "zero"])
@pytest.mark.parametrize("scale", ["window", "compressed"])
def test_what_is_missing_changes_neither_the_scale_nor_the_filtered_signal_elsewhere(scale: str, missing: str):
    whole = with_offsets(4)
    eeg = whole.eeg.clone()
    eeg[0, :, :4000] = eeg[1, :, :3500] = eeg[1, :, 6500:] = torch.nan  # the first window of a recording; one of 15 s
    eeg[2, 0] = torch.nan  # an electrode of the first pair
    options = {"scale": scale, "missing": missing}
    found, want = (preprocess("clinical", **options)(whole._replace(eeg=one)).pairs for one in (eeg, whole.eeg))
    for row, pair, there in ((0, slice(2), slice(4600, None)), (1, slice(2), slice(4100, 5900)), (2, 1, slice(None))):
        ratio = found[row, pair, there].std() / want[row, pair, there].std()
        assert ratio == pytest.approx(1, abs=0.1)
        both = torch.stack([found[row, pair, there].flatten(), want[row, pair, there].flatten()])
        assert torch.corrcoef(both)[0, 1] > 0.98
    assert torch.equal(found[3], want[3])


def test_a_window_is_scaled_to_unit_spread_unless_it_is_silent():
    torch.manual_seed(0)
    noise = torch.randn(3, 20, 10000) * torch.tensor([5.0, 50.0, 0.01])[:, None, None]
    given = Batch(noise, None, torch.full((3, 6), 1 / 6), torch.ones(3), torch.arange(3))
    spread = preprocess("clinical")(given).pairs.std(dim=(1, 2))
    assert spread[:2].tolist() == pytest.approx([1, 1], abs=0.1)
    assert spread[2] < 0.01


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"clip_uv": 0}, "clip_uv: want more than 0, got 0"),
        ({"lowpass_hz": 100}, "lowpass_hz: want between 0 and 100, got 100"),
        ({"notch_hz": [50, 120]}, "notch_hz: want between 0 and 100, got 120"),
        ({"highpass_hz": -1}, "highpass_hz: want between 0 and 100, got -1"),
        ({"highpass_hz": 60, "lowpass_hz": 50}, "highpass_hz: want less than lowpass_hz = 50, got 60"),
        ({"highpass_hz": 0.04}, "highpass_hz: want at least 0.05 or null, got 0.04"),
        (
            {"highpass_hz": None, "scale": "window"},
            "highpass_hz: want a frequency with scale=window, or offsets would count as spread, got null",
        ),
        ({"lowpass_order": 0}, "lowpass_order: want at least 1, got 0"),
    ],
)
def test_preprocess_refuses_impossible_settings(options: dict, message: str):
    with pytest.raises(ValueError, match=message):
        preprocess(**options)
