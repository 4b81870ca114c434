"""Which recordings a folder, a pattern or a name stands for."""

import re
from pathlib import Path

import mne
import pytest
from recordings import noise, recorded

from hms.electrodes import SCALP
from hms.errors import UserError
from hms.recording.paths import recording_files


def test_a_folder_or_a_pattern_stands_for_its_recordings(tmp_path: Path):
    for name in ("b.edf", "a.BDF", "c.vhdr", "c.eeg", "d.eeg", "notes.txt", ".hidden.edf", "b.fif"):
        (tmp_path / name).touch()
    found = recording_files(str(tmp_path))
    assert {key: path.name for key, path in found.items()} == {
        "a": "a.BDF",
        "b.edf": "b.edf",
        "b.fif": "b.fif",
        "c": "c.vhdr",
        "d": "d.eeg",
    }
    assert [*recording_files(str(tmp_path / "*.edf"))] == ["b"]
    assert [*recording_files([str(tmp_path / "notes.txt"), "gone.edf"])] == ["notes", "gone"]


def test_the_ending_of_a_pattern_is_meant_in_any_case(tmp_path: Path):
    for name in ("icu_01.edf", "icu_02.EDF", "icu_03.bdf", "ICU_04.Edf"):
        (tmp_path / name).touch()
    for pattern in ("icu*.edf", "icu*.EDF"):
        assert [*recording_files(str(tmp_path / pattern))] == ["icu_01", "icu_02"]
    assert [*recording_files(str(tmp_path / "*.edf"))] == ["ICU_04", "icu_01", "icu_02"]


def test_files_of_the_same_name_are_called_by_their_folders(tmp_path: Path):
    names = (
        "anna/day 1/eeg.edf",
        "anna/day 2/eeg.edf",
        "ben/eeg.edf",
        "ben/eeg.bdf",
        "ben/night.edf",
        "ben/eeg.edf.bdf",
    )
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert {name: str(path.relative_to(tmp_path)) for name, path in recording_files(f"{tmp_path}/**/*").items()} == {
        "anna/day 1/eeg": "anna/day 1/eeg.edf",
        "anna/day 2/eeg": "anna/day 2/eeg.edf",
        "ben/eeg.edf": "ben/eeg.edf",
        "eeg.bdf": "ben/eeg.bdf",
        "eeg.edf.bdf": "ben/eeg.edf.bdf",
        "night": "ben/night.edf",
    }


def test_a_file_that_is_named_twice_is_one_recording(tmp_path: Path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "x.edf").touch()
    assert recording_files(["x.edf", str(tmp_path / "x.edf"), "*.edf"]) == {"x": Path("x.edf")}


def test_recordings_below_a_folder_that_holds_others_are_left_out_with_a_line(tmp_path: Path, capsys):
    for name in ("ward[1]/a.edf", "ward[1]/b/c.edf", "ward[1]/d/e/f.bdf", "ward[1]/d/notes.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    ward = tmp_path / "ward[1]"
    assert [*recording_files(f"{ward}/")] == ["a"]
    left_out = f"{ward}/: 2 recordings in its folders left out"
    more = f"'{tmp_path}/ward[[]1]/**/*' finds those in its folders as well"
    assert capsys.readouterr().err == f"{left_out}; {more}\n"


def test_a_folder_of_folders_is_refused_with_the_pattern_that_finds_their_recordings(tmp_path: Path):
    (tmp_path / "ward/one").mkdir(parents=True)
    with pytest.raises(UserError, match=r"got none in '.*ward'$"):
        recording_files(f"{tmp_path}/ward")
    (tmp_path / "ward/one/x.EDF").touch()
    with pytest.raises(UserError, match=rf"got none in '.*'; '{tmp_path}/ward/\*\*/\*' finds those in its folders$"):
        recording_files(f"{tmp_path}/ward/")
    assert recording_files(f"{tmp_path}/ward/**/*") == {"x": tmp_path / "ward/one/x.EDF"}


def test_results_in_a_folder_are_not_taken_for_recordings(tmp_path: Path):
    names = ("a.edf", "a.parquet", "a.json", "a-annot.fif", "a-annot.edf", "b.parquet", "c-annot.edf", "c-annot.fif")
    for name in names:
        (tmp_path / name).touch()
    found = {"a": "a.edf", "b": "b.parquet", "c-annot": "c-annot.edf"}  # an annotated copy, of which there is no result
    assert {key: path.name for key, path in recording_files(str(tmp_path)).items()} == found


def test_endings_of_two_parts_and_folders_that_are_recordings_count(tmp_path: Path):
    for name in ("a_raw.FIF.gz", "b.csv.gz", "c.mefd/x.timd", "d.mff/info.xml"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert [path.name for path in recording_files(str(tmp_path)).values()] == ["a_raw.FIF.gz", "c.mefd", "d.mff"]
    assert [*recording_files(str(tmp_path / "*.fif.gz"))] == ["a_raw.FIF"]


@pytest.mark.parametrize("naming", ["neuromag", "bids"])
def test_a_recording_in_several_files_is_one(naming: str, tmp_path: Path):
    raw = mne.io.RawArray(noise(300, 200) * 1e-6, mne.create_info([*SCALP], 200.0, "eeg"), verbose="error")
    whole = tmp_path / "night_eeg.fif"
    raw.save(whole, split_size="2MB", split_naming=naming, verbose="error")
    assert len(list(tmp_path.iterdir())) > 2
    (tmp_path / "other-1.fif").touch()
    (tmp_path / "other.fif").touch()
    first = whole if naming == "neuromag" else tmp_path / "night_split-01_eeg.fif"
    found = recording_files(str(tmp_path))
    assert [*found] == [first.stem, "other-1", "other"]
    assert recorded(found[first.stem]).duration_s == 300


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("*.edf", "recording: want EDF, BDF, BrainVision, FIF or other recordings, got none in '*.edf'"),
        ([], "recording: want at least one, got none"),
        ("n\udcff.edf", r"recording: want files whose names are UTF-8, got 'n\udcff.edf'"),
    ],
)
def test_files_that_cannot_be_meant_are_refused(words: str | list[str], message: str, tmp_path: Path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=re.escape(message)):
        recording_files(words)
