"""Reading any recording: labels, references, units, rates, gaps; what cannot be used is refused in one clear line."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import mne
import numpy as np
import polars as pl
import pytest
from conftest import real
from edf_files import write_edf

from hms.data.files import read_spectrogram
from hms.data.half_precision import as_stored, eeg_as_stored
from hms.electrodes import ELECTRODES, POSITIONS, SCALP
from hms.errors import DataError, UserError
from hms.recording.derivation import derivation
from hms.recording.duration import duration_text
from hms.recording.edf import read_header
from hms.recording.found import recording_files
from hms.recording.labels import EKG, Lead, lead_of, without_numbers
from hms.recording.mapping import want_channels
from hms.recording.meanings import meanings_of
from hms.recording.recording import Recording, open_recording
from hms.recording.records import record_starts_s
from hms.recording.resample import Resampler
from hms.recording.source import stored_s
from hms.recording.spans import spans_of
from hms.recording.windows import count_windows, regional_rows, stretches
from hms.spectrogram_recipe import REGIONS, regional_spectrogram
from hms.timeline.options import TimelineOptions

BANANA = [tuple(pair.split("-")) for chain in REGIONS.values() for pair in chain]
MIDLINE = [("Fz", "Cz"), ("Cz", "Pz")]


def noise(seconds: float, sfreq_hz: float = 256, seed: int = 0, channels: int = 19) -> np.ndarray:
    """Smooth noise of EEG's amplitude, without power above 40 Hz."""
    draw = np.random.default_rng(seed)
    spectrum = np.fft.rfft(draw.normal(size=(channels, round(seconds * sfreq_hz))))
    spectrum[:, np.fft.rfftfreq(round(seconds * sfreq_hz), 1 / sfreq_hz) > 40] = 0
    values = np.fft.irfft(spectrum, round(seconds * sfreq_hz))
    return 30 * values / values.std(axis=1, keepdims=True)


def recorded(path: Path, pairs=BANANA, unit: str | None = None, channels: dict | None = None) -> Recording:
    return open_recording(path, pairs, unit, channels)


# Labels


@pytest.mark.parametrize(
    "label",
    [
        *("Fp1", "FP1", "fp1", " Fp1 ", "Fp1.", "Fp1..", "EEG Fp1", "EEG FP1", "EEG Fp1-Ref", "EEG FP1-REF", "EEGFp1"),
        *("Fp1-Ref", "FP1 - REF", "Fp1_Ref", "Fp1REF", "POL Fp1", "EEG:Fp1", "EEG-Fp1", "eeg fp1-ref", "Fp1 [uV]"),
        *(
            "Fp1/Ref",
            "Fp 1",
            "1 Fp1",
            "01: Fp1",
            "EEG1 Fp1",
            "EEG 1 Fp1",
            "EEG12 Fp 1-Ref",
            "Chan 1 Fp1",
            "EEG Fp 1 - Ref",
        ),
    ],
)
def test_an_electrode_is_recognised_in_all_its_spellings(label: str):
    assert lead_of(label) == Lead("Fp1", "")


@pytest.mark.parametrize(
    ("label", "lead"),
    [
        ("T7", Lead("T3", "")),
        ("EEG P8-Ref", Lead("T6", "")),
        ("EEG CZ-LE", Lead("Cz", "LE")),
        ("C3-A2", Lead("C3", "A2")),
        ("O1-(A1+A2)/2", Lead("O1", "(A1+A2)/2")),
        ("FP1-F7", Lead("Fp1", "F7")),
        ("EEG F7-T7", Lead("F7", "T3")),
        ("F7T3", Lead("F7", "T3")),
        ("T7–P7", Lead("T3", "T5")),
        ("FT9-FT10", Lead("FT9", "FT10")),
        ("T8-P8-0", Lead("T4", "T6")),
        ("Cz-1", Lead("Cz", "")),
        ("EKG EKG", EKG),
        ("EEG EKG-LE", EKG),
        ("ECG ECG1", EKG),
        ("X1-EKG", EKG),
        ("BIP EKG", EKG),
        ("BIP 2: ECG", EKG),
        ("T7/T3", Lead("T3", "")),
        ("P4/O2", Lead("P4", "O2")),
        ("T6 (P8)", Lead("T6", "")),
        ("T7/T3-A1", Lead("T3", "A1")),
        ("C3/(A1+A2)/2", Lead("C3", "(A1+A2)/2")),
        ("F 7 - T 3", Lead("F7", "T3")),
        *((none, None) for none in ("POL E", "DC1-DC", "SaO2 X9", "Status", "STI 014", "1", "EEG 20-REF", "PHOTIC PH")),
        *(
            (none, None)
            for none in ("T3/T3", "1", "1 2", "EEG1", "EEG 1 2", "EEG1-REF", "X1", "Xylo ECG rate", "CH 3", "O2 Sat")
        ),
        *((none, None) for none in ("EDF Annotations", "OorLiTop", "MK", "", "Fp1-Fp1")),
    ],
)
def test_a_label_says_what_is_measured_against_what(label: str, lead: Lead | None):
    assert lead_of(label) == lead


def test_every_electrode_is_recognised_in_capitals_and_by_its_newer_name():
    for name in SCALP:
        assert lead_of(f"EEG {name.upper()}-REF") == Lead(name, "")
    newer = [lead_of(name).anode for name in "T7 T8 P7 P8".split()]
    assert newer == "T3 T4 T5 T6".split()


def test_numbers_that_mne_appends_to_duplicate_labels_are_removed():
    assert without_numbers(["T8-P8-0", "Cz", "T8-P8-1", "A-1"]) == ["T8-P8", "Cz", "T8-P8", "A-1"]


# Channels named by hand


def test_channels_with_other_names_are_what_the_user_says(tmp_path: Path):
    values = noise(30)
    plain = recorded(write_edf(tmp_path / "plain.edf", values, SCALP))
    labels = [f"EEG {i + 1}" for i in range(17)] + ["Ch03", SCALP[-1]]
    channels = {label: name for label, name in zip(labels[:18], SCALP, strict=False)}
    path = write_edf(tmp_path / "x.edf", values, labels)
    found = recorded(path, channels=channels)  # the last is still recognised
    np.testing.assert_array_equal(found.eeg(0, found.samples), plain.eeg(0, plain.samples))
    assert found.interpolated == ()
    (note,) = found.notes
    assert note.startswith("By channels=: EEG 1 is Fp1, EEG 2 is F3, ")
    fif = tmp_path / "x_raw.fif"
    mne.io.read_raw_edf(path, verbose="error").save(fif, verbose="error")
    np.testing.assert_allclose(
        recorded(fif, channels=channels).eeg(0, 200), plain.eeg(0, 200), atol=0.01, equal_nan=True
    )


def test_pairs_by_hand_and_newer_names_mean_the_same_as_by_name(tmp_path: Path):
    labels = [f"{one}-{other}" for one, other in BANANA]
    values = pairs_of(noise(30), labels)
    plain = recorded(write_edf(tmp_path / "plain.edf", values, labels))
    numbers = [str(i) for i in range(1, 17)]
    newer = [label.replace("T3", "T7") for label in labels]
    found = recorded(write_edf(tmp_path / "x.edf", values, numbers), channels=dict(zip(numbers, newer, strict=True)))
    np.testing.assert_array_equal(found.eeg(0, found.samples), plain.eeg(0, plain.samples))


@pytest.mark.parametrize("named", ["Fp1", "EEG Fp1-A1"])
def test_a_channel_named_by_hand_takes_the_place_of_one_with_that_name(named: str, tmp_path: Path):
    values = noise(30, channels=20)
    path = write_edf(tmp_path / "x.edf", values, [named, *SCALP[1:], "Ch-03"])
    found = recorded(path, channels={"Ch-03": "Fp1"})
    wanted = recorded(write_edf(tmp_path / "y.edf", values[[19, *range(1, 19)]], SCALP))
    np.testing.assert_allclose(found.eeg(0, 6000), wanted.eeg(0, 6000), atol=1e-9)
    swapped = recorded(tmp_path / "y.edf", channels={"F3": "F4", "F4": "F3"})
    here, there = (SCALP.index(name) for name in ("F3", "F4"))
    np.testing.assert_array_equal(swapped.eeg(0, 6000)[here], wanted.eeg(0, 6000)[there])


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
    want_channels([broken], None)


def test_a_file_uses_what_it_has_of_the_mapped_channels(tmp_path: Path):
    path = write_edf(tmp_path / "x.edf", noise(20), ["Ch1", *SCALP[1:]])
    assert recorded(path, channels={"Ch1": "Fp1", "Ch2": "F3"}).notes == [
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
    assert (found.interpolated, found.notes) == ((), [f"By channels=: X7 is Fp1-{reference}."])
    whole = recorded(write_edf(tmp_path / "y.edf", values, SCALP)).eeg(0, 4000)
    np.testing.assert_allclose(found.eeg(0, 4000), whole, atol=0.01, equal_nan=True)


def test_a_channel_by_hand_that_is_not_used_is_named(tmp_path: Path):
    path = write_edf(tmp_path / "x.edf", noise(20), ["X7", *(f"{name}-LE" for name in SCALP[1:])])
    notes = recorded(path, channels={"X7": "Fp1-A2"}).notes
    assert notes == ["By channels=: X7 is Fp1-A2.", "Interpolated: Fp1.", "Mapped by channels=, but of no use: X7."]


def test_channels_whose_place_others_take_by_hand_are_named(tmp_path: Path):
    path = write_edf(tmp_path / "x.edf", noise(20, channels=20), [*SCALP, "EKG"])
    notes = recorded(path, channels={"EKG": "Fp1"}).notes
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
    whole = recorded(write_edf(tmp_path / "y.edf", values, SCALP)).eeg(0, 4000)
    np.testing.assert_allclose(recorded(path, channels=by_hand).eeg(0, 4000), whole, atol=0.01, equal_nan=True)


def test_names_that_python_and_the_command_line_take_for_numbers_are_names(tmp_path: Path):
    path = write_edf(tmp_path / "x.edf", noise(20), ["1", *SCALP[1:]])
    assert recorded(path, channels={1: "Fp1"}).notes == ["By channels=: 1 is Fp1."]


def test_unrecognised_channels_are_named_where_electrodes_are_missing(tmp_path: Path):
    odd = [f"X{i}" for i in range(10)]
    path = write_edf(tmp_path / "x.edf", noise(20, channels=28), [*odd, *SCALP[1:]], starts_s=range(20))
    said = f"Not recognised: {', '.join(odd[:8])} and 2 more; channels= says what they measure."
    assert recorded(path).notes == ["Interpolated: Fp1.", said]
    assert recorded(path, channels={"X3": "Fp1"}).notes == ["By channels=: X3 is Fp1."]


@pytest.mark.parametrize("unit", ["µV", "\N{GREEK SMALL LETTER MU}V"])
def test_microvolts_may_be_written_with_the_sign(unit: str, tmp_path: Path):
    path = write_edf(tmp_path / "x.edf", noise(20), SCALP, unit="mV")
    TimelineOptions(10, 0.5, unit, None, 32).checked()
    np.testing.assert_array_equal(recorded(path, unit=unit).eeg(0, 4000), recorded(path, unit="uV").eeg(0, 4000))


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ({"step_s": "10"}, "step_s: want a number, got '10'"),
        ({"threshold": "0.7"}, "threshold: want a number, got '0.7'"),
        ({"batch_size": 2.5}, "batch_size: want a whole number, got 2.5"),
        ({"channels": ["Fp1"]}, r"channels: want a dict such as {'EEG 1': 'Fp1'}, got \['Fp1'\]$"),
        ({"channels": {"Ch1": None}}, r"channels.Ch1: want an electrode .*, got None$"),
        ({"channels": {1: "Fp1", "1": "F3"}}, r"channels: want each name once, got '1' twice$"),
    ],
)
def test_an_option_of_another_type_is_named(option: dict, message: str):
    usual = {"step_s": 10, "threshold": 0.5, "unit": None, "channels": None, "batch_size": 32}
    with pytest.raises(UserError, match=f"^{message}"):
        TimelineOptions(**usual | option).checked()


def test_labels_that_occur_twice_are_mapped_by_the_numbers_that_mne_gives_them(tmp_path: Path):
    values = noise(20)
    path = write_edf(tmp_path / "x.edf", values, ["X", "X", *SCALP[2:]])
    assert mne.io.read_raw_edf(path, verbose="error").ch_names[:2] == ["X-0", "X-1"]
    whole = recorded(write_edf(tmp_path / "y.edf", values[[1, 0, *range(2, 19)]], SCALP)).eeg(0, 4000)
    found = recorded(path, channels={"X-1": "Fp1", "X-0": "F3"})
    np.testing.assert_allclose(found.eeg(0, 4000), whole, atol=0.01, equal_nan=True)
    one = recorded(path, channels={"X-1": "Fp1"})
    assert one.interpolated == ("F3",)
    np.testing.assert_allclose(one.eeg(0, 4000)[0], whole[0], atol=0.01)
    with pytest.raises(UserError, match="want a channel of the file, got 'X'; did you mean 'X-1'"):
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


SHAFTS = [f"{letter}{i}" for letter in "FCPOTA" for i in range(1, 11)]


@pytest.mark.parametrize("label", ["{}", "EEG {}-Ref", "POL {}"])
def test_contacts_of_depth_electrodes_are_not_taken_for_the_scalps(label: str, tmp_path: Path):
    """F3, F7, C3, P3, O1 and their like, with Fz, Cz and Pz, would be enough for an EEG of the scalp."""
    labels = [label.format(name) for name in [*SHAFTS, "Fz", "Cz", "Pz"]]
    path = write_edf(tmp_path / "x.edf", noise(20, channels=63), labels)
    end = rf"; numbered as on depth electrodes or grids: {labels[0]}, .*; channels={{{labels[0]}: Fp1, ...}} says what"
    with pytest.raises(DataError, match=rf"want at least 15 .*, got 3 \(lacks Fp1, .*{end}"):
        recorded(path)
    with pytest.raises(DataError, match=f"x.edf: no EEG of the scalp{end}"):
        recorded(write_edf(path, noise(20, channels=60), labels[:60]))


def test_electrodes_beside_depth_electrodes_are_named_by_hand(tmp_path: Path):
    values = noise(20, channels=79)
    labels = [*SHAFTS, *(f"Scalp {name}" for name in SCALP)]
    path = write_edf(tmp_path / "x.edf", values, labels)
    found = recorded(path, channels={f"Scalp {name}": name for name in SCALP})
    whole = recorded(write_edf(tmp_path / "y.edf", values[60:], SCALP))
    np.testing.assert_allclose(found.eeg(0, 4000), whole.eeg(0, 4000), atol=0.01, equal_nan=True)
    assert found.interpolated == ()
    (kept,) = (note for note in found.notes if "depth" in note)
    assert kept.startswith("Numbered as on depth electrodes or grids, so not read: F1, F2, F3, ")
    assert kept.endswith(" ...; channels= says which are on the scalp.")


@pytest.mark.parametrize("montage", ["easycap-M1", "biosemi64", "brainproducts-RNP-BA-128"])
def test_caps_of_any_density_are_read(montage: str):
    labels = [*mne.channels.make_standard_montage(montage).ch_names, "T1", "T2", "A1", "A2"]
    found = meanings_of(labels, {})
    assert found.in_depth == []
    assert {*SCALP} <= {lead.anode for lead in found.leads if lead}


def test_a_label_of_stereo_eeg_is_no_electrode_of_the_scalp():
    assert (lead_of("SEEG F3"), lead_of("SEEG-F3"), lead_of("SEEG F3-F4")) == (None, None, None)


# From channels to electrodes


def test_electrodes_against_one_reference_are_taken_as_they_are():
    leads = [Lead(name, "LE") for name in SCALP[::-1]] + [EKG, Lead("A1", "LE")]
    found = derivation(leads, [*BANANA, *MIDLINE])
    np.testing.assert_array_equal(found.matrix[:19, :19], np.eye(19)[::-1])
    assert found.matrix[19, 19] == 1
    assert found.interpolated == ()


def pairs_of(values: np.ndarray, labels: list[str]) -> np.ndarray:
    leads = [lead_of(label) for label in labels]
    return np.stack([values[SCALP.index(lead.anode)] - values[SCALP.index(lead.cathode)] for lead in leads])


DOUBLE_BANANA = [f"{one}-{other}" for one, other in [*BANANA, *MIDLINE]]


def test_connected_pairs_give_exact_differences():
    potentials = noise(2)
    found = derivation([lead_of(label) for label in DOUBLE_BANANA], BANANA)
    made = found.matrix[:19] @ pairs_of(potentials, DOUBLE_BANANA)
    for one, other in [*BANANA, *MIDLINE, ("F7", "C3"), ("Fz", "Pz")]:
        i, j = SCALP.index(one), SCALP.index(other)
        np.testing.assert_allclose(made[i] - made[j], potentials[i] - potentials[j], atol=1e-9)
    assert found.reconstructed


def test_pairs_that_share_an_electrode_share_a_reference():
    shared = [
        [Lead(name, "Cz") for name in SCALP if name != "Cz"],
        [Lead("Cz", name) for name in SCALP if name != "Cz"],
    ]
    assert [derivation(leads, BANANA).reconstructed for leads in shared] == [False, False]
    assert derivation([*shared[0], Lead("Fp1", "F7")], BANANA).reconstructed


@pytest.mark.parametrize(
    ("labels", "wrong", "named"),
    [
        (["Fp1-F7"], "Fp1-F7", "Fp1, F7, Fp1-F7 contradict each other"),  # it could be any of them
        (DOUBLE_BANANA, "T3-T5", "T3-T5 contradicts the other channels"),
        (DOUBLE_BANANA, "C3", "C3 contradicts the other channels"),
    ],
)
def test_a_channel_that_contradicts_the_others_is_named(labels: list[str], wrong: str, named: str, tmp_path: Path):
    values, names = noise(60), [*SCALP, *labels]
    channels = np.concatenate([values, pairs_of(values, labels)])
    assert not any("contradict" in note for note in recorded(write_edf(tmp_path / "x.edf", channels, names)).notes)
    channels[names.index(wrong)] += noise(60, seed=1)[0]
    (note,) = (note for note in recorded(write_edf(tmp_path / "y.edf", channels, names)).notes if "contradict" in note)
    assert note.startswith(f"{named}, by an SD of 30 µV")


def test_unconnected_pairs_are_refused_if_a_model_subtracts_across_them():
    leads = [lead_of(label) for label in DOUBLE_BANANA]
    wish = r"want channels that connect Fz and F7, which the model subtracts, got 3 separate groups \(Fz Cz Pz; Fp1 F3"
    with pytest.raises(DataError, match=wish):
        derivation(leads, [("Fz", "F7")])


def test_an_unconnected_midline_is_interpolated_if_a_model_needs_its_level():
    leads = [lead_of(label) for label in [*DOUBLE_BANANA, "T7-FT9", "FT9-FT10", "FT10-T8"]]
    assert derivation(leads, BANANA).interpolated == ()
    assert derivation(leads, [("Fz", "F7")]).interpolated == ("Fz", "Cz", "Pz")


def test_a_smooth_field_is_interpolated_well_whatever_the_reference():
    towards = np.array([0.3, 0.8, 0.5])
    field = 50 * (POSITIONS @ towards) + 20 * (POSITIONS[:, 2] ** 2) + 1000  # the reference is 1 mV off
    missing = ("T3", "Pz", "F4", "O1")
    leads = [Lead(name, "") for name in SCALP if name not in missing]
    found = derivation(leads, BANANA)
    assert found.interpolated == tuple(name for name in SCALP if name in missing)
    made = found.matrix[:19] @ field[[SCALP.index(lead.anode) for lead in leads]]
    assert np.abs(made - field).max() < 0.1 * np.ptp(field)


def test_more_than_four_missing_electrodes_are_too_many():
    leads = [Lead(name, "") for name in SCALP if name not in ("Fz", "Cz", "Pz", "F7", "F8")]
    wish = r"want at least 15 of the 19 electrodes of the 10-20 system, got 14 \(lacks F7, Fz, Cz, Pz, F8\); up to 4"
    with pytest.raises(DataError, match=wish):
        derivation(leads, BANANA)
    with pytest.raises(DataError, match="no EEG: none of its channels is named after a 10-20 electrode"):
        derivation([EKG], BANANA)


def test_electrodes_that_are_neither_recorded_nor_interpolated_are_named(tmp_path: Path):
    labels = [f"{one}-{other}" for one, other in BANANA]
    recording = recorded(write_edf(tmp_path / "x.edf", pairs_of(noise(20), labels), labels))
    assert recording.interpolated == ()
    said = "Missing, and not interpolated because the channels form separate groups: Fz, Cz, Pz."
    assert said in recording.notes
    assert not any("EKG" in note for note in recording.notes)


# Rates


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


def test_a_recording_reads_the_same_at_once_or_in_pieces_and_is_missing_beyond_its_ends(tmp_path: Path):
    recording = recorded(write_edf(tmp_path / "x.edf", noise(90), SCALP))
    whole = recording.eeg(0, recording.samples)
    np.testing.assert_allclose(recording.eeg(3000, 9000), whole[:, 3000:9000], atol=1e-4)
    around = recording.eeg(-500, recording.samples + 500)
    np.testing.assert_array_equal(around[:, 500:-500], whole)
    assert np.isnan(around[:, :500]).all()
    assert np.isnan(around[:, -500:]).all()
    assert np.isnan(whole[ELECTRODES.index("EKG")]).all()


# Files


def test_values_are_those_of_the_file_in_the_order_of_the_electrodes(tmp_path: Path):
    values = noise(60, 200)
    shuffled = np.random.default_rng(0).permutation(19)
    labels = [f"EEG {SCALP[i].upper()}-REF" for i in shuffled]
    recording = recorded(write_edf(tmp_path / "x.edf", values[shuffled], labels, 200))
    np.testing.assert_allclose(recording.eeg(0, 12_000)[:19], values, atol=0.01)
    assert (recording.duration_s, recording.notes) == (60, [])
    assert f"{recording.start:%Y-%m-%d %H:%M:%S}" == "2024-03-05 21:30:00"


@pytest.mark.parametrize(("unit", "scale"), [("mV", 1e-3), ("V", 1e-6), ("uV", 1), ("µV", 1), ("nV", 1e3)])
def test_units_become_microvolts(unit: str, scale: float, tmp_path: Path):
    values = noise(20, 200)
    recording = recorded(write_edf(tmp_path / "x.edf", values * scale, SCALP, 200, unit))
    np.testing.assert_allclose(recording.eeg(0, 4000)[:19], values, atol=0.01)


@pytest.mark.parametrize(("scale", "unit"), [(1e-3, "mV"), (1e-6, "V")])
def test_values_that_are_hardly_microvolts_are_refused_until_a_unit_is_given(scale: float, unit: str, tmp_path: Path):
    values = noise(20, 200)
    path = write_edf(tmp_path / "x.edf", values * scale, SCALP, 200, "")
    wish = r"x\.edf: want an EEG in µV, got values with a median SD of \S+ µV; are they mV or V\? Say which with unit="
    with pytest.raises(DataError, match=wish):
        recorded(path)
    np.testing.assert_allclose(recorded(path, unit=unit).eeg(0, 4000)[:19], values, atol=0.05)


def test_plausible_values_without_a_unit_are_taken_to_be_microvolts_with_a_note(tmp_path: Path):
    recording = recorded(write_edf(tmp_path / "x.edf", noise(20), SCALP, unit=""))
    said = "The file gives no unit of voltage for Fp1, F3, C3 ...: its values are taken to be µV."
    assert recording.notes == [said]


def test_microvolts_labelled_as_millivolts_are_refused(tmp_path: Path):
    wish = r"got values with a median SD of \S+ µV; are they nV, or uV labelled as mV or V\?"
    with pytest.raises(DataError, match=wish):
        recorded(write_edf(tmp_path / "x.edf", noise(20), SCALP, unit="mV"))


def test_a_nearly_flat_eeg_is_accepted_if_its_unit_is_given(tmp_path: Path):
    path = write_edf(tmp_path / "x.edf", 0.4 / 30 * noise(20, 200), SCALP, 200)
    with pytest.raises(DataError, match=r"median SD of 0\.4"):
        recorded(path)
    recording = recorded(path, unit="uV")
    assert recording.notes == ["Hardly any EEG with unit=uV: values have a median SD of 0.4 µV."]
    assert recording.eeg(0, 4000)[:19].std() == pytest.approx(0.4, rel=0.1)


def test_noise_of_an_unplugged_amplifier_does_not_speak_for_the_unit_if_the_rest_is_eeg(tmp_path: Path):
    values = noise(200, 200)
    values[:, :24_000] *= 0.3 / 30
    recording = recorded(write_edf(tmp_path / "x.edf", values, SCALP, 200))
    assert np.isfinite(recording.eeg(24_000, 40_000)[:19]).all()
    assert np.isnan(recording.eeg(0, 24_000)).all()
    with pytest.raises(DataError, match="are they mV or V"):
        recorded(write_edf(tmp_path / "mV.edf", 30e-3 / 30 * values, SCALP, 200))


@pytest.mark.parametrize("value", [0.0, np.nan, np.inf])
def test_a_few_empty_electrodes_are_interpolated_and_too_many_refused(value: float, tmp_path: Path):
    values = noise(20, 200)
    for count in (2, 5):
        values[:count] = value
        info = mne.create_info([*SCALP], 200.0, "eeg")
        mne.io.RawArray(values * 1e-6, info, verbose="error").save(tmp_path / f"{count}_raw.fif", verbose="error")
    recording = recorded(tmp_path / "2_raw.fif")
    assert recording.interpolated == ("Fp1", "F3")
    assert recording.notes[0] == "Flat or missing wherever checked, so not read: Fp1, F3."
    assert np.isfinite(recording.eeg(0, 4000)[:19]).all()
    with pytest.raises(
        DataError, match=r"want at least 15 of the 19 electrodes .*, got 14 \(lacks Fp1, F3, C3, P3, F7\)"
    ):
        recorded(tmp_path / "5_raw.fif")


@pytest.mark.parametrize("hiss_uv", [0, 0.05])
def test_a_reference_that_is_stored_as_zero_is_kept_by_hand(hiss_uv: float, tmp_path: Path):
    """Cz against Cz: as flat as a dead electrode."""
    potentials = noise(30)
    values = potentials - potentials[SCALP.index("Cz")] + hiss_uv * noise(30, seed=1) / 30
    path = write_edf(tmp_path / "x.edf", values, [f"EEG {name}-Ref" for name in SCALP])
    found = recorded(path)
    found.eeg(0, found.samples)
    assert found.interpolated == ("Cz",)
    advice = "If it is the reference of the others, keep it by channels={Fp1: Fp1-Cz, ...} for each of them."
    assert len([note for note in found.notes if note.endswith(f"interpolated: Cz. {advice}") or
                note == f"Flat or missing wherever checked, so not read: Cz. {advice}"]) == 1  # fmt: skip
    kept = recorded(path, channels={f"EEG {name}-Ref": f"{name}-Cz" for name in SCALP if name != "Cz"})
    eeg = kept.eeg(0, kept.samples)
    assert kept.interpolated == ()
    assert not any("keep it by" in note for note in kept.notes)
    whole = recorded(write_edf(tmp_path / "y.edf", potentials, SCALP)).eeg(0, kept.samples)
    for one in range(19):
        want = whole[one] - whole[SCALP.index("Cz")]
        np.testing.assert_allclose(eeg[one] - eeg[SCALP.index("Cz")], want, atol=0.3)


@pytest.mark.parametrize(("reference", "flat"), [("A1", ["Cz"]), ("Ref", ["Cz", "Pz"])])
def test_what_cannot_be_the_only_reference_is_not_said_to_be(reference: str, flat: list[str], tmp_path: Path):
    values = noise(20)
    values[[SCALP.index(name) for name in flat]] = 0
    notes = recorded(write_edf(tmp_path / "x.edf", values, [f"{name}-{reference}" for name in SCALP])).notes
    assert notes[0] == f"Flat or missing wherever checked, so not read: {', '.join(flat)}."


def test_infinite_samples_become_missing(tmp_path: Path):
    values = noise(20, 200)
    values[3, 1000:1010] = np.inf
    info = mne.create_info([*SCALP], 200.0, "eeg")
    mne.io.RawArray(values * 1e-6, info, verbose="error").save(tmp_path / "x_raw.fif", verbose="error")
    found = recorded(tmp_path / "x_raw.fif").eeg(0, 4000)
    assert np.isnan(found[3, 1000:1010]).all()
    assert np.isnan(found[:19]).sum() == 10


def test_results_in_a_folder_are_not_taken_for_recordings(tmp_path: Path):
    for name in ("a.edf", "a.parquet", "a.json", "a-annot.fif", "a-annot.edf", "b.parquet"):
        (tmp_path / name).touch()
    assert recording_files(str(tmp_path)) == {"a": tmp_path / "a.edf", "b": tmp_path / "b.parquet"}


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


def test_values_beyond_a_kilovolt_become_missing(tmp_path: Path):
    path = write_edf(tmp_path / "x.edf", noise(20), SCALP)
    at = 256 + 19 * 104
    path.write_bytes(path.read_bytes()[:at] + b"-9e250  " + path.read_bytes()[at + 8 :])
    recording = recorded(path)
    assert recording.interpolated == ("Fp1",)
    assert "Flat or missing wherever checked, so not read: Fp1." in recording.notes


def test_a_flat_line_is_not_an_eeg(tmp_path: Path):
    with pytest.raises(DataError, match=r"x\.edf: want EEG, got a flat line in every electrode"):
        recorded(write_edf(tmp_path / "x.edf", 0 * noise(20), SCALP))


def test_an_eeg_that_is_unplugged_for_most_of_its_time_is_read(tmp_path: Path):
    values = np.hstack([noise(100, 200), 0 * noise(300, 200)])
    recording = recorded(write_edf(tmp_path / "x.edf", values, SCALP, 200))
    assert recording.notes == []
    np.testing.assert_allclose(recording.eeg(0, 20_000)[:19], values[:, :20_000], atol=0.1)


@pytest.mark.parametrize("electrodes", [[3], range(19)])
def test_electrodes_that_record_for_a_minute_of_ten_are_not_flat(electrodes: Sequence[int], tmp_path: Path):
    values = noise(600, 200)
    there = np.zeros(values.shape[1], bool)
    there[20 * 200 : 75 * 200] = True
    values[np.ix_(electrodes, ~there)] = 0
    assert recorded(write_edf(tmp_path / "x.edf", values, SCALP, 200)).interpolated == ()


def test_a_discontinuous_eeg_is_judged_by_what_was_recorded(tmp_path: Path):
    values, starts_s = noise(300, 200), [start + second for start in (0, 90_000, 180_000) for second in range(100)]
    values[:, : 10 * 200] = values[:, -10 * 200 :] = 0  # before it was plugged in, and after
    path = write_edf(tmp_path / "x.edf", values, SCALP, 200, starts_s=starts_s, kind="EDF+D")
    recording = recorded(path)
    assert recording.interpolated == ()
    np.testing.assert_allclose(recording.eeg(90_000 * 200, 90_010 * 200)[:19], values[:, 20_000:22_000], atol=0.1)


@pytest.mark.parametrize("label", ["MIC", "P1", "M1", "EKG"])
def test_a_faster_channel_besides_the_electrodes_changes_nothing(label: str, tmp_path: Path):
    values = noise(20, 250)
    path = tmp_path / "x.edf"
    write_edf(path, values, SCALP, 250)
    alone = recorded(path).eeg(0, 4000)
    path.write_bytes(with_a_faster_channel(path.read_bytes(), label))
    recording = recorded(path)
    assert recording.source.sfreq_hz == 250
    np.testing.assert_array_equal(recording.eeg(0, 4000), alone)


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
    alone = recorded(path).eeg(0, 4000)
    path.write_bytes(with_a_faster_channel(path.read_bytes(), "EKG"))
    recording = recorded(path)
    assert recording.source.sfreq_hz == 250
    np.testing.assert_array_equal(recording.eeg(0, 4000)[:19], alone[:19])
    assert np.isnan(recording.eeg(0, 4000)[19]).all()


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
    assert recording.notes == ["'Cz' occurs more than once: the first is read."]
    np.testing.assert_allclose(recording.eeg(0, 4000)[:19], values[:19], atol=0.05)


@pytest.mark.parametrize("suffix", ["edf", "bdf"])
def test_the_gaps_of_a_discontinuous_file_are_missing_samples(suffix: str, tmp_path: Path):
    values, starts_s = noise(40, 200), [*range(20), *range(50, 70)]
    path = write_edf(tmp_path / f"x.{suffix}", values, SCALP, 200, starts_s=starts_s, kind="EDF+D")
    recording = recorded(path)
    assert recording.duration_s == 70
    assert recording.notes == ["The recording has 1 gap, 30 s in all."]
    eeg = recording.eeg(0, 14_000)[:19]
    np.testing.assert_allclose(eeg[:, :4000], values[:, :4000], atol=0.01)
    np.testing.assert_allclose(eeg[:, 10_000:], values[:, 4000:], atol=0.01)
    assert np.isnan(eeg[:, 4000:10_000]).all()


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
    assert recording.annotations == [
        (3.5, 0, "Augen zu, Ärztin"),
        (18, 40, "bad Ä"),
        (18, 40, "movement"),
        (65, 0, "Cz: bad"),
    ]
    bad, gaps = "Marked as bad in the file, so without a prediction: 10 s.", "The recording has 1 gap, 30 s in all."
    assert recording.notes == [gaps, bad]  # and none of MNE's about annotations that it leaves out


def test_stored_time_is_that_of_the_samples_that_mne_reads(tmp_path: Path):
    path = discontinuous(tmp_path / "x.edf", noise(40, 200))
    recording = recorded(path)
    times_s = np.array([0, 19.5, 20, 35, 50, 65, 70, 80])
    assert stored_s(times_s, recording.source.spans, 200).tolist() == [0, 19.5, 20, 20, 20, 35, 40, 40]
    raw = mne.io.read_raw(path, encoding="latin1", verbose="error")
    (first_s,) = stored_s(np.array([60.0]), recording.source.spans, 200)
    ours, first = recording.eeg(60 * 200, 61 * 200)[:19], int(first_s * 200)
    np.testing.assert_allclose(raw.get_data(stop=first + 200)[:19, first:] * 1e6, ours, atol=0.01)


def test_a_fif_file_keeps_its_time_its_pauses_and_its_annotations(tmp_path: Path):
    info = mne.create_info([*SCALP], 200.0, "eeg")
    raw = mne.io.RawArray(noise(60, 200) * 1e-6, info, first_samp=2000, verbose="error")
    texts = ["Anfall", "BAD_ACQ_SKIP", "EDGE boundary", "bad_movement"]
    raw.set_annotations(mne.Annotations([12, 20, 20, 40], [3, 10, 0, 30], texts), verbose="error")
    raw.save(tmp_path / "x_raw.fif", verbose="error")
    recording = recorded(tmp_path / "x_raw.fif")
    assert [one.text for one in recording.annotations] == ["Anfall", "bad_movement"]
    np.testing.assert_allclose([one[:2] for one in recording.annotations], [[12, 3], [40, 20]], atol=0.01)
    times_s = np.array([5.0, 25.0, 50.0])
    np.testing.assert_array_equal(stored_s(times_s, recording.source.spans, 200), times_s)
    assert np.isnan(recording.eeg(20 * 200, 30 * 200)).all()


def test_a_pause_at_the_start_of_a_fif_file_counts_as_a_gap():
    raw = mne.io.RawArray(noise(60, 200) * 1e-6, mne.create_info([*SCALP], 200.0, "eeg"), verbose="error")
    raw.set_annotations(mne.Annotations([0, 30], [10, 5], ["BAD_ACQ_SKIP"] * 2), verbose="error")
    spans, notes = spans_of(Path("x_raw.fif"), None, raw)  # MNE would not save the pause at the start as it is
    assert [(span.at, span.length) for span in spans] == [(2000, 4000), (7000, 5000)]
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
    _brainvision(tmp_path / "x.vhdr", values, markers)
    recording = recorded(tmp_path / "x.vhdr")
    assert recording.duration_s == 140
    assert recording.notes == ["The recording has 1 gap, 1 min 40 s in all."]
    assert recording.annotations[0].onset_s == pytest.approx(130, abs=0.01)
    assert [one.text for one in recording.annotations] == ["Comment/Anfall"]
    assert stored_s(np.array([10.0, 60.0, 130.0]), recording.source.spans, 256).tolist() == [10, 20, 30]
    whole = recorded(write_edf(tmp_path / "x.edf", values, SCALP))
    np.testing.assert_allclose(recording.eeg(25_000, 27_000)[:19], whole.eeg(5000, 7000)[:19], atol=0.05)
    assert np.isnan(recording.eeg(4000, 24_000)).all()


def test_a_brainvision_file_whose_first_segment_has_no_date_keeps_its_later_pauses(tmp_path: Path):
    markers = (
        "Mk1=New Segment,,1,1,0,00000000000000000000\n"
        "Mk2=New Segment,,15361,1,0,20201010220000000000\n"  # after 60 s
        "Mk3=New Segment,,20481,1,0,20201010220120000000\n"  # 60 s after the end of the second
    )
    _brainvision(tmp_path / "x.vhdr", noise(100), markers)
    recording = recorded(tmp_path / "x.vhdr")
    assert recording.source.spans == [(0, 0, 20_480), (35_840, 20_480, 5120)]
    assert recording.notes == ["The recording has 1 gap, 1 min in all."]


@pytest.mark.parametrize("known", [True, False])
def test_a_cropped_fif_file_starts_when_its_first_sample_was_recorded(known: bool, tmp_path: Path):
    raw = mne.io.RawArray(noise(60, 200) * 1e-6, mne.create_info([*SCALP], 200.0, "eeg"), verbose="error")
    raw.set_meas_date(datetime(2024, 3, 5, 21, 30, tzinfo=UTC) if known else None)
    raw.crop(tmin=20).save(tmp_path / "x_raw.fif", verbose="error")
    recording = recorded(tmp_path / "x_raw.fif")
    assert recording.start == (datetime(2024, 3, 5, 21, 30, 20, tzinfo=UTC) if known else None)
    assert any("Times of day are in UTC" in note for note in recording.notes) == known
    mne.Annotations([12.5], [2], ["seizure"]).save(tmp_path / "x-annot.fif")  # as a timeline's
    raw.set_annotations(mne.read_annotations(tmp_path / "x-annot.fif"))
    (found,) = raw.crop_by_annotations()
    np.testing.assert_allclose(found.get_data()[:, :400] * 1e6, recording.eeg(2500, 2900)[:19], atol=0.01)


@pytest.mark.parametrize(("offset", "hour", "minute"), [("+0100", 22, 30), ("-03:30", 18, 0)])
def test_times_of_day_are_local_if_the_file_gives_an_offset(offset: str, hour: int, minute: int, tmp_path: Path):
    """As MNE opens EGI's files, and keeps their offset where they are saved as FIF."""
    raw = mne.io.RawArray(noise(10, 200) * 1e-6, mne.create_info([*SCALP], 200.0, "eeg"), verbose="error")
    raw.set_meas_date(datetime(2024, 3, 5, 21, 30, tzinfo=UTC))
    with raw.info._unlock():
        raw.info["utc_offset"] = offset
    raw.save(tmp_path / "x_raw.fif", verbose="error")
    recording = recorded(tmp_path / "x_raw.fif")
    assert recording.start == datetime(2024, 3, 5, hour, minute, tzinfo=UTC)
    assert recording.notes == [f"Times of day are local (UTC{offset[:3]}:{offset[-2:]}), as the file says."]


def test_gaps_are_counted_and_their_length_is_rounded(tmp_path: Path):
    starts_s = [0, 1, 2, 10.1234, 11.1234, 400.54321]
    path = write_edf(tmp_path / "x.edf", noise(6, 200), SCALP, 200, starts_s=starts_s, kind="EDF+D")
    assert recorded(path).notes == ["The recording has 2 gaps, 6 min 36 s in all."]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (9.59375, "9.6 s"),
        (30, "30 s"),
        (59.97, "1 min"),
        (100.4, "1 min 40 s"),
        (3605, "1 h 5 s"),
        (86_390, "23 h 59 min 50 s"),
        (4_000_000, "1,111 h 6 min 40 s"),
    ],
)
def test_durations_read_as_people_write_them(seconds: float, text: str):
    assert duration_text(seconds) == text


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
    assert "Number of records from the header does not match the file size" in recording.notes[0]


def test_a_file_that_is_not_a_recording_is_refused_in_one_line(tmp_path: Path):
    whole = write_edf(tmp_path / "x.edf", noise(20), SCALP).read_bytes()
    damaged = whole[:252] + b"many" + whole[256:]
    for name, content, wish in (
        ("text.edf", b"time;Fp1;Fp2\n0;1;2\n", r"not an EDF or BDF file \(it begins with 'time;Fp1'\)"),
        ("empty.edf", b"", r"not an EDF or BDF file \(it begins with ''\)"),
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


def test_a_header_gives_rates_and_records(tmp_path: Path):
    path = write_edf(tmp_path / "x.edf", noise(20), SCALP, record_s=0.5)
    header = read_header(path)
    assert (header.records, header.sfreq_hz(3), header.dimensions[0]) == (40, 256, "uV")
    assert record_starts_s(path, header) is None


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
        raw.save(path, verbose="error") if suffix == "fif" else _brainvision(path, values)
    recording = recorded(path)
    same = recorded(write_edf(tmp_path / "y.edf", values, SCALP)).eeg(0, 4000)
    known = [i for i, name in enumerate(SCALP) if name not in recording.interpolated]
    np.testing.assert_allclose(recording.eeg(0, 4000)[known], same[known], atol=0.05)
    if suffix == "fif":
        assert recording.interpolated == ("Cz",)
        assert recording.notes[0] == "Marked as bad in the file, so not read: Cz."


def _brainvision(path: Path, values: np.ndarray, markers: str = "") -> None:
    path.with_suffix(".vmrk").write_text(
        f"Brain Vision Data Exchange Marker File, Version 1.0\n[Common Infos]\n[Marker Infos]\n{markers}"
    )
    values.T.astype("<f4").tofile(path.with_suffix(".eeg"))
    channels = "\n".join(f"Ch{i + 1}={name},,1,µV" for i, name in enumerate(SCALP))
    path.write_text(
        "BrainVision Data Exchange Header File Version 1.0\n[Common Infos]\nCodepage=UTF-8\n"
        f"DataFile={path.stem}.eeg\nDataFormat=BINARY\nDataOrientation=MULTIPLEXED\nNumberOfChannels=19\n"
        f"MarkerFile={path.stem}.vmrk\n"
        "SamplingInterval=3906.25\n[Binary Infos]\nBinaryFormat=IEEE_FLOAT_32\n[Channel Infos]\n" + channels
    )


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
    assert recording.interpolated == (("Fz", "Cz", "Pz") if name == "eeglab__test" else ())
    assert np.isfinite(recording.eeg(0, recording.samples)[:19]).all()


# Which files


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


def test_recordings_below_a_folder_that_holds_others_are_left_out_with_a_line(tmp_path: Path, capsys):
    for name in ("ward[1]/a.edf", "ward[1]/b/c.edf", "ward[1]/d/e/f.bdf", "ward[1]/d/notes.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    ward = tmp_path / "ward[1]"
    assert [*recording_files(f"{ward}/")] == ["a"]
    left_out = f"{ward}/: 2 recordings in its folders left out"
    more = f"'{tmp_path}/ward[[]1]/**/*' finds those in its folders as well"
    assert capsys.readouterr().err == f"{left_out}; {more}\n"


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
        (["a/x.edf", "b/x.edf"], "recording: want files whose names differ, got 'x.edf' twice; predict them one by"),
    ],
)
def test_files_that_cannot_be_meant_are_refused(words: str | list[str], message: str, tmp_path: Path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=re.escape(message)):
        recording_files(words)


# Signal and no signal


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
    assert recording.notes == []
    (stretch,) = stretches(recording, 10, False)
    assert stretch.recorded.tolist() == [True] * 3 + [False] * 3 + [True] * 3
    assert np.isnan(recording.eeg(6000, 12_000)).all()
    assert np.isfinite(recording.eeg(0, 6000)[:19]).all()
    why = "SD below 0.4 µV in 0.5-30 Hz: unplugged, or electrocerebral inactivity"
    assert recording.notes == [f"No signal for 30 s ({why}), so without a prediction."]


@pytest.mark.parametrize("seconds", [1, 11.5, 62.5])
def test_a_recording_may_end_within_ten_seconds(seconds: float, tmp_path: Path):
    recording = recorded(write_edf(tmp_path / "x.edf", noise(seconds, 200), SCALP, 200, record_s=0.5))
    assert np.isfinite(recording.eeg(0, recording.samples)[:19]).all()
    assert recording.notes == []


@pytest.mark.parametrize("tail_s", [0.5, 1.5, 2.5])
def test_the_tail_of_a_silent_stretch_is_silent(tail_s: float, tmp_path: Path):
    values = noise(60 + tail_s, 200)
    values[:, 8000:] = 0
    recording = recorded(write_edf(tmp_path / "x.edf", values, SCALP, 200, record_s=0.5))
    assert np.isnan(recording.eeg(8000, recording.samples)).all()
    (note,) = recording.notes
    assert note.startswith("No signal for 2")
    again = recorded(tmp_path / "x.edf")
    assert np.isnan(again.eeg(12_000, again.samples + 100)).all()  # alone
    assert np.isnan(again.eeg(again.samples + 50, again.samples + 100)).all()  # beyond the end


def test_suppressed_eeg_and_burst_suppression_are_signal(tmp_path: Path):
    values = noise(60, 200)
    values[:, 2000:4000] *= 0.5 / 30  # SD, about 3 µV from peak to peak
    values[:, 4000:8000] *= 0.01
    values[:, 7000:7100] *= 100  # half a second in ten
    recording = recorded(write_edf(tmp_path / "x.edf", values, SCALP, 200))
    (stretch,) = stretches(recording, 10, False)
    assert stretch.recorded.tolist() == [True, True, False, True, True, True]


FLAT = {"zero": 0.0, "railed": 3000.0, "below 0.1 µV": 0.05 * np.random.default_rng(0).normal(size=60 * 256)}


@pytest.mark.parametrize("kind", FLAT)
def test_an_electrode_that_is_flat_for_a_while_is_interpolated_there_with_a_note(kind: str, tmp_path: Path):
    values = noise(90, 256)
    absent = recorded(write_edf(tmp_path / "absent.edf", np.delete(values, 2, 0), [*SCALP[:2], *SCALP[3:]]))
    whole = recorded(write_edf(tmp_path / "whole.edf", values, SCALP))
    values[2, 30 * 256 :] = FLAT[kind]
    recording = recorded(write_edf(tmp_path / "x.edf", values, SCALP))
    eeg = recording.eeg(0, recording.samples)[:19]
    np.testing.assert_allclose(eeg[:, 6100:], absent.eeg(6100, recording.samples)[:19], atol=0.15)
    np.testing.assert_allclose(eeg[:, :5900], whole.eeg(0, 5900)[:19], atol=0.15)
    assert recording.notes == ["Flat for part of the time and interpolated there: C3 (1 min)."]


@pytest.mark.parametrize("silent", [False, True])
def test_an_electrode_that_has_only_noise_throughout_is_interpolated_like_one_that_the_file_lacks(
    silent: bool, tmp_path: Path
):
    values = noise(60, 200)
    values[2] = 0.05 * np.random.default_rng(0).normal(size=12_000)
    if silent:
        values[:, 4000:6000] *= 1e-4
    recording = recorded(write_edf(tmp_path / "x.edf", values, SCALP, 200))
    recording.eeg(0, 12_000)
    assert recording.interpolated == ("C3",)
    assert recording.notes[-1].startswith("Flat throughout, so interpolated: C3. If it is the reference of the others")
    assert len(recording.notes) == 1 + silent


@pytest.mark.parametrize("count", [5, 11, 18])
def test_a_stretch_with_more_flat_electrodes_than_can_be_interpolated_is_missing(count: int, tmp_path: Path):
    values = noise(60, 200)
    values[:count, 4000:8000] = 0
    recording = recorded(write_edf(tmp_path / "x.edf", values, SCALP, 200))
    (stretch,) = stretches(recording, 10, False)
    assert stretch.recorded.tolist() == [True, True, False, False, True, True]
    assert np.isnan(recording.eeg(4000, 8000)).all()
    why = "more than 4 of the 19 are flat or missing"
    assert recording.notes == [f"Too few electrodes for 20 s ({why}), so without a prediction."]


def test_electrodes_that_the_file_lacks_count_among_those_that_are_too_many(tmp_path: Path):
    values = noise(40, 200)
    values[5, 2000:4000] = 0
    recording = recorded(write_edf(tmp_path / "x.edf", values[4:], SCALP[4:], 200))
    assert np.isnan(recording.eeg(2000, 4000)).all()
    assert recording.notes[-1].startswith("Too few electrodes for 10 s")


def test_a_flat_pair_is_bypassed_if_the_others_still_connect_all_electrodes(tmp_path: Path):
    potentials, labels = noise(60, 200), [f"{one}-{other}" for one, other in BANANA]
    values = pairs_of(potentials, labels)
    values[labels.index("C3-P3"), 6000:] = 0
    recording = recorded(write_edf(tmp_path / "x.edf", values, labels, 200))
    found = recording.eeg(0, 12_000)
    np.testing.assert_allclose(pairs_of(found, labels), pairs_of(potentials, labels), atol=0.05)
    assert recording.notes[-1] == "Flat for part of the time and not read there: C3-P3 (30 s)."


def test_an_electrode_that_no_channel_connects_without_a_flat_pair_is_missing_there(tmp_path: Path):
    values = pairs_of(noise(60, 200), DOUBLE_BANANA)
    values[DOUBLE_BANANA.index("Cz-Pz"), 6000:] = 0
    recording = recorded(write_edf(tmp_path / "x.edf", values, DOUBLE_BANANA, 200))
    assert np.isnan(recording.eeg(6000, 12_000)[SCALP.index("Pz")]).all()
    assert recording.notes[-1] == "Flat for part of the time and missing there: Cz-Pz (30 s)."


def test_a_flat_pair_that_alone_connects_electrodes_is_read_as_it_is(tmp_path: Path):
    chains = [pair for pair in BANANA if pair not in [("P3", "O1"), ("P4", "O2")]]
    labels = [f"{one}-{other}" for one, other in chains]
    values = pairs_of(noise(60, 200), labels)
    values[labels.index("C3-P3"), 6000:] = 0
    recording = recorded(write_edf(tmp_path / "x.edf", values, labels, 200), chains)
    np.testing.assert_allclose(pairs_of(recording.eeg(0, 12_000), labels), values, atol=0.05)
    assert recording.notes[-1] == "Flat for part of the time and read as it is: C3-P3 (30 s)."


def test_a_noisy_electrode_stays_as_it_is(tmp_path: Path):
    values = noise(60, 200)
    values[2] += 2000 * np.sin(100 * np.pi * np.arange(12_000) / 200 + 1)
    recording = recorded(write_edf(tmp_path / "x.edf", values, SCALP, 200))
    np.testing.assert_allclose(recording.eeg(0, 12_000)[2], values[2], atol=0.1)
    assert recording.notes == []


def test_a_unit_that_leaves_no_signal_is_accepted_and_noted(tmp_path: Path):
    recording = recorded(write_edf(tmp_path / "x.edf", 1e-6 * noise(60, 200), SCALP, 200, ""), unit="uV")
    (stretch,) = stretches(recording, 10, False)
    assert not stretch.recorded.any()
    assert recording.notes[0].startswith("Hardly any EEG with unit=uV: values have a median SD of 3e-05 µV")
    assert recording.notes[1].startswith("No signal for 1 min (SD below 0.4 µV")


def test_an_offset_of_direct_current_is_resampled_without_a_ripple():
    resample = Resampler(lambda first, last: np.full((1, last - first), 3e5), 2560, 256)
    np.testing.assert_allclose(resample(0, resample.samples), 3e5, rtol=1e-12)


# Windows


@pytest.mark.parametrize(
    ("seconds", "onsets_s"),
    [(2, [0]), (14, [0]), (16, [0, 10]), (62, [0, 10, 20, 30, 40, 50]), (75, [*range(0, 71, 10)])],
)
def test_there_is_a_window_for_every_10_s_of_which_half_was_recorded(seconds: int, onsets_s: list, tmp_path: Path):
    recording = recorded(write_edf(tmp_path / "x.edf", noise(seconds, 100), SCALP, 100))
    (stretch,) = stretches(recording, 10, False)
    assert stretch.onsets_s.tolist() == onsets_s
    assert count_windows(recording, 10) == len(onsets_s)
    assert stretch.recorded.all()


def test_a_window_surrounds_its_10_s_and_is_missing_where_nothing_was_recorded(tmp_path: Path):
    values = noise(100, 200)
    recording = recorded(write_edf(tmp_path / "x.edf", values, SCALP, 200))
    (stretch,) = stretches(recording, 10, False)
    eeg = np.concatenate([batch.eeg.numpy() for batch in stretch.batches(4)])
    assert eeg.shape == (10, 20, 10_000)
    np.testing.assert_allclose(eeg[3, :19], as_stored(recording.eeg(2000, 12_000)[:19]))
    assert np.isnan(eeg[0, :, :4000]).all()
    assert np.isfinite(eeg[0, :19, 4000:]).all()
    assert np.isnan(eeg[-1, :, 6000:]).all()


def test_only_seconds_with_signal_count_as_recorded(tmp_path: Path):
    values = noise(100, 200)
    values[:, 4000:8000] = 0  # no signal
    values[:7, 12_000:14_000] = 0  # too few electrodes
    recording = recorded(write_edf(tmp_path / "x.edf", values, SCALP, 200))
    for step_s, most in ((10, 1), (2.5, 4)):
        (stretch,) = stretches(recording, step_s, False)
        assert stretch.recorded_s()[::most].tolist() == [20, 20, 30, 30, 20, 30, 40, 40, 30, 30]


def test_windows_in_a_gap_are_marked(tmp_path: Path):
    starts_s = [*range(30), *range(100, 130)]
    path = write_edf(tmp_path / "x.edf", noise(60, 100), SCALP, 100, starts_s=starts_s, kind="EDF+D")
    (stretch,) = stretches(recorded(path), 10, False)
    assert stretch.recorded.tolist() == [True] * 3 + [False] * 7 + [True] * 3


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
    (stretch,) = stretches(recording, 10, False)
    assert stretch.recorded.tolist() == [True] * 2 + [False] * 2 + [True] * 6
    assert recording.notes == ["Marked as bad in the file, so without a prediction: 19 s."]
    assert [one.text for one in recording.annotations].count("Cz: BAD_flat") == 1
    assert np.isfinite(recording.eeg(4000, 7000)[:19]).all()


def test_a_gap_of_hours_is_skipped(tmp_path: Path):
    starts_s = [*range(30), *range(40_000, 40_030)]
    path = write_edf(tmp_path / "x.edf", noise(60, 100), SCALP, 100, starts_s=starts_s, kind="EDF+D")
    found = [*stretches(recorded(path), 10, with_spectrogram=False)]  # nothing is computed in the gap
    assert len(found) == 34
    assert [one.recorded.sum() for one in (found[0], *found[-1:])] == [3, 3]
    rows = np.concatenate([one.spectrogram for one in found], axis=1)
    assert np.flatnonzero(np.isfinite(rows).all(axis=(0, 2))).tolist() == [*range(14), *range(20_000, 20_014)]


def test_a_long_recording_in_stretches_gives_every_window_and_spectrogram_row_once(tmp_path: Path):
    recording = recorded(write_edf(tmp_path / "x.edf", noise(2600, 64), SCALP, 64))
    pieces = list(stretches(recording, 13, True))
    assert [*np.concatenate([piece.onsets_s for piece in pieces])] == [13 * i for i in range(200)]
    ids = [int(i) for piece in pieces for batch in piece.batches(64) for i in batch.label_id]
    assert ids == [*range(200)]
    rows = np.concatenate([piece.spectrogram for piece in pieces], axis=1)
    whole = regional_spectrogram(recording.eeg(0, recording.samples).T)
    np.testing.assert_allclose(np.log(rows), np.log(whole), atol=2e-3)
    last = [*pieces[1].batches(1)][20]
    first_row = (13 * int(last.label_id[0]) - 296) // 2
    want = as_stored(whole[:, first_row : first_row + 300])
    np.testing.assert_allclose(last.spectrogram[0], want, rtol=0.01)


def test_an_offset_of_direct_current_is_removed_and_a_usual_one_stays():
    eeg = np.zeros((1000, 20), np.float32)
    eeg[:, 3], eeg[:, 4], eeg[:, 19] = 40_000, 80, 9_000
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
    whole = recorded(write_edf(tmp_path / "whole.edf", values, SCALP, 200)).eeg(0, 24_000)
    gapped = np.where((np.arange(24_000) // 2000) == 5, np.nan, whole + np.linspace(-5000, 5000, 20)[:, None])
    rows = [regional_rows(recorded(tmp_path / "whole.edf"), eeg, 0, 0, 58) for eeg in (whole, gapped)]
    known = np.isfinite(rows[1])
    assert 45 < known[0, :, 0].sum() < 58
    assert np.abs(np.log10(rows[1][known] / rows[0][known])).max() < 0.1  # 1 dB


def test_golden_the_spectrogram_of_a_recording_is_that_of_its_spectrogram_file():
    recording = recorded(real("data/hms_real/test_eegs/3911565283.parquet"))
    (stretch,) = stretches(recording, 10, True)
    (batch,) = stretch.batches(8)
    ours = batch.spectrogram[2].double().numpy()  # the centre at 20 s: this window is the file from its first sample
    theirs = read_spectrogram(real("data/hms_real/test_spectrograms/853520.parquet"))[:300].transpose(1, 0, 2)
    both = np.isfinite(ours) & (theirs > 0)
    assert both.mean() > 0.07
    assert np.corrcoef(np.log(ours[both]), np.log(theirs[both]))[0, 1] >= 0.999


def test_a_folder_of_folders_is_refused_with_the_pattern_that_finds_their_recordings(tmp_path: Path):
    (tmp_path / "ward/one").mkdir(parents=True)
    with pytest.raises(UserError, match=r"got none in '.*ward'$"):
        recording_files(f"{tmp_path}/ward")
    (tmp_path / "ward/one/x.EDF").touch()
    with pytest.raises(UserError, match=rf"got none in '.*'; '{tmp_path}/ward/\*\*/\*' finds those in its folders$"):
        recording_files(f"{tmp_path}/ward/")
    assert recording_files(f"{tmp_path}/ward/**/*") == {"x": tmp_path / "ward/one/x.EDF"}


def test_a_channel_without_samples_is_interpolated_in_a_competition_file_as_in_an_edf(tmp_path: Path):
    values = dict(zip(SCALP, noise(60, 200).astype(np.float32), strict=True))
    columns = values | {"Fp1": np.full(12_000, np.nan, np.float32), "EKG": values["Cz"]}
    pl.DataFrame(columns).write_parquet(tmp_path / "x.parquet")
    recording = recorded(tmp_path / "x.parquet")
    assert recording.notes == ["Flat or missing wherever checked, so not read: Fp1.", "Interpolated: Fp1."]
    assert np.isfinite(recording.eeg(0, 12_000)).all()
