"""When samples were recorded: gaps and pauses, annotations in the same time, the start, and durations in words."""

from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import mne
import numpy as np
import pytest
from edf_files import write_edf
from recordings import AS_IN_FILE, BANANA, noise, recorded, write_brainvision, write_persyst

from hms.electrodes import SCALP
from hms.errors import DataError
from hms.recording.recording import from_raw
from hms.recording.times import stored_s, stretches_of


@pytest.mark.parametrize("suffix", ["edf", "bdf"])
def test_the_gaps_of_a_discontinuous_file_are_missing_samples(suffix: str, tmp_path: Path):
    values, starts_s = noise(40, 200), [*range(20), *range(50, 70)]
    path = write_edf(tmp_path / f"x.{suffix}", values, SCALP, 200, starts_s=starts_s, kind="EDF+D")
    recording = recorded(path)
    assert recording.duration_s == 70
    assert recording.notes_so_far() == ["The recording has 1 gap, 30 s in all."]
    eeg = recording.read(0, 14_000).eeg[:19]
    np.testing.assert_allclose(eeg[:, :4000], values[:, :4000], atol=0.01)
    np.testing.assert_allclose(eeg[:, 10_000:], values[:, 4000:], atol=0.01)
    assert np.isnan(eeg[:, 4000:10_000]).all()


@pytest.mark.parametrize("step_s", [1.0035, 1.0005, 0.9995])
def test_records_whose_times_drift_from_their_samples_keep_their_times(step_s: float, tmp_path: Path):
    records, rate = 400, 200
    values = np.zeros((19, records * rate))
    values[:, 20::rate] = 100 * np.linspace(1, 2, 19)[:, None]  # a pulse 0.1 s after the start of each record
    values += noise(records, rate) / 20
    starts_s = [round(record * step_s, 4) for record in range(records)]
    recording = recorded(write_edf(tmp_path / "x.edf", values, SCALP, rate, starts_s=starts_s, kind="EDF+D"))
    assert recording.duration_s == pytest.approx(starts_s[-1] + 1, abs=0.02)
    assert recording.notes_so_far() == []
    stretches = recording.source.stretches
    assert all(one.at + one.length + one.held == later.at for one, later in pairwise(stretches))
    whole = recording.read(0, recording.blocks.samples).eeg[:19]
    assert np.isfinite(whole).all()
    pieces = [
        recording.read(first, min(first + 777, whole.shape[1])).eeg[:19] for first in range(0, whole.shape[1], 777)
    ]
    np.testing.assert_array_equal(np.concatenate(pieces, axis=1), whole)
    for record in (100, 200, 398):
        at = round(starts_s[record] * 200)
        found = at + np.nanargmax(recording.read(at, at + 100).eeg[0])
        assert found / 200 == pytest.approx(starts_s[record] + 0.1, abs=0.02)


DISCONTINUOUS_S = [*range(20), *range(50, 70)]


def discontinuous(path: Path, values: np.ndarray) -> Path:
    """Forty seconds at 200 Hz with a gap of 30 s after 20 s, and annotations before, in and after it."""
    stored = {
        0: b"+3.5\x14Augen zu, \xc3\x84rztin\x14\0",
        19: b"+18\x1540\x14bad \xc4\x14movement\x14\0",
        39: b"+69.5\x14\x14\0+65\x14bad@@Cz\x14\0",
    }
    return write_edf(path, values, SCALP, 200, starts_s=DISCONTINUOUS_S, kind="EDF+D", annotated=stored)


@pytest.mark.parametrize("suffix", ["edf", "bdf"])
def test_annotations_of_a_discontinuous_file_are_in_the_time_of_the_recording(suffix: str, tmp_path: Path):
    recording = recorded(discontinuous(tmp_path / f"x.{suffix}", noise(40, 200)))
    assert recording.source.annotations == [
        (3.5, 0, "Augen zu, Ärztin"),
        (18, 40, "bad Ä"),
        (18, 40, "movement"),
        (65, 0, "Cz: bad"),
    ]
    bad, gaps = (
        "Marked as bad in the file (bad Ä), so without a prediction: 10 s.",
        "The recording has 1 gap, 30 s in all.",
    )
    assert recording.notes_so_far() == [gaps, bad]  # and none of MNE's about annotations that it leaves out


def test_stored_time_is_that_of_the_samples_that_mne_reads(tmp_path: Path):
    path = discontinuous(tmp_path / "x.edf", noise(40, 200))
    recording = recorded(path)
    times_s = np.array([0, 19.5, 20, 35, 50, 65, 70, 80])
    assert stored_s(times_s, recording.source.stretches, 200).tolist() == [0, 19.5, 20, 20, 20, 35, 40, 40]
    raw = mne.io.read_raw(path, encoding="latin1", verbose="error")
    (first_s,) = stored_s(np.array([60.0]), recording.source.stretches, 200)
    ours, first = recording.read(60 * 200, 61 * 200).eeg[:19], int(first_s * 200)
    np.testing.assert_allclose(raw.get_data(stop=first + 200)[:19, first:] * 1e6, ours, atol=0.01)


def test_a_fif_file_keeps_its_time_its_pauses_and_its_annotations(tmp_path: Path):
    info = mne.create_info([*SCALP], 200.0, "eeg")
    raw = mne.io.RawArray(noise(60, 200) * 1e-6, info, first_samp=2000, verbose="error")
    texts = ["Anfall", "BAD_ACQ_SKIP", "EDGE boundary", "bad_movement"]
    raw.set_annotations(mne.Annotations([12, 20, 20, 40], [3, 10, 0, 30], texts), verbose="error")
    raw.save(tmp_path / "x_raw.fif", verbose="error")
    recording = recorded(tmp_path / "x_raw.fif")
    assert [one.text for one in recording.source.annotations] == ["Anfall", "bad_movement"]
    np.testing.assert_allclose([one[:2] for one in recording.source.annotations], [[12, 3], [40, 20]], atol=0.01)
    times_s = np.array([5.0, 25.0, 50.0])
    np.testing.assert_array_equal(stored_s(times_s, recording.source.stretches, 200), times_s)
    assert np.isnan(recording.read(20 * 200, 30 * 200).eeg).all()


def test_a_pause_at_the_start_of_a_fif_file_counts_as_a_gap():
    raw = mne.io.RawArray(noise(60, 200) * 1e-6, mne.create_info([*SCALP], 200.0, "eeg"), verbose="error")
    raw.set_annotations(mne.Annotations([0, 30], [10, 5], ["BAD_ACQ_SKIP"] * 2), verbose="error")
    stretches, notes = stretches_of(Path("x_raw.fif"), None, raw)  # MNE would not save the pause at the start as it is
    assert [(stretch.at, stretch.length) for stretch in stretches] == [(2000, 4000), (7000, 5000)]
    assert notes == ["The recording has 2 gaps, 15 s in all."]


def test_the_segments_of_a_brainvision_file_begin_when_their_markers_say(tmp_path: Path):
    values = noise(40)
    markers = (
        "Mk1=New Segment,,1,1,0,20201010220000000000\n"
        "Mk2=Comment,Anfall,7681,1,0\n"  # at 30 s of what is stored
        "Mk3=New Segment,,2561,1,0,20201010220010020000\n"  # no pause
        "Mk4=New Segment,,5121,1,0,20201010220200000000\n"
        "Mk5=New Segment,,6401,1,0,20190101000000000000\n"  # a wrong date
        "Mk6=New Segment,,6657,1,0,00000000000000000000\n"  # none
    )
    write_brainvision(tmp_path / "x.vhdr", values, markers)
    recording = recorded(tmp_path / "x.vhdr")
    assert recording.duration_s == 140
    assert recording.notes_so_far() == ["The recording has 1 gap, 1 min 40 s in all."]
    assert recording.source.annotations[0].onset_s == pytest.approx(130, abs=0.01)
    assert [one.text for one in recording.source.annotations] == ["Anfall"]
    assert stored_s(np.array([10.0, 60.0, 130.0]), recording.source.stretches, 256).tolist() == [10, 20, 30]
    whole = recorded(write_edf(tmp_path / "x.edf", values, SCALP))
    np.testing.assert_allclose(recording.read(25_000, 27_000).eeg[:19], whole.read(5000, 7000).eeg[:19], atol=0.05)
    assert np.isnan(recording.read(4000, 24_000).eeg).all()


def test_a_brainvision_file_whose_first_segment_has_no_date_keeps_its_later_pauses(tmp_path: Path):
    markers = (
        "Mk1=New Segment,,1,1,0,00000000000000000000\n"
        "Mk2=New Segment,,15361,1,0,20201010220000000000\n"  # after 60 s
        "Mk3=New Segment,,20481,1,0,20201010220120000000\n"  # 60 s after the end of the second
    )
    write_brainvision(tmp_path / "x.vhdr", noise(100), markers)
    recording = recorded(tmp_path / "x.vhdr")
    assert [stretch[:3] for stretch in recording.source.stretches] == [(0, 0, 20_480), (35_840, 20_480, 5120)]
    assert recording.notes_so_far() == ["The recording has 1 gap, 1 min in all."]


def test_the_pauses_of_a_persyst_file_are_known_from_its_sample_times(tmp_path: Path):
    values = noise(100, 200)
    drifting = "".join(f"{200 * second}={86_340 + 1.0005 * second}\n" for second in range(0, 60, 2))
    write_persyst(tmp_path / "x.lay", values, f"{drifting}12000=100.25\n14000=110.26\n")  # after midnight
    recording = recorded(tmp_path / "x.lay")
    assert [stretch[:3] for stretch in recording.source.stretches] == [(0, 0, 12_000), (32_050, 12_000, 8000)]
    assert recording.notes_so_far()[0] == "The recording has 1 gap, 1 min 40 s in all."
    assert recording.source.annotations == [(pytest.approx(170.25), 20, "Anfall")], "at 70 s of what is stored"
    eeg = recording.read(0, 40_050).eeg[:19]
    np.testing.assert_allclose(eeg[:, :12_000], values[:, :12_000], atol=0.06)
    np.testing.assert_allclose(eeg[:, 32_050:], values[:, 12_000:], atol=0.06)
    assert np.isnan(eeg[:, 12_000:32_050]).all()


def test_a_persyst_file_without_pauses_has_none_however_its_clock_drifts(tmp_path: Path):
    write_persyst(tmp_path / "x.lay", noise(100, 200), "".join(f"{200 * s}={1.002 * s}\n" for s in range(100)))
    assert recorded(tmp_path / "x.lay").duration_s == 100
    write_persyst(tmp_path / "y.lay", noise(100, 200), "0=36000\n", birth="")
    with pytest.raises(DataError, match=r"y\.lay: cannot be read \(MNE-Python wants First, Last, Sex, Hand, ID and B"):
        recorded(tmp_path / "y.lay")


def test_pauses_that_mne_joins_are_told_of_what_it_has_opened(tmp_path: Path):
    starts_s = [*range(20), *range(50, 70)]
    write_edf(tmp_path / "x.edf", noise(40, 200), SCALP, 200, starts_s=starts_s, kind="EDF+D")
    write_brainvision(tmp_path / "y.vhdr", noise(100), "Mk1=New Segment,,1,1,0,20201010220000000000\n"
                      "Mk2=New Segment,,20481,1,0,20201010220220000000\n")  # fmt: skip
    write_edf(tmp_path / "whole.edf", noise(40, 200), SCALP, 200, starts_s=[*range(40)], kind="EDF+C")
    for name, gap in (("x.edf", "30 s"), ("y.vhdr", "1 min"), ("whole.edf", None)):
        raw = mne.io.read_raw(tmp_path / name, preload=True, verbose="error")
        said = f"{tmp_path / name} has 1 gap, {gap} in all, which MNE-Python joins: times after one are too early; "
        for one in (raw, raw.copy().resample(100, verbose="error"), raw.copy().crop(0, 30)):
            notes = [note for note in from_raw(one, BANANA, AS_IN_FILE).notes_so_far() if "gap" in note]
            assert notes == ([f"{said}give its path."] if gap else [])


def test_a_pause_of_a_persyst_file_may_last_for_a_night(tmp_path: Path):
    write_persyst(tmp_path / "x.lay", noise(120, 200), "0=72000\n12000=32400\n")  # from 20:01 to 9:00
    assert recorded(tmp_path / "x.lay").duration_s == 13 * 3600 + 60


@pytest.mark.parametrize(("clock", "known"), [(b"00.00.00", False), (b"21.30.00", True)])
def test_an_anonymised_file_has_no_time_of_day(clock: bytes, known: bool, tmp_path: Path):
    path = write_edf(tmp_path / "x.edf", noise(60), SCALP, starts_s=[*range(60)])
    written = path.read_bytes().replace(b"05.03.2421.30.00", b"01.01.85" + clock)  # as EDF+ has it
    path.write_bytes(written)
    assert recorded(path).source.start == (datetime(1985, 1, 1, 21, 30, tzinfo=UTC) if known else None)


@pytest.mark.parametrize("known", [True, False])
def test_a_cropped_fif_file_starts_when_its_first_sample_was_recorded(known: bool, tmp_path: Path):
    raw = mne.io.RawArray(noise(60, 200) * 1e-6, mne.create_info([*SCALP], 200.0, "eeg"), verbose="error")
    raw.set_meas_date(datetime(2024, 3, 5, 21, 30, tzinfo=UTC) if known else None)
    raw.crop(tmin=20).save(tmp_path / "x_raw.fif", verbose="error")
    recording = recorded(tmp_path / "x_raw.fif")
    assert recording.source.start == (datetime(2024, 3, 5, 21, 30, 20, tzinfo=UTC) if known else None)
    assert any("Times of day are in UTC" in note for note in recording.notes_so_far()) == known
    mne.Annotations([12.5], [2], ["seizure"]).save(tmp_path / "x-annot.fif")  # as a timeline's
    raw.set_annotations(mne.read_annotations(tmp_path / "x-annot.fif"))
    (found,) = raw.crop_by_annotations()
    np.testing.assert_allclose(found.get_data()[:, :400] * 1e6, recording.read(2500, 2900).eeg[:19], atol=0.01)


@pytest.mark.parametrize(("offset", "hour", "minute"), [("+0100", 22, 30), ("-03:30", 18, 0)])
def test_times_of_day_are_local_if_the_file_gives_an_offset(offset: str, hour: int, minute: int, tmp_path: Path):
    """As MNE opens EGI's files, and keeps their offset where they are saved as FIF."""
    raw = mne.io.RawArray(noise(10, 200) * 1e-6, mne.create_info([*SCALP], 200.0, "eeg"), verbose="error")
    raw.set_meas_date(datetime(2024, 3, 5, 21, 30, tzinfo=UTC))
    with raw.info._unlock():
        raw.info["utc_offset"] = offset
    raw.save(tmp_path / "x_raw.fif", verbose="error")
    recording = recorded(tmp_path / "x_raw.fif")
    assert recording.source.start == datetime(2024, 3, 5, hour, minute, tzinfo=UTC)
    assert recording.notes_so_far() == [f"Times of day are local (UTC{offset[:3]}:{offset[-2:]}), as the file says."]


def test_gaps_are_counted_and_their_length_is_rounded(tmp_path: Path):
    starts_s = [0, 1, 2, 10.1234, 11.1234, 400.54321]
    path = write_edf(tmp_path / "x.edf", noise(6, 200), SCALP, 200, starts_s=starts_s, kind="EDF+D")
    assert recorded(path).notes_so_far() == ["The recording has 2 gaps, 6 min 36 s in all."]
