"""From channels to electrodes: references, pairs, and what is interpolated, missing or contradictory."""

from pathlib import Path

import numpy as np
import pytest
from edf_files import write_edf
from recordings import BANANA, DOUBLE_BANANA, MIDLINE, noise, pairs_of, recorded

from hms.electrodes import ELECTRODES, POSITIONS, SCALP
from hms.errors import DataError
from hms.page.traces import draw
from hms.recording.channel_names import EKG, Lead, lead_of
from hms.recording.reconstruction import reconstruction
from hms.recording.windows import pieces


def test_electrodes_against_one_reference_are_taken_as_they_are():
    leads = [Lead(name, "LE") for name in SCALP[::-1]] + [EKG, Lead("A1", "LE")]
    found = reconstruction(leads, [*BANANA, *MIDLINE])
    np.testing.assert_array_equal(found.matrix[:19, :19], np.eye(19)[::-1])
    assert found.matrix[19, 19] == 1
    assert found.interpolated == ()


def test_connected_pairs_give_exact_differences():
    potentials = noise(2)
    found = reconstruction([lead_of(label) for label in DOUBLE_BANANA], BANANA)
    made = found.matrix[:19] @ pairs_of(potentials, DOUBLE_BANANA)
    for one, other in [*BANANA, *MIDLINE, ("F7", "C3"), ("Fz", "Pz")]:
        i, j = SCALP.index(one), SCALP.index(other)
        np.testing.assert_allclose(made[i] - made[j], potentials[i] - potentials[j], atol=1e-9)
    assert found.without_reference


def test_pairs_that_share_an_electrode_share_a_reference():
    shared = [
        [Lead(name, "Cz") for name in SCALP if name != "Cz"],
        [Lead("Cz", name) for name in SCALP if name != "Cz"],
    ]
    assert [reconstruction(leads, BANANA).without_reference for leads in shared] == [False, False]
    assert reconstruction([*shared[0], Lead("Fp1", "F7")], BANANA).without_reference


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
    assert not any(
        "contradict" in note for note in recorded(write_edf(tmp_path / "x.edf", channels, names)).notes_so_far()
    )
    channels[names.index(wrong)] += noise(60, seed=1)[0]
    (note,) = (
        note for note in recorded(write_edf(tmp_path / "y.edf", channels, names)).notes_so_far() if "contradict" in note
    )
    assert note.startswith(f"{named}, by an SD of 30 µV")


def test_unconnected_pairs_are_refused_if_a_model_subtracts_across_them():
    leads = [lead_of(label) for label in DOUBLE_BANANA]
    wish = r"want channels that connect Fz and F7, which a model subtracts, got 3 separate groups \(Fz Cz Pz; Fp1 F3"
    with pytest.raises(DataError, match=wish):
        reconstruction(leads, [("Fz", "F7")])


RIGHT = "Fp2 F4 C4 P4 O2 F8 T4 T6 Pz".split()
EARED = [f"{name}-{'A2' if name in RIGHT else 'A1'}" for name in SCALP]
"""Each electrode against an ear, of which no channel knows the other."""


def against_ears(seconds: float) -> np.ndarray:
    """The channels of `EARED`, and one from ear to ear."""
    values, ears = noise(seconds, 200), noise(seconds, 200, seed=1, channels=2)
    eared = [row - ears[int(name in RIGHT)] for name, row in zip(SCALP, values, strict=True)]
    return np.stack([*eared, ears[0] - ears[1]])


def test_a_pair_whose_electrodes_no_channels_connect_is_not_drawn(tmp_path: Path):
    channels = against_ears(60)
    recording = recorded(write_edf(tmp_path / "x.edf", channels[:19], EARED, 200))
    (note,) = recording.notes_so_far()
    assert note == (
        "Channels share no reference: electrodes are known up to one constant in each of 2 groups (Pz Fp2 F4 C4 P4 F8 "
        "T4 T6 O2; Fp1 F3 C3 P3 F7 T3 T5 O1 Fz Cz), so differences between groups are unknown and not drawn."
    )
    paths = {one.label: one.path for one in draw(*recording.read(0, 10_000)).traces}
    assert [name for name, path in paths.items() if not path] == ["Cz-Pz", "EKG"]
    whole = recorded(write_edf(tmp_path / "y.edf", channels, [*EARED, "A1-A2"], 200))
    traces = draw(*whole.read(0, 10_000)).traces
    assert [one.label for one in traces if not one.path] == ["EKG"]


def test_a_pair_is_not_drawn_while_the_channel_that_connects_it_is_flat(tmp_path: Path):
    channels = against_ears(62)
    channels[19, 4000:6000] = 0
    recording = recorded(write_edf(tmp_path / "x.edf", channels, [*EARED, "A1-A2"], 200))
    eeg, groups = recording.read(-1000, 13_000)
    assert eeg.shape == groups.shape
    cz, pz = groups[[ELECTRODES.index("Cz"), ELECTRODES.index("Pz")]]
    assert np.flatnonzero(cz != pz).tolist() == [*range(5000, 7000)]
    (path,) = (one.path for one in draw(eeg[:, 1000:11_000], groups[:, 1000:11_000]).traces if one.label == "Cz-Pz")
    assert path.count("M") == 2
    alone = recorded(tmp_path / "x.edf").read(4500, 5500)  # which nothing was read before
    np.testing.assert_array_equal(alone.groups, groups[:, 5500:6500])


def test_a_region_whose_pairs_no_channels_connect_has_no_spectrogram(tmp_path: Path):
    front = [name for name in SCALP if name.startswith("F")]
    labels = [f"{name}-{'A1' if name in front else 'A2'}" for name in SCALP]
    recording = recorded(write_edf(tmp_path / "x.edf", noise(60), labels), [("Fp1", "F7"), ("P3", "O1")])
    (piece,) = pieces(recording, 10, False)
    assert np.isnan(piece.spectrogram).all()
    recording = recorded(write_edf(tmp_path / "y.edf", noise(60), EARED), [("Fp1", "F7"), ("P3", "O1")])
    (piece,) = pieces(recording, 10, False)
    assert np.isfinite(piece.spectrogram).all()


def test_an_unconnected_midline_is_interpolated_if_a_model_needs_its_level():
    leads = [lead_of(label) for label in [*DOUBLE_BANANA, "T7-FT9", "FT9-FT10", "FT10-T8"]]
    assert reconstruction(leads, BANANA).interpolated == ()
    assert reconstruction(leads, [("Fz", "F7")]).interpolated == ("Fz", "Cz", "Pz")


def test_a_smooth_field_is_interpolated_well_whatever_the_reference():
    towards = np.array([0.3, 0.8, 0.5])
    field = 50 * (POSITIONS @ towards) + 20 * (POSITIONS[:, 2] ** 2) + 1000  # the reference is 1 mV off
    missing = ("T3", "Pz", "F4", "O1")
    leads = [Lead(name, "") for name in SCALP if name not in missing]
    found = reconstruction(leads, BANANA)
    assert found.interpolated == tuple(name for name in SCALP if name in missing)
    made = found.matrix[:19] @ field[[SCALP.index(lead.anode) for lead in leads]]
    assert np.abs(made - field).max() < 0.1 * np.ptp(field)


def test_more_than_four_missing_electrodes_are_too_many():
    leads = [Lead(name, "") for name in SCALP if name not in ("Fz", "Cz", "Pz", "F7", "F8")]
    wish = r"want at least 15 of the 19 electrodes of the 10-20 system, got 14 \(lacks F7, Fz, Cz, Pz, F8\); up to 4"
    with pytest.raises(DataError, match=wish):
        reconstruction(leads, BANANA)
    with pytest.raises(DataError, match="no EEG: none of its channels is named after a 10-20 electrode"):
        reconstruction([EKG], BANANA)


def test_electrodes_that_are_neither_recorded_nor_interpolated_are_named(tmp_path: Path):
    labels = [f"{one}-{other}" for one, other in BANANA]
    recording = recorded(write_edf(tmp_path / "x.edf", pairs_of(noise(20), labels), labels))
    assert recording.interpolated_so_far() == ()
    said = "Missing, and not interpolated because the channels form separate groups: Fz, Cz, Pz."
    assert said in recording.notes_so_far()
    assert not any("EKG" in note for note in recording.notes_so_far())
