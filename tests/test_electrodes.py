import numpy as np
import pytest

from hms.electrodes import ELECTRODES, FRONT_BACK, LEFT_RIGHT, POSITIONS, SCALP


@pytest.mark.parametrize("partners", [LEFT_RIGHT, FRONT_BACK])
def test_a_partner_of_a_partner_is_the_electrode_itself(partners: tuple[int, ...]):
    assert [partners[i] for i in partners] == list(range(len(ELECTRODES)))
    assert ELECTRODES[partners[-1]] == "EKG"


def test_left_right_partners_mirror_each_other_on_the_head():
    mirrored = POSITIONS * [-1, 1, 1]
    np.testing.assert_allclose(POSITIONS[list(LEFT_RIGHT[:-1])], mirrored, atol=1e-12)


def test_front_back_partners_mirror_each_other_on_the_head_except_on_the_central_row():
    for electrode, partner in enumerate(FRONT_BACK[:-1]):
        np.testing.assert_allclose(POSITIONS[partner], POSITIONS[electrode] * [1, -1, 1], atol=1e-12)


def test_positions_lie_on_the_unit_sphere_and_name_their_side():
    np.testing.assert_allclose(np.linalg.norm(POSITIONS, axis=1), 1)
    for name, (x, y, _) in zip(SCALP, POSITIONS, strict=True):
        side = 0 if name.endswith("z") else 1 if int(name[-1]) % 2 == 0 else -1
        assert np.sign(round(x, 9)) == side
        assert (y > 1e-9) == name.startswith("F")
