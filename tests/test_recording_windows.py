"""Windows of a recording: there is one for each ten seconds that were recorded; its offsets, its spectrogram."""

from pathlib import Path

import mne
import numpy as np
import pytest
from conftest import real
from edf_files import write_edf
from recordings import noise, recorded

from hms.data.files import read_spectrogram
from hms.data.half_precision import as_stored, eeg_as_stored
from hms.data.silence import NO_SIGNAL_UV, amplitude_uv
from hms.electrodes import SCALP
from hms.recording.windows import count_windows, pieces, regional_rows
from hms.spectrogram_recipe import regional_spectrogram


@pytest.mark.parametrize(
    ("seconds", "onsets_s"),
    [(2, [0]), (14, [0]), (16, [0, 10]), (62, [0, 10, 20, 30, 40, 50]), (75, [*range(0, 71, 10)])],
)
def test_there_is_a_window_for_every_10_s_of_which_half_was_recorded(seconds: int, onsets_s: list, tmp_path: Path):
    recording = recorded(write_edf(tmp_path / "x.edf", noise(seconds, 100), SCALP, 100))
    (piece,) = pieces(recording, 10, False)
    assert piece.onsets_s.tolist() == onsets_s
    assert count_windows(recording, 10) == len(onsets_s)
    assert piece.recorded.all()


def test_a_window_surrounds_its_10_s_and_is_missing_where_nothing_was_recorded(tmp_path: Path):
    values = noise(100, 200)
    recording = recorded(write_edf(tmp_path / "x.edf", values, SCALP, 200))
    (piece,) = pieces(recording, 10, False)
    eeg = np.concatenate([batch.eeg.numpy() for batch in piece.batches(4)])
    assert eeg.shape == (10, 20, 10_000)
    np.testing.assert_allclose(eeg[3, :19], as_stored(recording.read(2000, 12_000).eeg[:19]))
    assert np.isnan(eeg[0, :, :4000]).all()
    assert np.isfinite(eeg[0, :19, 4000:]).all()
    assert np.isnan(eeg[-1, :, 6000:]).all()


def test_only_seconds_with_signal_count_as_recorded(tmp_path: Path):
    values = noise(100, 200)
    values[:, 4000:8000] = 0  # no signal
    values[:7, 12_000:14_000] = 0  # too few electrodes
    recording = recorded(write_edf(tmp_path / "x.edf", values, SCALP, 200))
    for step_s, most in ((10, 1), (2.5, 4)):
        (piece,) = pieces(recording, step_s, False)
        assert piece.recorded_s()[::most].tolist() == [20, 20, 30, 30, 20, 30, 40, 40, 30, 30]


def test_one_electrode_without_contact_does_not_hide_silence():
    eeg = 500 * np.random.default_rng(0).normal(size=(20, 2000))
    assert amplitude_uv(eeg) > NO_SIGNAL_UV
    eeg[[*range(3), *range(4, 20)]] = 0
    assert amplitude_uv(eeg) < NO_SIGNAL_UV


def test_windows_in_a_gap_are_marked(tmp_path: Path):
    starts_s = [*range(30), *range(100, 130)]
    path = write_edf(tmp_path / "x.edf", noise(60, 100), SCALP, 100, starts_s=starts_s, kind="EDF+D")
    (piece,) = pieces(recorded(path), 10, False)
    assert piece.recorded.tolist() == [True] * 3 + [False] * 7 + [True] * 3


def test_windows_that_the_file_marks_as_bad_are_marked(tmp_path: Path):
    raw = mne.io.RawArray(
        noise(100, 200) * 1e-6, mne.create_info([*SCALP], 200.0, "eeg"), first_samp=999, verbose="error"
    )
    texts, every = (
        ["BAD_movement", "bad", "Bad blink", "badly seen", "BAD_flat", "not bad"],
        [(), (), (), (), ("Cz",), ()],
    )
    raw.set_annotations(mne.Annotations([20, 28, 41, 66, 50, 80], [10, 7, 4, 0, 20, 20], texts, ch_names=every))
    raw.save(tmp_path / "x_raw.fif", verbose="error")
    recording = recorded(tmp_path / "x_raw.fif")
    (piece,) = pieces(recording, 10, False)
    assert piece.recorded.tolist() == [True] * 2 + [False] * 2 + [True] * 6
    assert recording.notes_so_far() == [
        "Marked as bad in the file (BAD_movement, bad, Bad blink), so without a prediction: 19 s."
    ]
    assert [one.text for one in recording.source.annotations].count("Cz: BAD_flat") == 1
    assert np.isfinite(recording.read(4000, 7000).eeg[:19]).all()


CHECKS = ["IMP CHECK ON", "imp_check", "Impedance", "Impedance check", "Comment/impedances", "Calibration", "cal 50 µV"]
NO_CHECKS = ["impedance ok", "IMP CHECK OFF", "Impedance high: T3", "after calibration", "calm", "call", "check", "imp"]


@pytest.mark.parametrize(
    ("text", "duration_s", "is_check"),
    [*((text, 20, True) for text in CHECKS), *((text, 20, False) for text in NO_CHECKS), ("Impedance check", 0, False)],
)
def test_an_impedance_check_or_a_calibration_has_no_prediction(
    text: str, duration_s: int, is_check: bool, tmp_path: Path
):
    stored = b"+10\x15%d\x14%b\x14\0" % (duration_s, text.encode())
    path = tmp_path / "x.edf"
    write_edf(
        path, noise(60, 200), SCALP, 200, starts_s=range(60), annotated={10: stored, 40: b"+40\x1510\x14BAD\x14\0"}
    )
    recording = recorded(path)
    (piece,) = pieces(recording, 10, False)
    assert piece.recorded.tolist() == [True, not is_check, not is_check, True, False, True]
    checked = recording.source.annotations[0].text
    said = f"Marked as an impedance check or a calibration in the file ({checked}), so not read: 20 s."
    bad = "Marked as bad in the file (BAD), so without a prediction: 10 s."
    assert recording.notes_so_far() == [bad, *[said] * is_check]
    assert [one.text for one in recording.source.annotations] == [text, "BAD"]


def test_the_windows_around_a_check_do_not_see_it(tmp_path: Path):
    values, check = noise(100, 200), b"+40\x1510\x14Impedance check\x14\0"
    values[:, 8000:10_000] = 2000 * np.sign(np.sin(np.arange(2000) * np.pi / 10))
    path = write_edf(tmp_path / "x.edf", values, SCALP, 200, starts_s=range(100), annotated={40: check})
    recording = recorded(path)
    assert np.isnan(recording.read(7900, 10_100).eeg).all(axis=0).nonzero()[0].tolist() == [*range(100, 2100)]
    (piece,) = pieces(recording, 10, with_spectrogram=True)
    windows = [piece.window(onset_s)[: len(SCALP)] for onset_s in piece.onsets_s]
    assert max(np.nanmax(np.abs(window)) for window in windows) < 1000
    assert np.isnan(windows[3][:, 6000:8000]).all()
    assert np.isfinite(windows[3][:, :6000]).all()
    shown = np.isfinite(piece.spectrogram).any(axis=(0, 2))
    assert not shown[20:23].any()  # rows of 4 s, one every 2 s
    assert shown[[*range(18), *range(26, len(shown))]].all()


def test_a_gap_of_hours_is_skipped(tmp_path: Path):
    starts_s = [*range(30), *range(40_000, 40_030)]
    path = write_edf(tmp_path / "x.edf", noise(60, 100), SCALP, 100, starts_s=starts_s, kind="EDF+D")
    found = [*pieces(recorded(path), 10, with_spectrogram=False)]  # nothing is computed in the gap
    assert len(found) == 34
    assert [one.recorded.sum() for one in (found[0], *found[-1:])] == [3, 3]
    rows = np.concatenate([one.spectrogram for one in found], axis=1)
    assert np.flatnonzero(np.isfinite(rows).all(axis=(0, 2))).tolist() == [*range(14), *range(20_000, 20_014)]


def test_a_long_recording_in_pieces_gives_every_window_and_spectrogram_row_once(tmp_path: Path):
    recording = recorded(write_edf(tmp_path / "x.edf", noise(2600, 64), SCALP, 64))
    found = [*pieces(recording, 13, True)]
    assert [*np.concatenate([piece.onsets_s for piece in found])] == [13 * i for i in range(200)]
    ids = [int(i) for piece in found for batch in piece.batches(64) for i in batch.label_id]
    assert ids == [*range(200)]
    rows = np.concatenate([piece.spectrogram for piece in found], axis=1)
    whole = regional_spectrogram(recording.read(0, recording.blocks.samples).eeg.T)
    np.testing.assert_allclose(np.log(rows), np.log(whole), atol=2e-3)
    last = [*found[1].batches(1)][20]
    first_row = (13 * int(last.label_id[0]) - 296) // 2
    want = as_stored(whole[:, first_row : first_row + 300])
    np.testing.assert_allclose(last.spectrogram[0], want, rtol=0.01)


def test_an_offset_of_direct_current_is_removed_and_a_usual_one_stays():
    eeg = np.zeros((1000, 20), np.float32)
    eeg[:, 2], eeg[:, 3], eeg[:, 4], eeg[:, 19] = -40_000, 40_000, 80, 9_000
    eeg[:, 5] = 2e6 + np.arange(1000) % 7 - 3
    eeg[:500, 5] = np.nan
    stored = eeg_as_stored(eeg)
    assert stored[900, [*range(5), 19]].tolist() == [0, 0, 0, 0, 80, 9_000]
    np.testing.assert_allclose(stored[500:, 5], eeg[500:, 5] - 2e6, atol=1)
    assert np.isnan(stored[:500, 5]).all()
    assert eeg[0, 3] == 40_000


def test_a_part_of_a_file_that_is_far_off_leaves_the_rest_alone():
    eeg = np.random.default_rng(0).normal(0, 30, (20_000, 20)).astype(np.float32)
    eeg[:6000, 4] = 9_000
    np.testing.assert_array_equal(eeg_as_stored(eeg), as_stored(eeg))


def test_a_gap_leaves_the_spectrogram_beside_it_alone_whatever_the_offsets(tmp_path: Path):
    values = noise(120, 200)
    whole = recorded(write_edf(tmp_path / "whole.edf", values, SCALP, 200))
    excerpt = whole.read(0, 24_000)
    gapped = np.where((np.arange(24_000) // 2000) == 5, np.nan, excerpt.eeg + np.linspace(-5000, 5000, 20)[:, None])
    rows = [regional_rows(whole, excerpt._replace(eeg=eeg), 0, 0, 58) for eeg in (excerpt.eeg, gapped)]
    known = np.isfinite(rows[1])
    assert 45 < known[0, :, 0].sum() < 58
    assert np.abs(np.log10(rows[1][known] / rows[0][known])).max() < 0.1  # 1 dB


def test_golden_the_spectrogram_of_a_recording_is_that_of_its_spectrogram_file():
    recording = recorded(real("data/hms_real/test_eegs/3911565283.parquet"))
    (piece,) = pieces(recording, 10, True)
    (batch,) = piece.batches(8)
    ours = batch.spectrogram[2].double().numpy()  # the centre at 20 s: this window is the file from its first sample
    theirs = read_spectrogram(real("data/hms_real/test_spectrograms/853520.parquet"))[:300].transpose(1, 0, 2)
    both = np.isfinite(ours) & (theirs > 0)
    assert both.mean() > 0.07
    assert np.corrcoef(np.log(ours[both]), np.log(theirs[both]))[0, 1] >= 0.999
