"""Ten seconds at a time: no signal is missing, and what is flat for a while is interpolated or bypassed there."""

from pathlib import Path

import numpy as np
import pytest
from edf_files import write_edf
from recordings import BANANA, DOUBLE_BANANA, noise, pairs_of, recorded

from hms.electrodes import SCALP
from hms.recording.windows import pieces

UNPLUGGED = {
    "zeros": lambda draw, at: 0 * at,
    "a railed amplifier": lambda draw, at: 0 * at + 3000,
    "noise": lambda draw, at: draw.normal(0, 0.3, at.shape),
    "mains": lambda draw, at: (
        draw.normal(0, 0.3, at.shape) + 30 * np.sin(100 * np.pi * at) * draw.uniform(1, 9, (19, 1))
    ),
}


@pytest.mark.parametrize("sfreq_hz", [200, 256])
@pytest.mark.parametrize("kind", UNPLUGGED)
def test_an_unplugged_stretch_is_missing_with_a_note(kind: str, sfreq_hz: int, tmp_path: Path):
    values, off = noise(90, sfreq_hz), slice(30 * sfreq_hz, 60 * sfreq_hz)
    at = np.tile(np.arange(30 * sfreq_hz) / sfreq_hz, (19, 1))
    values[:, off] = UNPLUGGED[kind](np.random.default_rng(1), at)
    recording = recorded(write_edf(tmp_path / "x.edf", values, SCALP, sfreq_hz))
    assert recording.notes_so_far() == []
    (piece,) = pieces(recording, 10, False)
    assert piece.recorded.tolist() == [True] * 3 + [False] * 3 + [True] * 3
    assert np.isnan(recording.read(6000, 12_000).eeg).all()
    assert np.isfinite(recording.read(0, 6000).eeg[:19]).all()
    why = "SD below 0.4 µV in 0.5-30 Hz: unplugged, or electrocerebral inactivity"
    assert recording.notes_so_far() == [f"No signal for 30 s ({why}), so without a prediction."]


@pytest.mark.parametrize("seconds", [1, 11.5, 62.5])
def test_a_recording_may_end_within_ten_seconds(seconds: float, tmp_path: Path):
    recording = recorded(write_edf(tmp_path / "x.edf", noise(seconds, 200), SCALP, 200, record_s=0.5))
    assert np.isfinite(recording.read(0, recording.blocks.samples).eeg[:19]).all()
    assert recording.notes_so_far() == []


@pytest.mark.parametrize("tail_s", [0.5, 1.5, 2.5])
def test_the_tail_of_a_silent_stretch_is_silent(tail_s: float, tmp_path: Path):
    values = noise(60 + tail_s, 200)
    values[:, 8000:] = 0
    recording = recorded(write_edf(tmp_path / "x.edf", values, SCALP, 200, record_s=0.5))
    assert np.isnan(recording.read(8000, recording.blocks.samples).eeg).all()
    (note,) = recording.notes_so_far()
    assert note.startswith("No signal for 2")
    again = recorded(tmp_path / "x.edf")
    assert np.isnan(again.read(12_000, again.blocks.samples + 100).eeg).all()  # alone
    assert np.isnan(again.read(again.blocks.samples + 50, again.blocks.samples + 100).eeg).all()  # beyond the end


def test_suppressed_eeg_and_burst_suppression_are_signal(tmp_path: Path):
    values = noise(60, 200)
    values[:, 2000:4000] *= 0.5 / 30  # SD, about 3 µV from peak to peak
    values[:, 4000:8000] *= 0.01
    values[:, 7000:7100] *= 100  # half a second in ten
    recording = recorded(write_edf(tmp_path / "x.edf", values, SCALP, 200))
    (piece,) = pieces(recording, 10, False)
    assert piece.recorded.tolist() == [True, True, False, True, True, True]


FLAT = {"zero": 0.0, "railed": 3000.0, "below 0.1 µV": 0.05 * np.random.default_rng(0).normal(size=60 * 256)}


@pytest.mark.parametrize("kind", FLAT)
def test_an_electrode_that_is_flat_for_a_while_is_interpolated_there_with_a_note(kind: str, tmp_path: Path):
    values = noise(90, 256)
    absent = recorded(write_edf(tmp_path / "absent.edf", np.delete(values, 2, 0), [*SCALP[:2], *SCALP[3:]]))
    whole = recorded(write_edf(tmp_path / "whole.edf", values, SCALP))
    values[2, 30 * 256 :] = FLAT[kind]
    recording = recorded(write_edf(tmp_path / "x.edf", values, SCALP))
    eeg = recording.read(0, recording.blocks.samples).eeg[:19]
    np.testing.assert_allclose(eeg[:, 6100:], absent.read(6100, recording.blocks.samples).eeg[:19], atol=0.15)
    np.testing.assert_allclose(eeg[:, :5900], whole.read(0, 5900).eeg[:19], atol=0.15)
    assert recording.notes_so_far() == ["Flat for part of the time and interpolated there: C3 (1 min)."]


@pytest.mark.parametrize("silent", [False, True])
def test_an_electrode_that_has_only_noise_throughout_is_interpolated_like_one_that_the_file_lacks(
    silent: bool, tmp_path: Path
):
    values = noise(60, 200)
    values[2] = 0.05 * np.random.default_rng(0).normal(size=12_000)
    if silent:
        values[:, 4000:6000] *= 1e-4
    recording = recorded(write_edf(tmp_path / "x.edf", values, SCALP, 200))
    recording.read(0, 12_000)
    assert recording.interpolated_so_far() == ("C3",)
    assert recording.notes_so_far()[-1].startswith(
        "Flat throughout, so interpolated: C3. If it is the reference of the others"
    )
    assert len(recording.notes_so_far()) == 1 + silent


@pytest.mark.parametrize("count", [5, 11, 18])
def test_a_stretch_with_more_flat_electrodes_than_can_be_interpolated_is_missing(count: int, tmp_path: Path):
    values = noise(60, 200)
    values[:count, 4000:8000] = 0
    recording = recorded(write_edf(tmp_path / "x.edf", values, SCALP, 200))
    (piece,) = pieces(recording, 10, False)
    assert piece.recorded.tolist() == [True, True, False, False, True, True]
    assert np.isnan(recording.read(4000, 8000).eeg).all()
    why = "more than 4 of the 19 are flat or missing"
    assert recording.notes_so_far() == [f"Too few electrodes for 20 s ({why}), so without a prediction."]


def test_electrodes_that_the_file_lacks_count_among_those_that_are_too_many(tmp_path: Path):
    values = noise(40, 200)
    values[5, 2000:4000] = 0
    recording = recorded(write_edf(tmp_path / "x.edf", values[4:], SCALP[4:], 200))
    assert np.isnan(recording.read(2000, 4000).eeg).all()
    assert recording.notes_so_far()[-1].startswith("Too few electrodes for 10 s")


def test_a_flat_pair_is_bypassed_if_the_others_still_connect_all_electrodes(tmp_path: Path):
    potentials, labels = noise(60, 200), [f"{one}-{other}" for one, other in BANANA]
    values = pairs_of(potentials, labels)
    values[labels.index("C3-P3"), 6000:] = 0
    recording = recorded(write_edf(tmp_path / "x.edf", values, labels, 200))
    found = recording.read(0, 12_000).eeg
    np.testing.assert_allclose(pairs_of(found, labels), pairs_of(potentials, labels), atol=0.05)
    assert recording.notes_so_far()[-1] == "Flat for part of the time and not read there: C3-P3 (30 s)."


def test_an_electrode_that_no_channel_connects_without_a_flat_pair_is_missing_there(tmp_path: Path):
    values = pairs_of(noise(60, 200), DOUBLE_BANANA)
    values[DOUBLE_BANANA.index("Cz-Pz"), 6000:] = 0
    recording = recorded(write_edf(tmp_path / "x.edf", values, DOUBLE_BANANA, 200))
    assert np.isnan(recording.read(6000, 12_000).eeg[SCALP.index("Pz")]).all()
    assert recording.notes_so_far()[-1] == "Flat for part of the time and missing there: Cz-Pz (30 s)."


def test_a_flat_pair_that_alone_connects_electrodes_is_read_as_it_is(tmp_path: Path):
    chains = [pair for pair in BANANA if pair not in [("P3", "O1"), ("P4", "O2")]]
    labels = [f"{one}-{other}" for one, other in chains]
    values = pairs_of(noise(60, 200), labels)
    values[labels.index("C3-P3"), 6000:] = 0
    recording = recorded(write_edf(tmp_path / "x.edf", values, labels, 200), chains)
    np.testing.assert_allclose(pairs_of(recording.read(0, 12_000).eeg, labels), values, atol=0.05)
    assert recording.notes_so_far()[-1] == "Flat for part of the time and read as it is: C3-P3 (30 s)."


def test_a_noisy_electrode_stays_as_it_is(tmp_path: Path):
    values = noise(60, 200)
    values[2] += 2000 * np.sin(100 * np.pi * np.arange(12_000) / 200 + 1)
    recording = recorded(write_edf(tmp_path / "x.edf", values, SCALP, 200))
    np.testing.assert_allclose(recording.read(0, 12_000).eeg[2], values[2], atol=0.1)
    assert recording.notes_so_far() == []
