"""EDF and other formats are read as they are written; a damaged file is refused in one line."""

import re
from pathlib import Path

import mne
import numpy as np
import pytest
from conftest import real
from edf_files import write_edf
from recordings import noise, recorded, write_brainvision

from hms.electrodes import SCALP
from hms.errors import DataError
from hms.recording.edf import read_header
from hms.recording.records import record_starts_s


def test_a_header_gives_rates_and_records(tmp_path: Path):
    path = write_edf(tmp_path / "x.edf", noise(20), SCALP, record_s=0.5)
    header = read_header(path)
    assert (header.records, header.sfreq_hz(header.signals[3]), header.signals[0].dimension) == (40, 256, "uV")
    assert record_starts_s(path, header) is None


@pytest.mark.parametrize(
    ("at", "text", "wish"),
    [
        (184, b"5121    ", "header: want 5120 bytes for 19 channel(s), got 5121"),
        (236, b"many    ", "header: number of records: want a number, got 'many'"),
        (236, b"-2      ", "header: number of records: want a whole number from -1, got -2"),
        (244, b"nan     ", "header: duration of a record: want a number, got 'nan'"),
        (244, b"0       ", "header: duration of a record: want more than 0 s, got 0"),
        (244, b"10      ", "want a sampling rate of 50 to 20,000 Hz, got 25.6 Hz"),
        (244, b"1e-3    ", "want a sampling rate of 50 to 20,000 Hz, got 256000 Hz"),
        (252, b"1_9 ", "header: number of channels: want a number, got '1_9'"),
        (256 + 19 * 104, b"1e999   ", "header: physical_min of 'Fp1': want a number, got '1e999'"),
        (256 + 19 * 112, b"1\xff      ", "header: physical_max of 'Fp1': want a number, got '1ÿ'"),
        (
            256 + 19 * 120,
            b"32767   ",
            "header: 'Fp1': want digital_min below digital_max, from -32768 to 32767, got 32767",
        ),
        (256 + 19 * 216, b"25.5    ", "header: samples of 'Fp1': want a whole number from 0, got 25.5"),
    ],
)
def test_a_damaged_header_is_refused_by_the_name_of_its_field(at: int, text: bytes, wish: str, tmp_path: Path):
    path = write_edf(tmp_path / "x.edf", noise(20), SCALP)
    path.write_bytes(path.read_bytes()[:at] + text + path.read_bytes()[at + len(text) :])
    with pytest.raises(DataError, match=re.escape(f"x.edf: {wish}")):
        recorded(path)


def test_a_channel_without_a_physical_range_is_refused(tmp_path: Path):
    path = write_edf(tmp_path / "x.edf", noise(20), SCALP)
    data = path.read_bytes()
    at = 256 + 19 * 104
    path.write_bytes(data[:at] + data[at + 19 * 8 :][:8] + data[at + 8 :])
    with pytest.raises(DataError, match=r"'Fp1': want physical_min and physical_max to differ, got 130 for both"):
        recorded(path)


def test_records_of_a_size_that_the_header_does_not_declare_are_refused_if_the_file_is_too_short(tmp_path: Path):
    path = write_edf(tmp_path / "x.edf", noise(20, channels=20), [*SCALP, "SpO2"])
    data = path.read_bytes()
    at = 256 + 20 * 216 + 19 * 8
    path.write_bytes(data[:at] + b"266     " + data[at + 8 :])
    wish = r"want 20 record\(s\) of 10260 bytes, as its header says, got 19 and 9860 bytes more; the signals are not"
    with pytest.raises(DataError, match=wish):
        recorded(path)


@pytest.mark.parametrize("fault", ["a byte more", "no count", "a count too low", "no count of one record"])
def test_what_sloppy_recorders_write_is_read(fault: str, tmp_path: Path):
    """With slow channels besides the electrodes, as in a sleep laboratory."""
    path = write_edf(tmp_path / "x.edf", noise(20), SCALP)
    whole = with_slow_channels(path.read_bytes(), 11, 10)
    records, size = 20, (len(whole) - 256 * 31) // 20
    if fault == "a byte more":
        whole += b"\x1a"
    elif fault == "no count of one record":
        records, whole = 1, whole[: 256 * 31 + size]
    if "count" in fault:
        whole = whole[:236] + (b"19      " if "low" in fault else b"-1      ") + whole[244:]
    path.write_bytes(whole)
    assert recorded(path).duration_s == records


def with_slow_channels(whole: bytes, channels: int, samples: int) -> bytes:
    """A file of twenty records with more channels, each a slow wave of `samples` per record."""
    said, at = [], 256
    for width in (16, 80, 8, 8, 8, 8, 8, 80, 8, 32):
        field = whole[at : at + 19 * width]
        more = {16: b"SpO2".ljust(16)}.get(width, field[-width:]) if len(said) != 8 else b"%-8d" % samples
        said.append(field + channels * more)
        at += 19 * width
    records = np.frombuffer(whole[at:], np.uint8).reshape(20, -1)
    wave = (9000 * np.sin(np.arange(20 * samples) / 7)).astype("<i2").view(np.uint8).reshape(20, -1)
    head = whole[:184] + b"%-8d" % (256 * (20 + channels)) + whole[192:252] + b"%-4d" % (19 + channels)
    return head + b"".join(said) + np.hstack([records, *channels * [wave]]).tobytes()


@pytest.mark.parametrize(
    ("kind", "at", "text", "wish"),
    [
        (
            "EDF+D",
            256 + 19 * 16,
            b"Notes  ",
            r"want a channel 'EDF Annotations' in a discontinuous file",
        ),
        ("EDF+C", 244, b"0.5     ", r"duration of a record: want 1 s, after which the next begins in a continuous"),
        ("EDF+C", 256 + 20 * 216 + 19 * 8, b"31", r"want 20 record\(s\) of .*; the signals are not continuous"),
        ("EDF+D", 256 + 20 * 216 + 19 * 8, b"31", r"not every record says when it began: its header or a record is"),
    ],
)
def test_a_header_that_the_times_of_records_contradict_is_refused(
    kind: str, at: int, text: bytes, wish: str, tmp_path: Path
):
    path = write_edf(tmp_path / "x.edf", noise(20), SCALP, starts_s=range(20), kind=kind)
    path.write_bytes(path.read_bytes()[:at] + text + path.read_bytes()[at + len(text) :])
    with pytest.raises(DataError, match=wish):
        recorded(path)


def test_records_that_go_back_in_time_are_refused_by_number(tmp_path: Path):
    starts_s = [*range(10), 5, *range(11, 20)]
    path = write_edf(tmp_path / "x.edf", noise(20), SCALP, starts_s=starts_s, kind="EDF+D")
    wish = r"x\.edf: record 11 begins at 5 s, before record 10 has ended \(10 s\); the records are not in order"
    with pytest.raises(DataError, match=wish):
        recorded(path)


def test_a_truncated_file_is_read_as_far_as_it_goes_with_a_note(tmp_path: Path):
    path = write_edf(tmp_path / "x.edf", noise(20), SCALP)
    path.write_bytes(path.read_bytes()[:-50_000])
    recording = recorded(path)
    assert recording.duration_s == 14
    assert "Number of records from the header does not match the file size" in recording.notes_so_far()[0]


def test_a_file_that_is_not_a_recording_is_refused_in_one_line(tmp_path: Path):
    whole = write_edf(tmp_path / "x.edf", noise(20), SCALP).read_bytes()
    damaged = whole[:252] + b"many" + whole[256:]
    for name, content, wish in (
        ("text.edf", b"time;Fp1;Fp2\n0;1;2\n", r"not an EDF or BDF file \(it begins with 'time;Fp1'\)"),
        *((f"empty.{suffix}", b"", "the file is empty$") for suffix in ("edf", "bdf", "fif", "vhdr", "nxe", "parquet")),
        ("head.edf", whole[:300], "the header is truncated"),
        ("damaged.edf", damaged, "header: number of channels: want a number, got 'many'"),
        ("short.edf", whole[:6000], r"holds no samples \(it ends within or right after its header\)"),
        ("text.vhdr", b"no header", r"cannot be read \("),
        ("text.fif", b"no header", r"cannot be read \("),
        ("notes.txt", b"no header", r"cannot be read \(no reader of MNE-Python recognises this '\.txt' file\)"),
        ("x.xyz", b"no header", r"cannot be read \(no reader of MNE-Python recognises this '\.xyz' file\)"),
        (
            "text.eeg",
            b"\xc2",
            r"cannot be read \(not a file of Nihon Kohden; if it is BrainVision's, open 'text\.vhdr'\)",
        ),
        ("alone.eeg", b"\xc2", r"cannot be read \(not .* if it is BrainVision's, open the \.vhdr file that names it\)"),
        ("x.parquet", b"no header", r"not a valid parquet file \("),
    ):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(DataError, match=f"^{re.escape(str(tmp_path / name))}: {wish}") as caught:
            recorded(tmp_path / name)
        assert "\n" not in str(caught.value)
    (tmp_path / "folder.edf").mkdir()
    with pytest.raises(DataError, match=r"folder\.edf: cannot be read \(.*Is a directory"):
        recorded(tmp_path / "folder.edf")
    with pytest.raises(DataError, match=r"gone\.edf: no such file"):
        recorded(tmp_path / "gone.edf")
    with pytest.raises(DataError, match=r"no EEG: none of its 2 channels is named after .* electrode \(SpO2, HR\)"):
        recorded(write_edf(tmp_path / "x.edf", noise(5)[:2], ["SpO2", "HR"]))


@pytest.mark.parametrize("suffix", ["fif", "vhdr", "bdf"])
def test_other_formats_hold_the_same_recording(suffix: str, tmp_path: Path):
    values = noise(20)
    path = tmp_path / f"x_raw.{suffix}"
    if suffix == "bdf":
        write_edf(path, values, SCALP)
    else:
        info = mne.create_info([*SCALP], 256.0, "eeg")
        raw = mne.io.RawArray(values * 1e-6, info, verbose="error")
        raw.info["bads"] = ["Cz"] if suffix == "fif" else []
        raw.save(path, verbose="error") if suffix == "fif" else write_brainvision(path, values)
    recording = recorded(path)
    same = recorded(write_edf(tmp_path / "y.edf", values, SCALP)).read(0, 4000).eeg
    known = [i for i, name in enumerate(SCALP) if name not in recording.interpolated_so_far()]
    np.testing.assert_allclose(recording.read(0, 4000).eeg[known], same[known], atol=0.05)
    if suffix == "fif":
        assert recording.interpolated_so_far() == ("Cz",)
        assert recording.notes_so_far()[0] == "Marked as bad in the file, so not read: Cz."


SLOW = "The file says that its EEG was high-passed at {} Hz: if so, slow rhythms (LRDA, GRDA) cannot be judged."
FAST = "The file says that its EEG was low-passed at {} Hz: if so, fast activity cannot be judged."


@pytest.mark.parametrize("suffix", ["edf", "bdf"])
@pytest.mark.parametrize(
    ("prefilter", "notes"),
    [
        ("", []),
        ("HP:5Hz LP:30Hz", [SLOW.format(5)]),
        ("HP: 1,6 Hz; LP: 0.015 kHz, N:50Hz", [SLOW.format(1.6), FAST.format(15)]),
        ("hp 0.03s lp 70", [SLOW.format(5.3)]),
        ("HP:30ms LP:10ms", [SLOW.format(5.3), FAST.format(16)]),
        ("HP:1.0Hz LP:20Hz", []),
        ("HP 1.6s", []),
        ("HP:DC LP:113 Hz", []),
        ("HP:-1.000 Hz LP:-2.0 Hz N:0.0", []),
        ("HP:0Hz LP:0Hz", []),
        ("HP:500mHz", []),
        ("HP:5e0Hz LP:7..5Hz", []),
        ("HP:15.9Hz LP:15Hz", []),
        ("CHP:5Hz", []),
        ("n/a", []),
    ],
)
def test_filters_that_take_away_what_experts_judge_are_noted(
    prefilter: str, notes: list[str], suffix: str, tmp_path: Path
):
    path = write_edf(tmp_path / f"x.{suffix}", noise(5), SCALP, prefilter=prefilter)
    assert recorded(path).notes_so_far() == notes


def test_filters_are_those_of_most_electrodes(tmp_path: Path):
    labels, of_ekg = [*SCALP, "EKG", "EMG"], ["HP:16Hz LP:15Hz", "HP:20Hz LP:200Hz"]
    values = noise(5, channels=21)
    path = write_edf(tmp_path / "x.edf", values, labels, prefilter=[*["HP:0.5Hz"] * 18, "HP:5Hz", *of_ekg])
    assert recorded(path).notes_so_far() == []
    path = write_edf(tmp_path / "x.edf", values, labels, prefilter=[*["HP:5Hz LP:70Hz"] * 18, "", *of_ekg])
    assert recorded(path).notes_so_far() == [SLOW.format(5)]


@pytest.mark.parametrize(
    ("low_s", "high_hz", "notes"), [("10", "70", []), ("0.03", "15", [SLOW.format(5.3), FAST.format(15)])]
)
def test_filters_of_brainvision_are_noted(low_s: str, high_hz: str, notes: list[str], tmp_path: Path):
    path = tmp_path / "x.vhdr"
    write_brainvision(path, noise(5))
    rows = "".join(f"{i + 1}  {name}  {i + 1}  0.1 µV  {low_s}  {high_hz}  Off\n" for i, name in enumerate(SCALP))
    columns = "#  Name  Phys. Chn.  Resolution / Unit  Low Cutoff [s]  High Cutoff [Hz]  Notch [Hz]"
    with path.open("a") as header:
        header.write(
            f"\n\n[Comment]\nA m p l i f i e r  S e t u p\n============\n\nChannels\n--------\n{columns}\n{rows}"
        )
    assert recorded(path).notes_so_far() == notes


def test_filters_of_fif_are_noted(tmp_path: Path):
    raw = mne.io.RawArray(noise(20) * 1e-6, mne.create_info([*SCALP], 256.0, "eeg"), verbose="error")
    raw.filter(4, 18, verbose="error").save(tmp_path / "x_raw.fif", verbose="error")
    assert recorded(tmp_path / "x_raw.fif").notes_so_far() == [SLOW.format(4), FAST.format(18)]


SHARED_EDF = {
    "PN00-5": 2.0,
    "PN16-2": 2.0,
    "P_ID64_r1": 2.0,
    "Subject00_2": 62.0,
    "aaaaaaac_s001_t000_sample": 2.0,
    "aaaaahln_s001_t000": 2.0,
    "aaaaakpu_s002_t000": 2.0,
    "chb05_06": 2.0,
    "eeglab__test": 60.0,
    "mne-python__duplicate_channel_labels": "no EEG: none of its 4 channels is named after a 10-20 electrode",
    "mne-python__test_edf_stim_channel": 9.59375,
    "mne-testing-data__chtypes_edf": 5.0,
}


@pytest.mark.parametrize("name", SHARED_EDF)
def test_a_file_from_a_hospital_is_read_or_refused_in_one_line(name: str):
    path, expected = real(f"data/edf/{name}.edf"), SHARED_EDF[name]
    if isinstance(expected, str):
        with pytest.raises(DataError, match=f"{name}.edf: {expected}"):
            recorded(path)
        return
    recording = recorded(path)
    assert recording.duration_s == expected
    assert recording.interpolated_so_far() == (("Fz", "Cz", "Pz") if name == "eeglab__test" else ())
    assert np.isfinite(recording.read(0, recording.blocks.samples).eeg[:19]).all()
