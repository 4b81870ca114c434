"""From channels to electrodes: references, pairs, and what is interpolated, missing or contradictory."""

from pathlib import Path

import numpy as np
import pytest
from edf_files import write_edf
from recordings import BANANA, DOUBLE_BANANA, MIDLINE, noise, pairs_of, recorded

from hms.electrodes import POSITIONS, SCALP
from hms.errors import DataError
from hms.recording.derivation import derivation
from hms.recording.labels import EKG, Lead, lead_of


def test_electrodes_against_one_reference_are_taken_as_they_are():
    leads = [Lead(name, "LE") for name in SCALP[::-1]] + [EKG, Lead("A1", "LE")]
    found = derivation(leads, [*BANANA, *MIDLINE])
    np.testing.assert_array_equal(found.matrix[:19, :19], np.eye(19)[::-1])
    assert found.matrix[19, 19] == 1
    assert found.interpolated == ()


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
