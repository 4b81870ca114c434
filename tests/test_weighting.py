"""How much a row counts as the epochs go by."""

import numpy as np
import pytest
import torch

from hms.labels import vote_weight
from hms.weighting import ByVotes, FadeLowVotes


def weights(*votes: int) -> torch.Tensor:
    return torch.from_numpy(vote_weight(np.array([[count, 0, 0, 0, 0, 0] for count in votes]))).float()


def test_rows_of_few_votes_fade_and_those_of_many_do_not():
    given = weights(1, 9, 10, 28)
    fade = FadeLowVotes(first=1.0, last=0.2, epochs=5)
    factors = torch.stack([fade(given, epoch) / given for epoch in range(7)])
    torch.testing.assert_close(factors[:, 0], torch.tensor([1, 0.8, 0.6, 0.4, 0.2, 0.2, 0.2]))
    assert torch.equal(factors[:, 1], factors[:, 0])
    assert (factors[:, 2:] == 1).all()


def test_a_training_of_one_epoch_begins_and_stays_with_the_first_weight():
    assert torch.equal(FadeLowVotes(1.0, 0.0, 1)(weights(3), 0), weights(3))


def test_by_votes_is_the_weight_that_a_row_comes_with():
    assert torch.equal(ByVotes()(weights(3, 12), 4), weights(3, 12))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((-1.0, 0.1, 5), r"first, last: want 0 or more, got -1.0, 0.1"),
        ((1.0, 0.1, 0), r"epochs: want at least 1, got 0"),
    ],
)
def test_a_fading_that_makes_no_sense_is_refused(arguments: tuple, message: str):
    with pytest.raises(ValueError, match=message):
        FadeLowVotes(*arguments)
