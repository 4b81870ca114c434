"""The ranges of constructors' numbers."""

import math
from functools import partial

import pytest

from hms.ranges import want_above_0, want_at_least, want_probability


@pytest.mark.parametrize(
    ("want", "inside", "outside"),
    [
        (partial(want_at_least, 1), [1, 1.0, math.inf], [0, 0.9, math.nan]),
        (want_above_0, [1e-300, 3], [0, -1, math.nan]),
        (want_probability, [0, 0.5, 1], [-0.1, 1.1, math.nan]),
    ],
)
def test_what_is_out_of_range_is_refused(want, inside, outside):
    for value in inside:
        want(option=value)
    for value in outside:
        with pytest.raises(ValueError, match=rf"^option: want .*, got {value}$"):
            want(option=value)


def test_the_first_option_out_of_range_is_named():
    with pytest.raises(ValueError, match=r"^layers: want at least 1, got 0$"):
        want_at_least(1, blocks=3, layers=0, heads=-1)
