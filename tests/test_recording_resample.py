"""Any rate becomes 200 Hz, without aliases or drift, and the same at once or in pieces."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from edf_files import write_edf
from recordings import noise, recorded

from hms.electrodes import ELECTRODES, SCALP
from hms.recording.resample import Resampler


@pytest.mark.parametrize("sfreq_hz", [256, 500, 512, 1000, 250, 199.7])
def test_a_slow_tone_is_kept_and_one_that_would_alias_is_removed(sfreq_hz: float):
    at = np.arange(round(20 * sfreq_hz)) / sfreq_hz
    kept, gone = (np.sin(2 * np.pi * hz * at) for hz in (60, 120))
    both = np.stack([kept, gone if sfreq_hz > 240 else 0 * at]) + 20_000  # direct current
    resample = Resampler(lambda first, last: both[:, first:last], len(at), sfreq_hz)
    made = resample(0, resample.samples) - 20_000
    want = np.sin(2 * np.pi * 60 * np.arange(resample.samples) * resample.down / resample.up / sfreq_hz)
    inner = slice(200, -200)
    assert np.abs(made[0, inner] - want[inner]).max() < 1e-3
    assert np.abs(made[1, inner]).max() < 1e-3


def test_a_tone_recorded_at_a_lower_rate_is_kept_without_its_mirror_image():
    tone = np.sin(2 * np.pi * 30 * np.arange(2000) / 100)[None]
    resample = Resampler(lambda first, last: tone[:, first:last], 2000, 100)
    made = resample(0, resample.samples)[0]
    want = np.sin(2 * np.pi * 30 * np.arange(4000) / 200)
    assert np.abs(made - want)[200:-200].max() < 1e-3


@pytest.mark.parametrize("sfreq_hz", [199.97, 499.907, 249.97, 16384 / 3, 173.61])
def test_a_rate_near_a_simple_one_does_not_drift(sfreq_hz: float):
    day = round(86_400 * sfreq_hz)
    at = round(80_000 * sfreq_hz)  # of a pulse

    def pulse(first: int, last: int) -> np.ndarray:
        return np.exp(-(((np.arange(first, last) - at) / sfreq_hz / 0.02) ** 2))[None]

    resample = Resampler(pulse, day, sfreq_hz)
    begin = 79_990 * 200
    assert begin + resample(begin, begin + 20 * 200)[0].argmax() == pytest.approx(80_000 * 200, abs=20)
    assert resample.samples == pytest.approx(86_400 * 200, abs=20)


@pytest.mark.parametrize("sfreq_hz", [128, 256, 500])
def test_resampling_in_pieces_is_the_same_as_at_once(sfreq_hz: float):
    values = noise(20, sfreq_hz, channels=2)
    values[1, 700:900] = np.nan
    resample = Resampler(lambda first, last: values[:, first:last], values.shape[1], sfreq_hz)
    whole, ends = resample(0, resample.samples), [*range(0, resample.samples, 777), resample.samples]
    pieces = [resample(first, last) for first, last in pairwise(ends)]
    np.testing.assert_allclose(np.concatenate(pieces, axis=1)[0], whole[0], atol=1e-9)
    missing = np.isnan(whole[1])
    assert missing.sum() == pytest.approx(200 * 200 / sfreq_hz, abs=2)
    assert np.abs(whole[1][~missing]).max() < 1.2 * np.nanmax(np.abs(values[1]))


def test_an_offset_of_direct_current_is_resampled_without_a_ripple():
    resample = Resampler(lambda first, last: np.full((1, last - first), 3e5), 2560, 256)
    np.testing.assert_allclose(resample(0, resample.samples), 3e5, rtol=1e-12)


def test_a_recording_reads_the_same_at_once_or_in_pieces_and_is_missing_beyond_its_ends(tmp_path: Path):
    recording = recorded(write_edf(tmp_path / "x.edf", noise(90), SCALP))
    whole = recording.read(0, recording.blocks.samples).eeg
    np.testing.assert_allclose(recording.read(3000, 9000).eeg, whole[:, 3000:9000], atol=1e-4)
    around = recording.read(-500, recording.blocks.samples + 500).eeg
    np.testing.assert_array_equal(around[:, 500:-500], whole)
    assert np.isnan(around[:, :500]).all()
    assert np.isnan(around[:, -500:]).all()
    assert np.isnan(whole[ELECTRODES.index("EKG")]).all()
