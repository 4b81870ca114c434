"""Which channels are read, their unit and rate; a channel that is flat wherever checked is not."""

from collections.abc import Sequence
from pathlib import Path

import mne
import numpy as np
import polars as pl
import pytest
from edf_files import write_edf
from recordings import DOUBLE_BANANA, noise, pairs_of, recorded

from hms.electrodes import SCALP
from hms.errors import DataError
from hms.recording.windows import pieces


def test_values_are_those_of_the_file_in_the_order_of_the_electrodes(tmp_path: Path):
    values = noise(60, 200)
    shuffled = np.random.default_rng(0).permutation(19)
    labels = [f"EEG {SCALP[i].upper()}-REF" for i in shuffled]
    recording = recorded(write_edf(tmp_path / "x.edf", values[shuffled], labels, 200))
    np.testing.assert_allclose(recording.read(0, 12_000).eeg[:19], values, atol=0.01)
    assert (recording.duration_s, recording.notes_so_far()) == (60, [])
    assert f"{recording.source.start:%Y-%m-%d %H:%M:%S}" == "2024-03-05 21:30:00"


OTHER_LETTERS = ["µV", "\x83\xcaV", "Â\xb5V", "Î\xbcV"]
"""µV in Latin-1, Shift JIS and, with either letter, in UTF-8."""


@pytest.mark.parametrize(
    ("unit", "scale"), [("mV", 1e-3), ("V", 1e-6), ("uV", 1), *((unit, 1) for unit in OTHER_LETTERS), ("nV", 1e3)]
)
def test_units_become_microvolts(unit: str, scale: float, tmp_path: Path):
    values = noise(20, 200)
    recording = recorded(write_edf(tmp_path / "x.edf", values * scale, SCALP, 200, unit))
    np.testing.assert_allclose(recording.read(0, 4000).eeg[:19], values, atol=0.01)
    assert recording.notes_so_far() == []


@pytest.mark.parametrize("unit", ["µV", "\N{GREEK SMALL LETTER MU}V"])
def test_microvolts_may_be_written_with_the_sign(unit: str, tmp_path: Path):
    path = write_edf(tmp_path / "x.edf", noise(20), SCALP, unit="mV")
    np.testing.assert_array_equal(
        recorded(path, unit=unit).read(0, 4000).eeg, recorded(path, unit="uV").read(0, 4000).eeg
    )


@pytest.mark.parametrize(("scale", "unit"), [(1e-3, "mV"), (1e-6, "V")])
def test_values_that_are_hardly_microvolts_are_refused_until_a_unit_is_given(scale: float, unit: str, tmp_path: Path):
    values = noise(20, 200)
    path = write_edf(tmp_path / "x.edf", values * scale, SCALP, 200, "")
    wish = r"x\.edf: want an EEG in µV, got values with a median SD of \S+ µV; are they mV or V\? Say which with unit="
    with pytest.raises(DataError, match=wish):
        recorded(path)
    np.testing.assert_allclose(recorded(path, unit=unit).read(0, 4000).eeg[:19], values, atol=0.05)


def test_plausible_values_without_a_unit_are_taken_to_be_microvolts_with_a_note(tmp_path: Path):
    recording = recorded(write_edf(tmp_path / "x.edf", noise(20), SCALP, unit=""))
    said = "The file gives no unit of voltage for Fp1, F3, C3 and 16 more channels: its values are taken to be µV."
    assert recording.notes_so_far() == [said]


def test_microvolts_labelled_as_millivolts_are_refused(tmp_path: Path):
    wish = r"got values with a median SD of \S+ µV; are they nV, or uV labelled as mV or V\?"
    with pytest.raises(DataError, match=wish):
        recorded(write_edf(tmp_path / "x.edf", noise(20), SCALP, unit="mV"))


def test_a_nearly_flat_eeg_is_accepted_if_its_unit_is_given(tmp_path: Path):
    path = write_edf(tmp_path / "x.edf", 0.4 / 30 * noise(20, 200), SCALP, 200)
    with pytest.raises(DataError, match=r"median SD of 0\.4"):
        recorded(path)
    recording = recorded(path, unit="uV")
    assert recording.notes_so_far() == ["Hardly any EEG with unit=uV: values have a median SD of 0.4 µV."]
    assert recording.read(0, 4000).eeg[:19].std() == pytest.approx(0.4, rel=0.1)


def test_noise_of_an_unplugged_amplifier_does_not_speak_for_the_unit_if_the_rest_is_eeg(tmp_path: Path):
    values = noise(200, 200)
    values[:, :24_000] *= 0.3 / 30
    recording = recorded(write_edf(tmp_path / "x.edf", values, SCALP, 200))
    assert np.isfinite(recording.read(24_000, 40_000).eeg[:19]).all()
    assert np.isnan(recording.read(0, 24_000).eeg).all()
    with pytest.raises(DataError, match="are they mV or V"):
        recorded(write_edf(tmp_path / "mV.edf", 30e-3 / 30 * values, SCALP, 200))


def test_a_unit_that_leaves_no_signal_is_accepted_and_noted(tmp_path: Path):
    recording = recorded(write_edf(tmp_path / "x.edf", 1e-6 * noise(60, 200), SCALP, 200, ""), unit="uV")
    (piece,) = pieces(recording, 10, False)
    assert not piece.recorded.any()
    assert recording.notes_so_far()[0].startswith("Hardly any EEG with unit=uV: values have a median SD of 3e-05 µV")
    assert recording.notes_so_far()[1].startswith("No signal for 1 min (SD below 0.4 µV")


@pytest.mark.parametrize("value", [0.0, np.nan, np.inf])
def test_a_few_empty_electrodes_are_interpolated_and_too_many_refused(value: float, tmp_path: Path):
    values = noise(20, 200)
    for count in (2, 5):
        values[:count] = value
        info = mne.create_info([*SCALP], 200.0, "eeg")
        mne.io.RawArray(values * 1e-6, info, verbose="error").save(tmp_path / f"{count}_raw.fif", verbose="error")
    recording = recorded(tmp_path / "2_raw.fif")
    assert recording.interpolated_so_far() == ("Fp1", "F3")
    assert recording.notes_so_far()[0] == "Flat or missing wherever checked, so not read: Fp1, F3."
    assert np.isfinite(recording.read(0, 4000).eeg[:19]).all()
    with pytest.raises(
        DataError, match=r"want at least 15 of the 19 electrodes .*, got 14 \(lacks Fp1, F3, C3, P3, F7\)"
    ):
        recorded(tmp_path / "5_raw.fif")


def test_a_flat_link_of_a_bipolar_file_is_named_as_the_link(tmp_path: Path):
    values = pairs_of(noise(20, 200), DOUBLE_BANANA)
    values[DOUBLE_BANANA.index("T3-T5")] = 0
    notes = recorded(write_edf(tmp_path / "x.edf", values, DOUBLE_BANANA, 200)).notes_so_far()
    assert notes[0] == "Flat or missing wherever checked, so not read: T3-T5."


def test_a_channel_without_samples_is_interpolated_in_a_competition_file_as_in_an_edf(tmp_path: Path):
    values = dict(zip(SCALP, noise(60, 200).astype(np.float32), strict=True))
    columns = values | {"Fp1": np.full(12_000, np.nan, np.float32), "EKG": values["Cz"]}
    pl.DataFrame(columns).write_parquet(tmp_path / "x.parquet")
    recording = recorded(tmp_path / "x.parquet")
    assert recording.notes_so_far() == ["Flat or missing wherever checked, so not read: Fp1.", "Interpolated: Fp1."]
    assert np.isfinite(recording.read(0, 12_000).eeg).all()


@pytest.mark.parametrize("hiss_uv", [0, 0.05])
def test_a_reference_that_is_stored_as_zero_is_kept_by_hand(hiss_uv: float, tmp_path: Path):
    """Cz against Cz: as flat as a dead electrode."""
    potentials = noise(30)
    values = potentials - potentials[SCALP.index("Cz")] + hiss_uv * noise(30, seed=1) / 30
    path = write_edf(tmp_path / "x.edf", values, [f"EEG {name}-Ref" for name in SCALP])
    found = recorded(path)
    found.read(0, found.blocks.samples)
    assert found.interpolated_so_far() == ("Cz",)
    advice = "If it is the reference of the others, keep it by channels={Fp1: Fp1-Cz, ...} for each of them."
    assert len([note for note in found.notes_so_far() if note.endswith(f"interpolated: Cz. {advice}") or
                note == f"Flat or missing wherever checked, so not read: Cz. {advice}"]) == 1  # fmt: skip
    kept = recorded(path, channels={f"EEG {name}-Ref": f"{name}-Cz" for name in SCALP if name != "Cz"})
    eeg = kept.read(0, kept.blocks.samples).eeg
    assert kept.interpolated_so_far() == ()
    assert not any("keep it by" in note for note in kept.notes_so_far())
    whole = recorded(write_edf(tmp_path / "y.edf", potentials, SCALP)).read(0, kept.blocks.samples).eeg
    for one in range(19):
        want = whole[one] - whole[SCALP.index("Cz")]
        np.testing.assert_allclose(eeg[one] - eeg[SCALP.index("Cz")], want, atol=0.3)


@pytest.mark.parametrize(("reference", "flat"), [("A1", ["Cz"]), ("Ref", ["Cz", "Pz"])])
def test_what_cannot_be_the_only_reference_is_not_said_to_be(reference: str, flat: list[str], tmp_path: Path):
    values = noise(20)
    values[[SCALP.index(name) for name in flat]] = 0
    notes = recorded(write_edf(tmp_path / "x.edf", values, [f"{name}-{reference}" for name in SCALP])).notes_so_far()
    assert notes[0] == f"Flat or missing wherever checked, so not read: {', '.join(flat)}."


def test_infinite_samples_become_missing(tmp_path: Path):
    values = noise(20, 200)
    values[3, 1000:1010] = np.inf
    info = mne.create_info([*SCALP], 200.0, "eeg")
    mne.io.RawArray(values * 1e-6, info, verbose="error").save(tmp_path / "x_raw.fif", verbose="error")
    found = recorded(tmp_path / "x_raw.fif").read(0, 4000).eeg
    assert np.isnan(found[3, 1000:1010]).all()
    assert np.isnan(found[:19]).sum() == 10


def test_values_beyond_a_kilovolt_become_missing(tmp_path: Path):
    path = write_edf(tmp_path / "x.edf", noise(20), SCALP)
    at = 256 + 19 * 104
    path.write_bytes(path.read_bytes()[:at] + b"-9e250  " + path.read_bytes()[at + 8 :])
    recording = recorded(path)
    assert recording.interpolated_so_far() == ("Fp1",)
    assert "Flat or missing wherever checked, so not read: Fp1." in recording.notes_so_far()


def test_a_flat_line_is_not_an_eeg(tmp_path: Path):
    with pytest.raises(DataError, match=r"x\.edf: want EEG, got a flat line in every electrode"):
        recorded(write_edf(tmp_path / "x.edf", 0 * noise(20), SCALP))


def test_an_eeg_that_is_unplugged_for_most_of_its_time_is_read(tmp_path: Path):
    values = np.hstack([noise(100, 200), 0 * noise(300, 200)])
    recording = recorded(write_edf(tmp_path / "x.edf", values, SCALP, 200))
    assert recording.notes_so_far() == []
    np.testing.assert_allclose(recording.read(0, 20_000).eeg[:19], values[:, :20_000], atol=0.1)


@pytest.mark.parametrize("electrodes", [[3], range(19)])
def test_electrodes_that_record_for_a_minute_of_ten_are_not_flat(electrodes: Sequence[int], tmp_path: Path):
    values = noise(600, 200)
    there = np.zeros(values.shape[1], bool)
    there[20 * 200 : 75 * 200] = True
    values[np.ix_(electrodes, ~there)] = 0
    assert recorded(write_edf(tmp_path / "x.edf", values, SCALP, 200)).interpolated_so_far() == ()


def test_a_discontinuous_eeg_is_judged_by_what_was_recorded(tmp_path: Path):
    values, starts_s = noise(300, 200), [start + second for start in (0, 90_000, 180_000) for second in range(100)]
    values[:, : 10 * 200] = values[:, -10 * 200 :] = 0  # before it was plugged in, and after
    path = write_edf(tmp_path / "x.edf", values, SCALP, 200, starts_s=starts_s, kind="EDF+D")
    recording = recorded(path)
    assert recording.interpolated_so_far() == ()
    np.testing.assert_allclose(recording.read(90_000 * 200, 90_010 * 200).eeg[:19], values[:, 20_000:22_000], atol=0.1)


@pytest.mark.parametrize("label", ["MIC", "P1", "M1", "EKG"])
def test_a_faster_channel_besides_the_electrodes_changes_nothing(label: str, tmp_path: Path):
    values = noise(20, 250)
    path = tmp_path / "x.edf"
    write_edf(path, values, SCALP, 250)
    alone = recorded(path).read(0, 4000).eeg
    path.write_bytes(with_a_faster_channel(path.read_bytes(), label))
    recording = recorded(path)
    assert recording.source.sfreq_hz == 250
    np.testing.assert_array_equal(recording.read(0, 4000).eeg, alone)


def with_a_faster_channel(whole: bytes, label: str) -> bytes:
    """A file of twenty records with one more channel, of 1,000 samples per record."""
    head, count = whole[:256], int(whole[252:256])
    widths = (16, 80, 8, 8, 8, 8, 8, 80, 8, 32)
    fields, at = [], 256
    for width in widths:
        fields.append(whole[at : at + width * count])
        at += width * count
    more = [label, "", "uV", "-100", "100", "-32768", "32767", "", "1000", ""]
    fields = [old + text.encode().ljust(width) for old, text, width in zip(fields, more, widths, strict=True)]
    records = np.frombuffer(whole[at:], np.uint8).reshape(20, -1)
    fast = np.zeros((20, 2000), np.uint8)
    head = head[:184] + f"{256 * (count + 2):<8}".encode() + head[192:252] + f"{count + 1:<4}".encode()
    return head + b"".join(fields) + np.hstack([records, fast]).tobytes()


def test_ekg_is_not_read_from_two_channels_of_different_rates(tmp_path: Path):
    path = write_edf(tmp_path / "x.edf", noise(20, 250, channels=20), [*SCALP, "EKG"], 250)
    alone = recorded(path).read(0, 4000).eeg
    path.write_bytes(with_a_faster_channel(path.read_bytes(), "EKG"))
    recording = recorded(path)
    assert recording.source.sfreq_hz == 250
    np.testing.assert_array_equal(recording.read(0, 4000).eeg[:19], alone[:19])
    assert np.isnan(recording.read(0, 4000).eeg[19]).all()


def test_electrodes_of_different_rates_are_refused(tmp_path: Path):
    path = write_edf(tmp_path / "x.edf", noise(20), SCALP)
    whole = bytearray(path.read_bytes())
    place = 256 + 19 * 216 + 8 * 3  # samples of the fourth channel in a record
    whole[place : place + 8] = b"128     "
    path.write_bytes(bytes(whole))
    with pytest.raises(DataError, match=r"x\.edf: want one sampling rate for all electrodes, got 128 and 256 Hz"):
        recorded(path)


def test_the_first_channel_of_a_label_is_read_with_a_note(tmp_path: Path):
    values = np.concatenate([noise(20, 200), 500 + noise(20, 200, seed=1)[:1]])
    recording = recorded(write_edf(tmp_path / "x.edf", values, [*SCALP, "Cz"], 200))
    assert recording.notes_so_far() == ["'Cz' occurs more than once: the first is read."]
    old_and_new = [*(f"{name}-Ref" for name in SCALP), "EEG T7-Ref"]
    recording = recorded(write_edf(tmp_path / "y.edf", values, old_and_new, 200))
    assert recording.notes_so_far() == ["'T3-Ref' and 'EEG T7-Ref' measure the same: the first is read."]
    np.testing.assert_allclose(recording.read(0, 4000).eeg[:19], values[:19], atol=0.05)
