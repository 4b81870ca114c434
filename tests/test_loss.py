import pytest
import torch
from torch.nn import functional as F

from hms.batch import Logits
from hms.loss import VoteWeightedKl


def drawn() -> tuple[Logits, torch.Tensor, torch.Tensor]:
    torch.manual_seed(0)
    logits = Logits(torch.randn(4, 6), {name: torch.randn(4, 6) for name in ("stft", "wavenet", "mine")})
    return logits, torch.randn(4, 6).softmax(dim=1), torch.rand(4)


def weighted_kl(logits: torch.Tensor, target: torch.Tensor, weight: torch.Tensor) -> float:
    divergence = (target * (target.log() - F.log_softmax(logits, dim=1))).sum(dim=1)
    return (weight * divergence).sum().item() / len(target)


def test_predictions_are_weighted_by_name_and_the_weights_are_normalised():
    logits, target, weight = drawn()
    loss = VoteWeightedKl(0.79, 0.06, {"wavenet": 0.09, "absent": 5.0})
    parts = {name: weighted_kl(own, target, weight) for name, own in logits.by_extractor.items()}
    total = 0.79 * weighted_kl(logits.joint, target, weight)
    total += 0.06 * parts["stft"] + 0.09 * parts["wavenet"] + 0.06 * parts["mine"]
    assert loss(logits, target, weight).item() == pytest.approx(total / (0.79 + 0.06 + 0.09 + 0.06))
    same = Logits(logits.joint, dict.fromkeys(logits.by_extractor, logits.joint))
    assert loss(same, target, weight).item() == pytest.approx(weighted_kl(logits.joint, target, weight))


def test_without_heads_only_the_joint_prediction_counts():
    logits, target, weight = drawn()
    for loss in (VoteWeightedKl(0.79, 0.06, {}), VoteWeightedKl(2.0, 0.0, {"stft": 3.0})):
        found = loss(logits._replace(by_extractor={}), target, weight)
        assert found.item() == pytest.approx(weighted_kl(logits.joint, target, weight))


def test_impossible_shares_are_refused():
    with pytest.raises(ValueError, match="joint: want more than 0, got 0"):
        VoteWeightedKl(0, 0.06, {})
    with pytest.raises(ValueError, match=r"auxiliary_of\.stft: want at least 0, got -1\.0"):
        VoteWeightedKl(0.79, 0.06, {"stft": -1.0})
