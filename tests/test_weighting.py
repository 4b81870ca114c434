"""How the weight of a row changes over the epochs."""

import numpy as np
import pytest
import torch

from hms.labels import vote_weight
from hms.weighting import ByVotes, FadeLowVotes


def weights(*votes: int) -> torch.Tensor:
    return torch.from_numpy(vote_weight(np.array([[count, 0, 0, 0, 0, 0] for count in votes]))).float()


def test_rows_with_few_votes_fade_and_those_with_many_do_not():
    given = weights(1, 9, 10, 28)
    fade = FadeLowVotes(first=1.0, last=0.2, epochs=5)
    factors = torch.stack([fade(given, epoch) / given for epoch in range(7)])
    torch.testing.assert_close(factors[:, 0], torch.tensor([1, 0.8, 0.6, 0.4, 0.2, 0.2, 0.2]))
    assert torch.equal(factors[:, 1], factors[:, 0])
    assert (factors[:, 2:] == 1).all()


def test_a_training_of_one_epoch_uses_the_first_factor():
    assert torch.equal(FadeLowVotes(1.0, 0.0, 1)(weights(3), 0), weights(3))


def test_by_votes_leaves_weights_unchanged():
    assert torch.equal(ByVotes()(weights(3, 12), 4), weights(3, 12))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((-1.0, 0.1, 5), r"first, last: want 0 or more, got -1.0, 0.1"),
        ((1.0, 0.1, 0), r"epochs: want at least 1, got 0"),
    ],
)
def test_impossible_settings_are_refused(arguments: tuple, message: str):
    with pytest.raises(ValueError, match=message):
        FadeLowVotes(*arguments)
