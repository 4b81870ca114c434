"""What the labels of channels say, in all the spellings of clinics; depth electrodes are told from the scalp's."""

from pathlib import Path

import mne
import numpy as np
import pytest
from edf_files import write_edf
from recordings import noise, recorded

from hms.electrodes import SCALP
from hms.errors import DataError
from hms.recording.channel_names import EKG, Lead, lead_of, without_numbers
from hms.recording.meanings import meanings_of


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
    np.testing.assert_allclose(found.read(0, 4000).eeg, whole.read(0, 4000).eeg, atol=0.01, equal_nan=True)
    assert found.interpolated_so_far() == ()
    (kept,) = (note for note in found.notes_so_far() if "depth" in note)
    assert kept.startswith("Numbered as on depth electrodes or grids, so not read: F1, F2, F3, ")
    assert kept.endswith(", O1, O2 and 18 more; channels= says which are on the scalp.")


@pytest.mark.parametrize("montage", ["easycap-M1", "biosemi64", "brainproducts-RNP-BA-128"])
def test_caps_of_any_density_are_read(montage: str):
    labels = [*mne.channels.make_standard_montage(montage).ch_names, "T1", "T2", "A1", "A2"]
    found = meanings_of(labels, {})
    assert found.in_depth == []
    assert {*SCALP} <= {lead.anode for lead in found.leads.values() if lead}


def test_a_label_of_stereo_eeg_is_no_electrode_of_the_scalp():
    assert (lead_of("SEEG F3"), lead_of("SEEG-F3"), lead_of("SEEG F3-F4")) == (None, None, None)
