import numpy as np
import polars as pl
import pytest
from conftest import real

from hms.electrodes import ELECTRODES, SFREQ_HZ
from hms.spectrogram_recipe import COLUMNS, FREQUENCIES_HZ, REGIONS, regional_spectrogram


def test_columns_are_those_of_a_real_spectrogram_file():
    file = pl.read_parquet(real("data/hms_real/test_spectrograms/853520.parquet"))
    assert tuple(file.columns) == ("time", *COLUMNS)


def test_golden_recipe_agrees_with_the_real_pair_of_eeg_and_spectrogram():
    eeg = pl.read_parquet(real("data/hms_real/test_eegs/3911565283.parquet")).to_numpy()
    file = pl.read_parquet(real("data/hms_real/test_spectrograms/853520.parquet"))
    computed = regional_spectrogram(eeg)
    # EEG second 0 is spectrogram second 275; the first computed row is centred 2 s later.
    inside = file.filter(pl.col("time").is_between(277, 277 + 2 * (computed.shape[1] - 1)))
    recorded = inside.drop("time").to_numpy().reshape(-1, 4, 100).transpose(1, 0, 2)
    assert np.corrcoef(np.log(recorded).ravel(), np.log(computed).ravel())[0, 1] >= 0.999
    assert abs(np.log(recorded / computed).mean()) < 0.01


def test_a_sine_in_one_pair_shows_at_its_frequency_in_its_region_only():
    eeg = np.zeros((20 * SFREQ_HZ, len(ELECTRODES)), np.float32)
    eeg[:, ELECTRODES.index("T3")] = 50 * np.sin(2 * np.pi * 7 * np.arange(len(eeg)) / SFREQ_HZ)
    power = regional_spectrogram(eeg)[:, 2:-2].mean(axis=1)
    assert abs(FREQUENCIES_HZ[power[0].argmax()] - 7) < 0.5
    assert power[1:].max() < 1e-6 * power[0].max()


def test_missing_samples_make_missing_rows_in_the_regions_they_touch():
    eeg = np.random.default_rng(0).normal(size=(20 * SFREQ_HZ, len(ELECTRODES))).astype(np.float32)
    eeg[8 * SFREQ_HZ : 9 * SFREQ_HZ, ELECTRODES.index("F7")] = np.nan
    missing = np.isnan(regional_spectrogram(eeg)).all(axis=2)
    assert missing[0].tolist() == [False, False, False, True, True, False, False, False, False]
    assert not missing[1:].any()


def test_offsets_of_electrodes_leave_no_trace_beside_a_gap():
    draw = np.random.default_rng(0)
    eeg = draw.normal(0, 30, size=(20 * SFREQ_HZ, len(ELECTRODES))).astype(np.float32)
    eeg[8 * SFREQ_HZ : 9 * SFREQ_HZ] = np.nan
    offset = draw.normal(0, 1000, len(ELECTRODES)).astype(np.float32)
    without, with_offset = (np.log(regional_spectrogram(samples)) for samples in (eeg, eeg + offset))
    assert np.isnan(without[0, :, 0]).tolist() == [False, False, False, True, True, False, False, False, False]
    np.testing.assert_allclose(with_offset, without, atol=0.01)


def test_a_lower_rate_gives_the_same_power():
    draw = np.random.default_rng(0)
    slow = draw.normal(size=(60 * 50, len(ELECTRODES))).astype(np.float32)
    spectrum = np.fft.rfft(slow, axis=0)
    fast = np.fft.irfft(spectrum, 60 * SFREQ_HZ, axis=0).astype(np.float32) * (SFREQ_HZ / 50)
    ratio = regional_spectrogram(slow, 50)[:, 5:-5] / regional_spectrogram(fast)[:, 5:-5]
    assert abs(np.log(ratio[..., 5:-5]).mean()) < 0.05


def test_too_short_a_recording_is_refused():
    with pytest.raises(ValueError, match=r"eeg: want at least 4 s, got 3\.5 s"):
        regional_spectrogram(np.zeros((700, 20), np.float32))


def test_regions_are_four_chains_of_four_pairs():
    assert list(REGIONS) == ["LL", "RL", "LP", "RP"]
    assert {len(pairs) for pairs in REGIONS.values()} == {4}
