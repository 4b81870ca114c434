"""How the weight of a row changes over the epochs, and how its votes smooth its target."""

from operator import itemgetter
from pathlib import Path

import numpy as np
import pytest
import torch
from material import batch, config, equal
from small_parts import Plain
from torch import nn
from torch.utils.data import DataLoader

from hms.augmentation.panel_smoothing import PanelSmoothing
from hms.batch import Logits
from hms.config.build import build
from hms.labels import vote_weight, votes_of
from hms.model import Model
from hms.training.module import Classifier
from hms.training.trainer import train
from hms.weighting import ByVotes, Equal, FadeLowVotes


def weights(*votes: int) -> torch.Tensor:
    return torch.from_numpy(vote_weight(np.array([[count, 0, 0, 0, 0, 0] for count in votes]))).float()


def test_a_weight_gives_back_the_number_of_votes():
    np.testing.assert_allclose(votes_of(weights(1, 3, 28)), [1, 3, 28], rtol=1e-5)


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


def test_equal_weights_do_not_depend_on_votes():
    assert torch.equal(Equal()(weights(3, 12), 4), torch.ones(2))


def test_smoothing_gives_the_shares_of_the_votes_with_some_more_spread_evenly():
    votes = np.array([[3, 0, 0, 0, 0, 0], [1, 2, 0, 0, 0, 0], [0, 0, 0, 0, 6, 6], [0, 28, 0, 0, 0, 0]])
    target, weight = votes / votes.sum(axis=1, keepdims=True), vote_weight(votes)
    given = batch(4)._replace(target=torch.from_numpy(target).float(), weight=torch.from_numpy(weight).float())
    more = votes + 1.5 / 6
    want = torch.from_numpy(more / more.sum(axis=1, keepdims=True)).float()
    made = PanelSmoothing(pseudo_votes=1.5)(given)
    torch.testing.assert_close(made.target, want)
    assert equal(made._replace(target=given.target), given)


class Seen(nn.Module):
    """A loss that keeps what it was given last."""

    def forward(self, logits: Logits, target: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        self.target, self.weight = target, weight
        return logits.joint.square().mean()


@pytest.mark.filterwarnings("ignore:.*LeafSpec.*")
def test_each_epoch_weights_its_rows_and_those_faded_keep_their_votes_until_targets_are_smoothed(tmp_path: Path):
    node, loss, given, epochs = config("trainer=cpu"), Seen(), batch(2), []
    model = Model(build(node["preprocess"]), {"plain": Plain()}, build(node["fusion"]), False, False)

    def fade(weight: torch.Tensor, epoch: int) -> torch.Tensor:
        epochs.append(epoch)
        return FadeLowVotes(0.0, 0.0, 1)(weight, epoch)

    change = {"panel_smoothing": PanelSmoothing(1.0)}
    own = build(node["optimizer"]), build(node["schedule"])
    learns = Classifier(model, loss, change, fade, *own, lr_scale={}, seed=0)
    windows = DataLoader([given] * 2, collate_fn=itemgetter(0))
    train(learns, node["trainer"] | {"max_epochs": 2}, tmp_path, windows, windows, [], [])
    assert epochs == [0, 0, 1, 1]
    assert loss.weight.tolist() == [0, 0]
    torch.testing.assert_close(loss.target, PanelSmoothing(1.0)(given).target)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((-1.0, 0.1, 5), r"first: want at least 0, got -1\.0"),
        ((1.0, 0.1, 0), r"epochs: want at least 1, got 0"),
    ],
)
def test_impossible_settings_are_refused(arguments: tuple, message: str):
    with pytest.raises(ValueError, match=message):
        FadeLowVotes(*arguments)


def test_a_negative_number_of_pseudo_votes_is_refused():
    with pytest.raises(ValueError, match="pseudo_votes: want at least 0, got -1"):
        PanelSmoothing(-1)
