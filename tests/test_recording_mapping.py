"""Channels named by hand, by the option `channels`; mistakes in it and names that nobody knows are listed."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import mne
import numpy as np
import pytest
from edf_files import write_edf
from recordings import AS_IN_FILE, BANANA, noise, pairs_of, recorded

from hms.electrodes import SCALP
from hms.errors import DataError, UserError
from hms.recording.options import ReadingOptions
from hms.recording.recording import want_channels
from hms.timeline.options import TimelineOptions


def test_channels_with_other_names_are_what_the_user_says(tmp_path: Path):
    values = noise(30)
    plain = recorded(write_edf(tmp_path / "plain.edf", values, SCALP))
    labels = [f"EEG {i + 1}" for i in range(17)] + ["Ch03", SCALP[-1]]
    channels = {label: name for label, name in zip(labels[:18], SCALP, strict=False)}
    path = write_edf(tmp_path / "x.edf", values, labels)
    found = recorded(path, channels=channels)  # the last is still recognised
    np.testing.assert_array_equal(found.read(0, found.blocks.samples).eeg, plain.read(0, plain.blocks.samples).eeg)
    assert found.interpolated_so_far() == ()
    (note,) = found.notes_so_far()
    assert note.startswith("By channels=: EEG 1 is Fp1, EEG 2 is F3, ")
    fif = tmp_path / "x_raw.fif"
    mne.io.read_raw_edf(path, verbose="error").save(fif, verbose="error")
    np.testing.assert_allclose(
        recorded(fif, channels=channels).read(0, 200).eeg, plain.read(0, 200).eeg, atol=0.01, equal_nan=True
    )


def test_pairs_by_hand_and_newer_names_mean_the_same_as_by_name(tmp_path: Path):
    labels = [f"{one}-{other}" for one, other in BANANA]
    values = pairs_of(noise(30), labels)
    plain = recorded(write_edf(tmp_path / "plain.edf", values, labels))
    numbers = [str(i) for i in range(1, 17)]
    newer = [label.replace("T3", "T7") for label in labels]
    found = recorded(write_edf(tmp_path / "x.edf", values, numbers), channels=dict(zip(numbers, newer, strict=True)))
    np.testing.assert_array_equal(found.read(0, found.blocks.samples).eeg, plain.read(0, plain.blocks.samples).eeg)


@pytest.mark.parametrize("named", ["Fp1", "EEG Fp1-A1"])
def test_a_channel_named_by_hand_takes_the_place_of_one_with_that_name(named: str, tmp_path: Path):
    values = noise(30, channels=20)
    path = write_edf(tmp_path / "x.edf", values, [named, *SCALP[1:], "Ch-03"])
    found = recorded(path, channels={"Ch-03": "Fp1"})
    wanted = recorded(write_edf(tmp_path / "y.edf", values[[19, *range(1, 19)]], SCALP))
    np.testing.assert_allclose(found.read(0, 6000).eeg, wanted.read(0, 6000).eeg, atol=1e-9)
    swapped = recorded(tmp_path / "y.edf", channels={"F3": "F4", "F4": "F3"})
    here, there = (SCALP.index(name) for name in ("F3", "F4"))
    np.testing.assert_array_equal(swapped.read(0, 6000).eeg[here], wanted.read(0, 6000).eeg[there])


@pytest.mark.parametrize(
    ("channels", "message"),
    [
        ({"Ch1": "Fq1"}, "channels.Ch1: want an electrode .* such as Fp1-F7 or Fp1-A1, got 'Fq1'; did you mean 'Fp1'?"),
        ({"Ch1": "Fp1-F77"}, "channels.Ch1: .*, got 'Fp1-F77'; did you mean 'Fp1-F7'?"),
        ({"Ch1": "FC1"}, "channels.Ch1: .*, got 'FC1': FC1 is not one of the 19$"),
        ({"Ch1": "F9"}, "channels.Ch1: .*, got 'F9': F9 is not one of the 19$"),
        ({"Ch1": "F3-AF3"}, "channels.Ch1: .*, got 'F3-AF3': AF3 is not one of the 19$"),
        ({"Ch1": "SpO2"}, "channels.Ch1: .*, got 'SpO2'"),
        ({"Ch1": "T3", "Ch2": "T7"}, "channels: want one channel for each electrode, got 'Ch1' and 'Ch2' for T7"),
        ({"C3": "Fp1", "F3": "Fp1-A1"}, "channels: want one channel for each electrode, got 'C3' and 'F3' for Fp1-A1"),
    ],
)
def test_an_electrode_that_does_not_exist_is_named(channels: dict, message: str, tmp_path: Path):
    path = write_edf(tmp_path / "x.edf", noise(5), ["Ch1", "Ch2", *SCALP[2:]])
    with pytest.raises(UserError, match=f"^{message.replace('?', '[?]')}"):
        recorded(path, channels=channels)


def test_a_mapped_channel_is_wanted_in_one_of_the_recordings(tmp_path: Path):
    path = write_edf(tmp_path / "x.edf", noise(5), ["Ch1", "Ch2", *SCALP[2:]])
    own = fif_of(tmp_path / "own_raw.fif", noise(5), SCALP)
    broken = tmp_path / "broken.edf"
    broken.write_text("no EDF")
    for channels, paths, message in (
        ({"Ch01": "Fp1"}, [path], f"{path}: channels: want a channel of the file, got 'Ch01'; did you mean 'Ch1'?"),
        ({"xyz": "Fp1"}, [path], f"{path}: channels: want a channel of the file, got 'xyz' (it has Ch1, Ch2, C3, P3"),
        ({"Ch1": "Fp1", "Ch3": "F3"}, [own, broken, path], "channels: want a channel of the 3 recordings, got 'Ch3'; "),
        ({"xyz": "Fp1"}, [own, path], "channels: want a channel of the 2 recordings, got 'xyz' (they have Fp1, F3"),
    ):
        with pytest.raises(UserError, match=f"^{re.escape(message)}"):
            want_channels(paths, channels)
    want_channels([own, path, broken], {"Ch1": "Fp1", "Ch2": "F3"})
    want_channels([broken], {"Ch1": "Fp1"})  # opening it says what is wrong
    want_channels([broken], {})


def test_a_file_uses_what_it_has_of_the_mapped_channels(tmp_path: Path):
    path = write_edf(tmp_path / "x.edf", noise(20), ["Ch1", *SCALP[1:]])
    assert recorded(path, channels={"Ch1": "Fp1", "Ch2": "F3"}).notes_so_far() == [
        "By channels=: Ch1 is Fp1.",
        "Mapped by channels=, but not in this file: Ch2.",
    ]


def fif_of(path: Path, values: np.ndarray, labels: Sequence[str]) -> Path:
    mne.io.RawArray(values * 1e-6, mne.create_info([*labels], 256.0, "eeg"), verbose="error").save(
        path, verbose="error"
    )
    return path


@pytest.mark.parametrize("reference", ["LE", "AVG", "A1"])
@pytest.mark.parametrize("suffix", [".edf", "_raw.fif"])
def test_an_electrode_by_hand_has_the_reference_of_the_others(reference: str, suffix: str, tmp_path: Path):
    values = noise(20)
    labels = ["X7", *(f"EEG {name}-{reference}" for name in SCALP[1:])]
    path = (write_edf if suffix == ".edf" else fif_of)(tmp_path / f"x{suffix}", values, labels)
    found = recorded(path, channels={"X7": "Fp1"})
    assert (found.interpolated_so_far(), found.notes_so_far()) == ((), [f"By channels=: X7 is Fp1-{reference}."])
    whole = recorded(write_edf(tmp_path / "y.edf", values, SCALP)).read(0, 4000).eeg
    np.testing.assert_allclose(found.read(0, 4000).eeg, whole, atol=0.01, equal_nan=True)


def test_a_channel_by_hand_that_is_not_used_is_named(tmp_path: Path):
    path = write_edf(tmp_path / "x.edf", noise(20), ["X7", *(f"{name}-LE" for name in SCALP[1:])])
    notes = recorded(path, channels={"X7": "Fp1-A2"}).notes_so_far()
    assert notes == ["By channels=: X7 is Fp1-A2.", "Interpolated: Fp1.", "Mapped by channels=, but of no use: X7."]


def test_channels_whose_place_others_take_by_hand_are_named(tmp_path: Path):
    path = write_edf(tmp_path / "x.edf", noise(20, channels=20), [*SCALP, "EKG"])
    notes = recorded(path, channels={"EKG": "Fp1"}).notes_so_far()
    assert notes == ["By channels=: EKG is Fp1.", "Not read, because channels= maps another to it: Fp1."]


@pytest.mark.parametrize("suffix", [".edf", "_raw.fif"])
def test_names_with_numbers_are_those_of_the_file(suffix: str, tmp_path: Path):
    values, labels = noise(20), [f"CH-{i}" for i in range(19)]
    path = (write_edf if suffix == ".edf" else fif_of)(tmp_path / f"x{suffix}", values, labels)
    with pytest.raises(DataError, match=r"\(CH-0, CH-1, .*channels={CH-0: Fp1, ...} says"):
        recorded(path)
    by_hand = dict(zip(labels, SCALP, strict=True))
    with pytest.raises(DataError, match=r"not recognised: CH-14, CH-15, CH-16, CH-17, CH-18; channels={CH-14: Fp1"):
        recorded(path, channels=dict([*by_hand.items()][:14]))
    whole = recorded(write_edf(tmp_path / "y.edf", values, SCALP)).read(0, 4000).eeg
    np.testing.assert_allclose(recorded(path, channels=by_hand).read(0, 4000).eeg, whole, atol=0.01, equal_nan=True)


def test_names_that_python_and_the_command_line_take_for_numbers_are_names(tmp_path: Path):
    path = write_edf(tmp_path / "x.edf", noise(20), ["1", *SCALP[1:]])
    assert recorded(path, channels={1: "Fp1"}).notes_so_far() == ["By channels=: 1 is Fp1."]


def test_unrecognised_channels_are_named_where_electrodes_are_missing(tmp_path: Path):
    odd = [f"X{i}" for i in range(10)]
    path = write_edf(tmp_path / "x.edf", noise(20, channels=28), [*odd, *SCALP[1:]], starts_s=range(20))
    said = f"Not recognised: {', '.join(odd[:8])} and 2 more; channels= says what they measure."
    assert recorded(path).notes_so_far() == ["Interpolated: Fp1.", said]
    assert recorded(path, channels={"X3": "Fp1"}).notes_so_far() == ["By channels=: X3 is Fp1."]


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ({"step_s": "10"}, "step_s: want a number, got '10'"),
        ({"threshold": "0.7"}, "threshold: want a number, got '0.7'"),
        ({"batch_size": 2.5}, "batch_size: want a whole number, got 2.5"),
    ],
)
def test_an_option_of_another_type_is_named(option: dict, message: str):
    usual = {"step_s": 10, "threshold": 0.5, "reading": AS_IN_FILE, "batch_size": 32}
    with pytest.raises(UserError, match=f"^{message}"):
        TimelineOptions(**usual | option).checked()


@pytest.mark.parametrize(
    ("channels", "message"),
    [
        (["Fp1"], r"channels: want a dict such as {'EEG 1': 'Fp1'}, got \['Fp1'\]$"),
        ({"Ch1": None}, r"channels.Ch1: want an electrode .*, got None$"),
        ({1: "Fp1", "1": "F3"}, r"channels: want each name once, got '1' twice$"),
    ],
)
def test_channels_that_are_no_names_of_electrodes_are_named(channels: Any, message: str):
    with pytest.raises(UserError, match=f"^{message}"):
        ReadingOptions(unit=None, channels=channels)


def test_labels_that_occur_twice_are_mapped_by_the_numbers_that_mne_gives_them(tmp_path: Path):
    values = noise(20)
    path = write_edf(tmp_path / "x.edf", values, ["X", "X", *SCALP[2:]])
    assert mne.io.read_raw_edf(path, verbose="error").ch_names[:2] == ["X-0", "X-1"]
    whole = recorded(write_edf(tmp_path / "y.edf", values[[1, 0, *range(2, 19)]], SCALP)).read(0, 4000).eeg
    found = recorded(path, channels={"X-1": "Fp1", "X-0": "F3"})
    np.testing.assert_allclose(found.read(0, 4000).eeg, whole, atol=0.01, equal_nan=True)
    one = recorded(path, channels={"X-1": "Fp1"})
    assert one.interpolated_so_far() == ("F3",)
    np.testing.assert_allclose(one.read(0, 4000).eeg[0], whole[0], atol=0.01)
    with pytest.raises(UserError, match=r"want a channel of the file, got 'X' \(it has X-0, X-1, C3"):
        want_channels([path], {"X": "Fp1"})


def test_a_recording_with_too_few_known_names_lists_the_others_and_says_how_to_name_them(tmp_path: Path):
    labels = [f"Ch{i}" for i in range(6)]
    path = write_edf(tmp_path / "x.edf", noise(30), [*labels, *SCALP[6:]], starts_s=range(30))
    lacks = "Fp1, F3, C3, P3, F7, T3"
    wish = rf"got 13 \(lacks {lacks}\); up to 4 are interpolated; not recognised: {', '.join(labels)}; "
    with pytest.raises(DataError, match=wish + r"channels={Ch0: Fp1, \.\.\.} says what they measure$"):
        recorded(path)
    every = [f"Ch{i}" for i in range(19)]
    with pytest.raises(DataError, match=rf"no EEG: none of its 19 .*\({', '.join(every)}\); channels={{Ch0: Fp1"):
        recorded(write_edf(tmp_path / "none.edf", noise(30), every))
